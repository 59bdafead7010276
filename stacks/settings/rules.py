"""How a section checks itself: what its fields declare, then the rules that concern several fields."""

from typing import Literal

from contract.declarations import Pattern, declarations

LogRetentionDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827]
"""What CloudWatch Logs accepts, up to five years."""

SAGEMAKER_INSTANCE_TYPE = Pattern(r"ml\.[a-z0-9-]+\.[0-9a-z]+", "an instance type of SageMaker, such as ml.g4dn.xlarge")
PREFIX = Pattern(r"([A-Za-z0-9._-]+/)+", "a prefix that ends with /")
BUCKET = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/"
S3_FOLDER = rf"{BUCKET}[^\s,*?$]+/"
"""A prefix, which permissions name: no wildcards and no variables of IAM."""
S3_OBJECT = rf"{BUCKET}[^\s,*?]+"


class SettingsError(ValueError):
    """A setting has an invalid name or value. The message is one sentence for the user."""


def check(section: object, name: str) -> None:
    """Compare each field with its declared range, pattern or choices.

    name: the section's, such as serving.scaling. Raises SettingsError.
    """
    kind: type = type(section)
    for declaration in declarations(kind).values():
        sentence = declaration.error(f"{name}.{declaration.name}", getattr(section, declaration.name))
        if sentence:
            raise SettingsError(sentence)


def require(condition: bool, name: str, value: object, allowed: str) -> None:
    """Raise SettingsError unless the condition holds. allowed: what `name` must be."""
    if not condition:
        raise SettingsError(f"{name} is {value!r}, but must be {allowed}.")


def apart(name: str, prefix: str, other_name: str, other: str, *, why: str) -> None:
    """Raise SettingsError if one of two prefixes of the bucket is within the other."""
    require(
        not prefix.startswith(other) and not other.startswith(prefix),
        name,
        prefix,
        f"neither within {other_name} ({other!r}) nor around it, {why}",
    )
