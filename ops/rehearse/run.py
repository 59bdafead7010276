"""A rehearsal in a folder: with the local AWS where it is installed, and otherwise without."""

from pathlib import Path

from rich.console import Console

from ops.deploy.cdk import PROGRAM, ROOT
from ops.rehearse.errors import RehearsalError
from ops.rehearse.folder_lock import locked
from ops.rehearse.inputs import check_inputs
from ops.rehearse.plan import Plan
from ops.views.contact_sheet import Answer
from rehearsal.cloud.local import NODE_PACKAGES, PYTHON

LEFT_OUT = "Left out: cdk deploy and all that it makes (IAM, alarms, updates, scaling)"
"""What a rehearsal without the local AWS does not rehearse."""


def rehearse(plan: Plan, console: Console) -> list[Answer]:
    """Rehearse, and return the predictions. See on_aws.py and without_aws.py for what is raised.

    Raises what `check_inputs` raises, and RehearsalError for a plan that needs the local AWS where it is not installed.
    """
    missing = next((each for each in (PYTHON, NODE_PACKAGES, PROGRAM) if not each.exists()), None)
    if missing and plan.needs_deployment:
        raise RehearsalError(
            f"{missing.relative_to(ROOT)} is not installed, so nothing can be deployed. Run `make setup`, which "
            "installs it, or leave out --full, --load, --keep, --model and -c."
        )
    check_inputs(plan)
    with locked(plan.folder):
        if plan.without_aws or missing:
            from ops.rehearse import without_aws

            console.print(f"{LEFT_OUT}, {_reason(missing)}.")
            return without_aws.rehearse(plan, console)
        from ops.rehearse import on_aws

        return on_aws.rehearse(plan, console)


def _reason(missing: Path | None) -> str:
    return f"because {missing.relative_to(ROOT)} is not installed (make setup)" if missing else "as --without-aws asks"
