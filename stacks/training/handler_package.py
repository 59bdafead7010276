"""The deployment package of the functions that run, register and forget trainings: one asset for all of them."""

from aws_cdk import aws_lambda as lambda_

from stacks.common.sources import sources
from stacks.common.staging import python_code
from stacks.training.source_files import ROOT

PACKAGE = "stacks/training/handler"
BESIDE_PACKAGE = (
    # What the handler imports, at the paths that its imports have in the repository: of contract/, five modules alone,
    # so that a change of a training option does not deploy the functions again.
    *("contract/__init__.py", "contract/names.py", "contract/photos.py", "contract/training_container.py"),
    *("contract/training_metrics.py", "contract/weights.py"),
    *("stacks/__init__.py", "stacks/training/__init__.py"),
)


def package() -> lambda_.Code:
    """CDK recognises the same files by their hash."""
    return python_code(sources(ROOT, packages=[PACKAGE], files=BESIDE_PACKAGE))
