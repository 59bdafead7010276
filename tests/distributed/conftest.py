"""Hosts of their own, where the machine allows them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.hosts.namespaces import Namespaces, NamespacesRefusedError


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Namespaces]:
    """Entered; a test that needs it is skipped, with the reason, where the machine refuses."""
    try:
        with Namespaces(tmp_path / "network") as network:
            yield network
    except NamespacesRefusedError as error:
        pytest.skip(str(error))
