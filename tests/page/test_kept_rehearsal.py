"""From `kennel rehearse --keep` to a breed in the browser, and what the page shows of a throttle and a rollout there.

The function, the HTTP API in front of it and the endpoint are those of the local AWS.
"""

import json
import platform
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from ops.cli import app
from tests.builders import LABELS, write_artifact
from tests.page.browser import HERE, NODE, environment
from tests.patience import wait_until
from tests.rehearsal.deployments import check_nothing_is_left, few_photos, printed_until, started

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        (sys.platform, platform.machine()) != ("linux", "x86_64"),
        reason="npm's package of Chromium is for Linux on x86-64",
    ),
]

LAST_LINE = "Ctrl-C here ends it"
FUNCTION = "kennel-api"


@dataclass(frozen=True)
class Kept:
    page: str
    """The printed address."""
    photo: Path
    """One of those in the printed folder."""
    variables: dict[str, str]

    def client(self, service: str) -> Any:
        own = self.variables
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=own["AWS_ENDPOINT_URL"],
            region_name=own["AWS_REGION"],
            aws_access_key_id=own["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=own["AWS_SECRET_ACCESS_KEY"],
        )


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    base = tmp_path_factory.mktemp("kept")
    folder = base / "rehearsal"
    words = [
        "--data",
        few_photos(base / "photos"),
        "--model",
        write_artifact(base / "model"),
        "--photos",
        "2",
        "--keep",
    ]
    with started(folder, *map(str, words)) as run:
        printed = printed_until(LAST_LINE, run)
        (page,) = re.findall(r"^  (http://\S+)$", printed, re.MULTILINE)
        (photos,) = re.findall(r"^Photos to try are in (.*)/$", printed, re.MULTILINE)
        lines = (folder / "aws.sh").read_text().splitlines()
        exported = [shlex.split(line)[1] for line in lines if re.match(r"export (AWS|KENNEL|CDK)\w*=", line)]
        yield Kept(
            page=page,
            photo=min(Path(photos).rglob("*.jpg")),
            variables=dict(each.split("=", 1) for each in exported),
        )
        run.send_signal(signal.SIGINT)
        rest, _ = run.communicate()
    assert run.returncode == 0, rest
    check_nothing_is_left(folder, base / "tmp")


class Browser:
    """A browser in which the page is open."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        assert process.stdout is not None
        self._lines = map(json.loads, process.stdout)
        assert next(self._lines) == "opened"

    def choose(self) -> Iterator[str]:
        """Choose the photo. The texts of its card, as they come; the last one has the breeds."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._lines


@pytest.fixture
def browser(kept: Kept) -> Iterator[Browser]:
    variables = environment(ADDRESS=kept.page, PHOTO=kept.photo)
    with subprocess.Popen(
        [NODE, HERE / "ask.mjs"], env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Browser(process)
        if process.poll() is None:
            process.terminate()


def test_the_printed_page_names_a_breed_of_a_photo_in_the_printed_folder(kept: Kept, browser: Browser) -> None:
    *_, last = browser.choose()

    assert kept.photo.name in last
    assert any(re.search(rf"^{label}\n\d+\.\d %$", last, re.MULTILINE) for label in LABELS), last
    assert re.search(r"Answered in \d+ ms; .* Model: [0-9a-f]{16}", last)


def test_a_throttled_function_is_asked_again(kept: Kept, browser: Browser) -> None:
    lambda_ = kept.client("lambda")
    lambda_.put_function_concurrency(FunctionName=FUNCTION, ReservedConcurrentExecutions=0)
    try:
        texts = browser.choose()
        throttled = next(text for text in texts if "The page tries again in" in text)
    finally:
        lambda_.delete_function_concurrency(FunctionName=FUNCTION)
    *_, last = texts

    assert "Too many requests reach the service now.\n" in throttled
    assert "Answered in" in last


def test_an_endpoint_that_is_created_again_is_waited_for(kept: Kept, browser: Browser) -> None:
    sagemaker = kept.client("sagemaker")
    (endpoint,) = sagemaker.list_endpoints()["Endpoints"]
    name = endpoint["EndpointName"]
    config = sagemaker.describe_endpoint(EndpointName=name)["EndpointConfigName"]
    sagemaker.delete_endpoint(EndpointName=name)
    texts = browser.choose()
    refused = next(text for text in texts if "The page tries again in" in text)
    gone = wait_until(lambda: not sagemaker.list_endpoints()["Endpoints"])
    assert gone
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    *_, last = texts

    assert "The model's endpoint is not in service now: it is being created, updated or deleted." in refused
    assert "The page tries again in 30 s (1 of 5)." in refused
    assert "Answered in" in last


def test_predict_takes_the_printed_address(kept: Kept) -> None:
    result = CliRunner().invoke(app, ["predict", str(kept.photo), "--url", kept.page, "--json"])

    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["predictions"][0]["breed"] in LABELS
