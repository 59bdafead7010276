"""No server of an endpoint outlives the local AWS, however that ends."""

import signal
from pathlib import Path

import pytest

from tests.rehearsal.still_running import gone_in_time, orphans_of

OWNER = """
import sys, time
from pathlib import Path
from tests.cloud.hosted import hosted

with hosted(Path(sys.argv[1])) as cloud:
    cloud.model("first", instances=2)
    cloud.deployed()
    found = set()
    while len(found) < 2:
        found.add(cloud.invoke(b"pid").body.decode())
    print(*found, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_server_is_left(tmp_path: Path, how: signal.Signals) -> None:
    assert gone_in_time(orphans_of(OWNER, str(tmp_path), how=how))
