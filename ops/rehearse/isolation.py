"""The variables with which a rehearsal works: those of its local AWS, and none of the operator's own for AWS or CDK."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

FOREIGN = ("AWS_", "AMAZON_", "BOTO_", "CDK_", "KENNEL_")
"""Beginnings of the variables by which AWS's tools, CDK and Kennel find an account."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def without_foreign(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that no tool reads an account from. A proxy is not used for the loopback interface."""
    kept = {name: value for name, value in variables.items() if not name.startswith(FOREIGN)}
    for name in ("NO_PROXY", "no_proxy"):  # programs read one or the other
        given = [part for part in variables.get(name, "").split(",") if part]
        kept[name] = ",".join([*given, *(address for address in LOOPBACK if address not in given)])
    return kept


@contextmanager
def only(variables: Mapping[str, str]) -> Iterator[None]:
    """Until the end of the block, this process and those that it starts have these variables for AWS, and no others."""
    before = dict(os.environ)
    _replace({**without_foreign(before), **variables})
    try:
        yield
    finally:
        _replace(before)


def _replace(variables: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(variables):
        del os.environ[name]
    os.environ.update(variables)
