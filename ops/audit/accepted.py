"""Findings that are accepted, each with its reason. A test demands that the templates still have each of them."""

from ops.audit.finding import Finding

ACCEPTED = (
    (
        "resource",
        "Workbench/HostRole",
        "ssm:UpdateInstanceInformation",
        "The host's role is created before the host, so it cannot name the host.",
    ),
    (
        "trust",
        "Workbench/NotebookRole",
        "sagemaker.amazonaws.com",
        "SageMaker's page on the confused deputy lists jobs, models, images and Studio, and not notebook instances.",
    ),
)
"""Subject, start of the role, a text of the summary, and the reason."""


def reason(finding: Finding) -> str:
    """Why a finding is accepted; empty if it is not."""
    for subject, role, text, why in ACCEPTED:
        if finding.subject == subject and finding.where.startswith(role) and text in finding.summary:
            return why
    return ""
