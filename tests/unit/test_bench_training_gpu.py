"""The GPU benchmark's loops on a CPU, and its message without a GPU."""

from pathlib import Path

import pytest
import torch

from benchmarks import photo_loading, training_gpu
from tests.distributed.dogs import write_photos
from tests.distributed.small_network import SMALL


def test_without_a_gpu_it_prints_that_nothing_was_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert training_gpu.main([]) == 0
    assert "no GPU" in capsys.readouterr().out


def test_both_pairs_print_a_rate_for_photos_and_for_synthetic_tensors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = str(write_photos(tmp_path))
    small = ["--image-size", "32", "--batch-size", "6", "--steps", "2", "--rounds", "1", "--photos", "30"]
    assert training_gpu.main(["--device", "cpu", "--data", photos, *small], backbone=SMALL) == 0
    processor, *lines = capsys.readouterr().out.splitlines()
    assert processor.startswith("processor: ")
    kinds = [(line.split()[0], line.split()[6]) for line in lines]
    assert kinds == [(name, kind) for name in ("fine-tuning", "features") for kind in ("threads", "processes")]
    assert all(float(line.split()[1]) > 0 for line in lines)


def test_the_photos_that_reach_a_consumer_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = str(write_photos(tmp_path, counts={"train": 30, "valid": 1, "test": 1}))
    arguments = ["--data", photos, "--image-size", "32", "--photos", "130", "--rounds", "1", "--probe-s", "0.1"]
    assert photo_loading.main(arguments) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    workers = photo_loading.workers_to_try()
    expected = [
        [name, str(count), kind]
        for name in ("decode", "crop")
        for kind in ("threads", "processes")
        for count in workers
    ]
    assert [line[:3] for line in lines[2:]] == expected
    assert [line[0] for line in lines[:2]] == ["decode", "crop"]
    assert all(float(line[3]) > 0 for line in lines[2:])
