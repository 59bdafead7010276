"""Runs cdk-nag on an app."""

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks, ServerlessChecks


def findings(app: cdk.App) -> list[tuple[str, str]]:
    """Rule and construct path of each finding that is not acknowledged."""
    return [
        (violation.rule_name, str(resource.construct_path))
        for pack in (AwsSolutionsChecks, ServerlessChecks)
        for violation in pack(app).validate_scope(app).violations
        for resource in violation.violating_resources
    ]
