"""The GPU benchmark's loops on a CPU, and its message without a GPU."""

from pathlib import Path

import pytest
import torch

from benchmarks import training_gpu
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
    small = ["--image-size", "32", "--batch-size", "6", "--steps", "2", "--rounds", "1"]
    assert training_gpu.main(["--device", "cpu", "--data", photos, *small], backbone=SMALL) == 0
    processor, *lines = capsys.readouterr().out.splitlines()
    assert processor.startswith("processor: ")
    assert [line.split()[0] for line in lines] == ["fine-tuning", "features"]
    assert all(float(word) > 0 for line in lines for word in line.split()[1::5][:1])
