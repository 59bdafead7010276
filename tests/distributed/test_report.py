"""The report of a run that was interrupted and resumed."""

from dataclasses import replace
from pathlib import Path

from inference import artifact
from tests.distributed import ranks, work
from tests.distributed.dogs import cut_off, settings, write_photos
from tests.distributed.small_network import write_weights


def test_a_resumed_run_reports_all_epochs_and_the_truncated_photos(tmp_path: Path) -> None:
    cut_off(write_photos(tmp_path / "photos", breeds=2), "train/Beagle/1.jpg", kept=0.9)
    write_weights(tmp_path / "weights.safetensors")
    config = settings(tmp_path, epochs=4, checkpoint_dir=tmp_path / "checkpoints", report_dir=tmp_path / "report")
    ranks.run(work.weights_of, config, size=1, folder=tmp_path / "ended")  # it ends before the export
    ranks.run(work.main, config, size=1, folder=tmp_path / "resumed")
    log = (tmp_path / "resumed" / "rank-0.log").read_text()
    page = (tmp_path / "report" / "index.html").read_text()
    training = artifact.load(config.model_dir).manifest.training

    assert "stage=resume epoch=4" in log
    assert "loss over 4 epochs" in page
    metrics = {"epoch", "train_loss", "valid_loss", "valid_accuracy", "valid_loss_calibrated"}
    # exact: these are the names of the metrics, and below the numbers of the epochs
    assert [epoch.keys() for epoch in training["history"]] == [metrics] * 4
    assert [epoch["epoch"] for epoch in training["history"]] == [1, 2, 3, 4]
    assert training["truncated"].keys() == {"train/Beagle/1.jpg"}
    assert "train/Beagle/1.jpg" in page
    assert "truncated=train/Beagle/1.jpg" in log


def test_a_report_that_cannot_be_written_does_not_fail_the_run(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", breeds=2)
    write_weights(tmp_path / "weights.safetensors")
    (tmp_path / "file").write_text("x")
    config = replace(settings(tmp_path, epochs=1), report_dir=tmp_path / "file")
    ranks.run(work.main, config, size=1, folder=tmp_path / "run")

    assert "stage=report failed=" in (tmp_path / "run" / "rank-0.log").read_text()
    assert artifact.load(config.model_dir).labels == ("Beagle", "Collie")


def test_training_continues_from_the_artifact_of_another_run(tmp_path: Path) -> None:
    """model.safetensors contains the head, so the new run starts with the accuracy of the old one."""
    write_photos(tmp_path / "photos", breeds=3)
    write_weights(tmp_path / "weights.safetensors")
    config = settings(tmp_path, epochs=20, learning_rate=0.01)
    ranks.run(work.main, config, size=1, folder=tmp_path / "first")
    reached = float(work.lines((tmp_path / "first" / "rank-0.log").read_text(), "epoch=20 of")[0]["train_loss"])
    losses = {}
    for name, weights in (("fresh", config.pretrained), ("artifact", str(tmp_path / "model" / "model.safetensors"))):
        again = replace(config, pretrained=weights, epochs=1, learning_rate=1e-6, model_dir=tmp_path / name)
        ranks.run(work.weights_of, again, size=2, folder=tmp_path / f"{name}-logs")
        log = (tmp_path / f"{name}-logs" / "rank-0.log").read_text()
        assert log.count("stage=weights head=") == 1
        assert ('head="kept' in log) == (name == "artifact")
        assert "head=" not in (tmp_path / f"{name}-logs" / "rank-1.log").read_text()
        losses[name] = float(work.lines(log, "epoch=1 of")[0]["train_loss"])

    assert losses["artifact"] < reached + 0.05
    assert losses["fresh"] > reached + 0.2
