"""`kennel serve`: the page and the model on one loopback address, until Ctrl-C."""

import re
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from ops.cli import app
from rehearsal.processes import Child, ProcessGroup
from tests.builders import LABELS, any_photo, colour_of, write_artifact
from tests.patience import PATIENCE_S

KENNEL = [sys.executable, "-c", "from ops.cli import main; main()", "serve"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artifact(tmp_path_factory.mktemp("artifact") / "model")


@contextmanager
def serving(model: Path, folder: Path, *options: str) -> Iterator[tuple[Child, str]]:
    """The command, and the address that it printed. The model is loaded."""
    scratch = folder / "scratch"
    scratch.mkdir()
    with ProcessGroup(folder) as group:
        child = group.start("serve", [*KENNEL, str(model), *options], env={"TMPDIR": str(scratch)})
        group.wait_until(lambda: '"ready"' in child.log.read_text(), what="the server", timeout_s=PATIENCE_S)
        yield child, child.log.read_text().split()[2]


@pytest.fixture(scope="module")
def address(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(model, tmp_path_factory.mktemp("served")) as (_, address):
        yield address


def test_the_printed_address_is_the_page(address: str) -> None:
    page = httpx.get(address)

    assert address.startswith("http://127.0.0.1:")
    assert page.status_code == 200
    assert "<h1>Which breed is this dog?</h1>" in page.text


def test_the_policy_of_the_page_allows_its_own_script_and_style_alone(address: str) -> None:
    policy = httpx.get(address).headers["content-security-policy"]

    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'sha256-[\w+/]{43}=';", policy)


def test_a_photo_is_predicted_in_the_form_of_the_http_api(address: str) -> None:
    answer = httpx.post(f"{address}predict?top_k=2", content=any_photo(colour_of(1)))

    assert answer.status_code == 200
    breeds = [each["breed"] for each in answer.json()["predictions"]]
    assert breeds[0] == LABELS[1]
    assert len(breeds) == 2


def test_the_printed_address_is_a_target_of_predict(address: str, tmp_path: Path) -> None:
    photo = tmp_path / "rex.jpg"
    photo.write_bytes(any_photo(colour_of(1)))

    result = CliRunner().invoke(app, ["predict", str(photo), "--url", address, "--top-k", "1"])

    assert (result.exit_code, result.output) == (0, f"{photo}: {LABELS[1]} 100.0%\n")


@pytest.mark.parametrize("top_k", ["0", "x", "3,top_k=2", "%E2%82%AC"])
def test_a_wrong_number_of_breeds_is_refused_by_the_server_itself(address: str, top_k: str) -> None:
    answer = httpx.post(f"{address}predict?top_k={top_k}", content=any_photo())

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_top_k")


def test_the_routes_of_the_container_are_there_too(address: str) -> None:
    assert httpx.get(f"{address}ping").status_code == 200
    assert httpx.post(f"{address}invocations", content=any_photo()).status_code == 200


def test_a_web_site_whose_name_leads_here_gets_nothing(address: str) -> None:
    assert httpx.get(address, headers={"Host": "dogs.example"}).status_code == 400
    assert httpx.post(f"{address}predict", content=any_photo(), headers={"Host": "dogs.example"}).status_code == 400


def test_ctrl_c_ends_it_and_leaves_nothing(model: Path, tmp_path: Path) -> None:
    archive = tmp_path / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        for file in model.iterdir():
            packed.add(file, file.name)
    with serving(archive, tmp_path) as (child, _):
        assert list((tmp_path / "scratch").iterdir())
        child.signal(signal.SIGINT)
        assert child.wait(PATIENCE_S)

    assert child.exit_code() == 0
    assert child.log.read_text().endswith("has ended. No process is left.\n")
    assert list((tmp_path / "scratch").iterdir()) == []


def refused(*words: object) -> str:
    """What the command prints that ends at once."""
    ended = subprocess.run([*KENNEL, *map(str, words)], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    return ended.stderr


def test_a_port_that_is_taken_gets_a_sentence(model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refused(model, "--port", port) == (
            f"kennel: Port {port} of 127.0.0.1 cannot be used (Address already in use). End the process that uses it, "
            "or name another --port; without --port a free one is chosen.\n"
        )


def test_a_model_that_does_not_exist_gets_a_sentence(tmp_path: Path) -> None:
    assert re.fullmatch(r"kennel: There is no .*/none\. Name .*\n", refused(tmp_path / "none"))


def test_a_folder_that_is_no_artifact_gets_a_sentence(tmp_path: Path) -> None:
    assert "MODEL LOAD FAILED: " in refused(tmp_path)
    assert "Traceback" not in refused(tmp_path)
