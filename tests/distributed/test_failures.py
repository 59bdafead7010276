"""A failure of one process soon ends all of them, and the log of the failed one has the root cause."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.distributed import ranks, work
from tests.distributed.dogs import settings, spoil, write_photos
from tests.distributed.small_network import write_weights
from tests.patience import wait_until
from training.config import Config


def run_hosts(folder: Path, configs: list[Config]) -> list[ranks.Ended]:
    """The whole program on hosts with different options."""
    started = ranks.start(on_host, configs, size=len(configs), folder=folder / "logs")
    return [rank.wait() for rank in started]


def on_host(configs: list[Config]) -> None:
    work.main(configs[int(os.environ["RANK"])])


def test_hosts_that_are_not_connected_are_refused(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    env = {"SM_HOSTS": json.dumps(["algo-1", "algo-2"])}
    (rank,) = ranks.start(work.main, settings(tmp_path), size=1, folder=tmp_path / "logs", env=env)
    end = rank.wait()

    assert end.status == 1
    assert "sagemaker_torch_distributed_enabled" in (tmp_path / "output" / "failure").read_text()
    assert "Traceback" not in end.log


@pytest.mark.parametrize("change", ["a photo is missing", "a photo has other bytes"])
def test_hosts_with_different_photos_all_fail(tmp_path: Path, change: str) -> None:
    write_photos(tmp_path / "photos")
    shutil.copytree(tmp_path / "photos", tmp_path / "others")
    photo = tmp_path / "others" / "train" / "Pug" / "0.jpg"
    if change == "a photo is missing":
        photo.unlink()
    else:
        photo.write_bytes(bytes(photo.stat().st_size))
    ends = run_hosts(tmp_path, [settings(tmp_path), settings(tmp_path, data=tmp_path / "others")])

    assert [end.status for end in ends] == [1, 1]
    assert all("do not see the same photos" in end.log and "Traceback" not in end.log for end in ends)


def test_a_photo_that_only_one_process_decodes_is_skipped_by_all(tmp_path: Path) -> None:
    """In frozen mode each process decodes its own part of the photos."""
    spoil(write_photos(tmp_path / "photos"), "train/Pug/0.jpg")
    write_weights(tmp_path / "weights.safetensors")
    configs = [settings(tmp_path), settings(tmp_path)]
    ends = [rank.wait() for rank in ranks.start(weights_on_host, configs, size=2, folder=tmp_path / "logs")]

    assert [end.status for end in ends] == [0, 0]
    assert "skipped=train/Pug/0.jpg" in ends[0].log
    assert "stage=photos skipped=1 used=35" in ends[0].log


def weights_on_host(configs: list[Config]) -> None:
    work.weights_of(configs[int(os.environ["RANK"])])


def test_each_host_reports_its_own_reason(tmp_path: Path) -> None:
    """The pretrained weights are missing on the second host; the first host only loses its peer."""
    write_photos(tmp_path / "photos")
    write_weights(tmp_path / "weights.safetensors")
    configs = [
        settings(tmp_path, output_dir=tmp_path / "1"),
        settings(tmp_path, output_dir=tmp_path / "2", pretrained=str(tmp_path / "gone.safetensors")),
    ]
    ends = run_hosts(tmp_path, configs)

    assert [end.status for end in ends] == [1, 1]
    peer, root_cause = ((tmp_path / name / "failure").read_text() for name in ("1", "2"))
    assert root_cause.startswith("The file of pretrained weights")
    assert peer.startswith("Another process is gone")
    assert peer.endswith(root_cause)
    assert "Traceback" not in ends[0].log + ends[1].log


def test_only_the_first_process_writes(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    places = [tmp_path / name for name in ("1", "2")]
    configs = [settings(tmp_path, model_dir=p / "model", checkpoint_dir=p / "checkpoints") for p in places]
    started = ranks.start(weights_on_host, configs, size=2, folder=tmp_path / "logs")
    ends = [rank.wait() for rank in started]

    assert [end.status for end in ends] == [0, 0]
    assert (places[0] / "model").is_dir()
    assert (places[0] / "checkpoints").is_dir()
    assert not places[1].exists()
    assert ends[1].log == ""


@pytest.mark.parametrize(("how", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_run_exits_with_a_sentence_and_a_checkpoint(tmp_path: Path, how: signal.Signals, status: int) -> None:
    write_photos(tmp_path / "photos")
    write_weights(tmp_path / "weights.safetensors")
    checkpoints = tmp_path / "checkpoints"
    config = settings(tmp_path, epochs=10_000, checkpoint_dir=checkpoints)
    (rank,) = ranks.start(work.main, config, size=1, folder=tmp_path / "logs")
    wait_for_checkpoint(checkpoints, rank)
    assert rank.process.pid is not None
    os.kill(rank.process.pid, how)
    end = rank.wait()

    assert end.status == status
    assert "the same command resumes from the last checkpoint" in end.log
    assert "Traceback" not in end.log
    assert any(checkpoints.glob("*/epoch-*.safetensors"))


def wait_for_checkpoint(folder: Path, rank: ranks.Rank) -> None:
    written = wait_until(lambda: any(folder.glob("*/epoch-*.safetensors")), running=rank.process.is_alive)
    assert written, rank.wait().log


def test_a_killed_process_ends_the_others(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    write_weights(tmp_path / "weights.safetensors")
    config = settings(tmp_path, epochs=10_000, checkpoint_dir=tmp_path / "checkpoints")
    first, second = ranks.start(work.main, config, size=2, folder=tmp_path / "logs")
    wait_for_checkpoint(tmp_path / "checkpoints", first)
    second.process.kill()

    assert first.wait().status == 1
    assert (tmp_path / "output" / "failure").read_text().startswith("Another process is gone")
    assert second.wait().status == -signal.SIGKILL


def test_a_split_without_a_usable_photo_fails_in_every_process(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", breeds=2, counts={"train": 4, "valid": 2, "test": 1})
    spoil(photos, "test/Beagle/0.jpg", "test/Collie/0.jpg")
    write_weights(tmp_path / "weights.safetensors")
    for mode in ("frozen", "full"):
        ends = run_hosts(tmp_path, [settings(tmp_path, mode=mode)] * 2)
        assert [end.status for end in ends] == [1, 1]
        assert all("No photo in test/ can be decoded" in end.log and "Traceback" not in end.log for end in ends)
        assert ends[0].log.count("skipped=test/") == 2
