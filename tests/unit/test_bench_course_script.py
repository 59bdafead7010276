"""The course's script, the reference of a benchmark, trains its head on `train`."""

import sys
from pathlib import Path

import pytest
from PIL import ImageFile

from benchmarks import course_script
from tests.distributed import work
from tests.distributed.dogs import write_photos
from tests.distributed.small_network import SMALL, write_weights


def test_the_course_script_lowers_its_loss(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)  # restored after the test
    photos = write_photos(tmp_path / "photos", counts={"train": 4, "valid": 1, "test": 1})
    weights = write_weights(tmp_path / "weights.safetensors")
    arguments = ["--data", str(photos), "--pretrained", str(weights), "--epochs", "3", "--batch-size", "4"]
    monkeypatch.setattr(sys, "argv", ["course_script", *arguments])
    course_script.main(SMALL)

    epochs = work.lines(capsys.readouterr().out, "epoch=")
    losses, seconds = ([float(epoch[name]) for epoch in epochs] for name in ("train_loss", "elapsed_s"))
    assert len(epochs) == 3
    assert losses[-1] < losses[0]
    # exact: both sides are the same numbers, in two orders
    assert seconds == sorted(seconds)
