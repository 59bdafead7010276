"""A rehearsal starts from ImageNet's weights where it can have them soon, and otherwise says that it does not."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contract.weights import PublishedWeights
from inference.artifact import sha256
from ops.rehearse import short_download, weights
from ops.rehearse.plan import Plan
from ops.weights.channel import pretrained_channel
from rehearsal.processes import free_port
from tests.distributed.small_network import write_weights
from tests.patience import wait_until
from training.model import download
from training.model.weights_file import WeightsError


class Lines:
    """The notes of a step, and the bytes that it reports."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.received: list[int] = []

    def __call__(self, done: int, _total: int, note: str = "") -> None:
        self.received.append(done)
        self.notes.append(note)


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_weights(tmp_path / "published.safetensors")


@pytest.fixture
def published(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PublishedWeights:
    """What is published; torch.hub's cache is empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    return publish(file.as_uri(), file, monkeypatch)


def publish(url: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> PublishedWeights:
    named = PublishedWeights(name="small", url=url, sha256=sha256(file.read_bytes()), classes=5)
    monkeypatch.setattr(weights, "RESNET50_IMAGENET", named)
    return named


def plan(tmp_path: Path, pretrained: str | None = None, data: Path | None = None) -> Plan:
    return Plan(folder=tmp_path / "rehearsal", pretrained=pretrained, data=data)


def downloads(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


@pytest.mark.usefixtures("published")
def test_drawn_photos_are_trained_from_a_quick_download(tmp_path: Path, file: Path, lines: Lines) -> None:
    started = weights.with_weights(plan(tmp_path), lines)

    # exact: the name of a file or of a choice, or a file's bytes, not a number
    assert Path(started.weights).read_bytes() == file.read_bytes()
    assert "mode" not in started.hyperparameters()
    assert lines.received[-1] == file.stat().st_size


def test_the_cache_is_used_without_a_download(
    published: PublishedWeights, tmp_path: Path, file: Path, lines: Lines
) -> None:
    copy = download.downloaded(published)
    file.unlink()

    # exact: the name of a file or of a choice, or a file's bytes, not a number
    assert weights.with_weights(plan(tmp_path), lines).weights == str(copy)
    assert lines.notes == []


def test_the_weights_of_an_earlier_rehearsal_are_used_without_a_download(
    published: PublishedWeights, tmp_path: Path, file: Path, lines: Lines
) -> None:
    content = file.read_bytes()
    kept = pretrained_channel(str(download.downloaded(published)), tmp_path / "rehearsal" / weights.KEPT)
    download.place(published).unlink()
    file.unlink()

    started = weights.with_weights(plan(tmp_path), lines)
    channel = pretrained_channel(started.weights, kept)  # as the rehearsal does next

    (copy,) = channel.iterdir()
    assert copy.read_bytes() == content


def test_another_file_in_the_cache_is_not_used(
    published: PublishedWeights, tmp_path: Path, file: Path, lines: Lines
) -> None:
    download.downloaded(published).write_bytes(b"another")

    # exact: the name of a file or of a choice, or a file's bytes, not a number
    assert Path(weights.with_weights(plan(tmp_path), lines).weights).read_bytes() == file.read_bytes()


@pytest.mark.usefixtures("published")
def test_without_a_network_every_weight_starts_random_and_a_line_says_so(
    tmp_path: Path, file: Path, lines: Lines
) -> None:
    file.unlink()
    started = weights.with_weights(plan(tmp_path), lines)

    # exact: the name of a file or of a choice, or a file's bytes, not a number
    assert started.weights == "none"
    assert started.hyperparameters()["mode"] == "full"
    (line,) = lines.notes
    assert "No such file" in line
    assert "starts from random weights" in line
    assert "--pretrained FILE" in line


@contextmanager
def server(begins_with: bytes) -> Iterator[str]:
    """A server that sends the beginning of an answer, and then nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        accepted: list[socket.socket] = []

        def answer() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                accepted.append(connection)
                connection.recv(65536)
                connection.sendall(begins_with)

        threading.Thread(target=answer, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/w.safetensors"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            for connection in accepted:
                connection.close()


@pytest.mark.usefixtures("published")
def test_a_server_that_does_not_answer_is_given_up(
    tmp_path: Path, file: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_download, "ANSWER_S", 0.2)
    with server(b"") as url:
        publish(url, file, monkeypatch)
        # exact: the name of a file or of a choice, or a file's bytes, not a number
        assert weights.with_weights(plan(tmp_path), lines).weights == "none"

    assert "127.0.0.1 sent nothing within" in lines.notes[-1] or "timed out" in lines.notes[-1]
    assert downloads(tmp_path) == []


@pytest.mark.usefixtures("published")
def test_a_name_whose_look_up_hangs_is_given_up(
    tmp_path: Path, file: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_download, "ANSWER_S", 0.2)
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait() and [])
    publish("http://weights.example.org/w.safetensors", file, monkeypatch)
    try:
        # exact: the name of a file or of a choice, or a file's bytes, not a number
        assert weights.with_weights(plan(tmp_path), lines).weights == "none"
    finally:
        released.set()

    assert "weights.example.org sent nothing within" in lines.notes[-1]


@pytest.mark.usefixtures("published")
def test_a_slow_download_is_given_up_and_leaves_no_file(
    tmp_path: Path, file: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sends 2 MB of 100 and then nothing."""
    monkeypatch.setattr(short_download, "WHOLE_S", 0.3)
    monkeypatch.setattr(short_download, "ANSWER_S", 5.0)
    with server(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + bytes(2 * 2**20)) as url:
        publish(url, file, monkeypatch)
        # exact: the name of a file or of a choice, or a file's bytes, not a number
        assert weights.with_weights(plan(tmp_path), lines).weights == "none"

    assert "127.0.0.1 sent 2 MB within" in lines.notes[-1]
    assert wait_until(lambda: not downloads(tmp_path))


@pytest.mark.usefixtures("published")
def test_a_failed_connection_is_named_in_the_words_of_the_system(
    tmp_path: Path, file: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(f"http://127.0.0.1:{free_port()}/weights.pth", file, monkeypatch)
    weights.with_weights(plan(tmp_path), lines)
    assert "could not be downloaded (127.0.0.1: Connection refused):" in lines.notes[-1]


@pytest.mark.usefixtures("published")
def test_none_is_no_question(tmp_path: Path, lines: Lines) -> None:
    # exact: the name of a file or of a choice, or a file's bytes, not a number
    assert weights.with_weights(plan(tmp_path, "none"), lines).weights == "none"
    assert lines.notes == []
    assert downloads(tmp_path) == []


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("asked", ["imagenet", None])
def test_imagenet_and_photos_of_ones_own_need_the_weights(
    tmp_path: Path, file: Path, lines: Lines, asked: str | None
) -> None:
    file.unlink()
    with pytest.raises(WeightsError, match="could not be downloaded"):
        weights.with_weights(plan(tmp_path, asked, data=None if asked else tmp_path), lines)


def test_a_file_must_exist(tmp_path: Path, lines: Lines) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        weights.with_weights(plan(tmp_path, str(tmp_path / "mine.safetensors")), lines)
