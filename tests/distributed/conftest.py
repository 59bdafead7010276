"""Hosts in network namespaces, if the machine allows them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.hosts.namespaces import Namespaces, NamespacesRefusedError


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Namespaces]:
    """An open set of namespaces. Skips the test with the reason if the machine does not allow them."""
    try:
        with Namespaces(tmp_path / "network") as network:
            yield network
    except NamespacesRefusedError as error:
        pytest.skip(str(error))
