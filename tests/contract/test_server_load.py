"""Many concurrent requests, some of them bad: each gets its own response, and no connection stays open.

`make bench-load` measures the same at a larger scale.
"""

import json
from pathlib import Path

from benchmarks.http_load import Response, drive, invocation
from tests.builders import LABELS, any_photo, colour_of, write_artifact
from tests.contract.server_process import listening
from tests.patience import PATIENCE_S

BAD = [(b"", 400), (b"a dog", 415), (any_photo()[:99], 422)]


def test_each_of_many_concurrent_requests_gets_its_own_response(tmp_path: Path) -> None:
    photos = [any_photo(colour_of(index), size=(300, 200)) for index in range(3)]
    with listening(write_artifact(tmp_path / "model"), tmp_path / "logs") as server:
        server.wait_until_ready()
        open_files = Path(f"/proc/{server.child.pid}/fd")
        before = len(list(open_files.iterdir()))
        bad = [number % 50 == 49 for number in range(1000)]
        requests = [
            invocation(BAD[number // 50 % 3][0] if is_bad else photos[number % 3]) for number, is_bad in enumerate(bad)
        ]
        answers = drive(server.port, requests, concurrency=8)

        for number, (answer, is_bad) in enumerate(zip(answers, bad, strict=True)):
            assert isinstance(answer, Response), answer
            if is_bad:
                assert answer.status == BAD[number // 50 % 3][1]
            else:
                assert json.loads(answer.body)["predictions"][0]["breed"] == LABELS[number % 3]
        server.group.wait_until(
            lambda: len(list(open_files.iterdir())) <= before, what="connections to close", timeout_s=PATIENCE_S
        )
        assert len(server.events("answered")) + len(server.events("refused")) == len(requests)
