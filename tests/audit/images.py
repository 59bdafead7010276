"""The table of training images compared with that of AWS's SDK."""

import ast
from collections.abc import Iterator
from pathlib import Path

from sagemaker.core import image_uris

ROOT = Path(__file__).resolve().parents[2]
FRAMEWORK = "pytorch-amzn2023"


def wrong_images() -> Iterator[str]:
    """Each region in which the two tables name different images, and each region that only one table has."""
    registries: dict[str, str] = _constant("stacks/training/registries.py", "REGISTRIES")
    tag = _default("stacks/settings/training.py", "image_tag")
    version = tag.partition("-")[0]
    of_sdk = image_uris.config_for_framework(FRAMEWORK)["training"]["versions"][version]["registries"]
    for region in sorted(of_sdk.keys() | registries.keys()):
        if region not in of_sdk or region not in registries:
            yield f"{region} is only in {'stacks/training/registries.py' if region in registries else 'the SDK'}"
            continue
        wanted = image_uris.retrieve(
            FRAMEWORK, region, version=version, instance_type="ml.g4dn.xlarge", image_scope="training"
        )
        registry, _, rest = wanted.partition(".dkr.ecr.")
        if (registry, rest.rpartition("/")[2]) != (registries[region], f"pytorch:{tag}"):
            yield f"the training image of {region} is {wanted}, not {registries[region]}.../pytorch:{tag}"


def _constant(path: str, name: str) -> dict[str, str]:
    """A literal of a module that cannot be imported here: it needs aws_cdk, which this environment lacks."""
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            found: dict[str, str] = ast.literal_eval(node.value)
            return found
    raise LookupError(f"{path} has no {name}")


def _default(path: str, field: str) -> str:
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == field:
            found: str = ast.literal_eval(node.value or ast.Constant(""))
            return found
    raise LookupError(f"{path} has no {field}")
