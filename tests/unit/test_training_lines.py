"""The progress bar reads the lines that a training job prints."""

from ops.views.training_log import TrainingLines, fields_of
from training import log


def test_a_line_of_the_job_is_read_back_field_by_field() -> None:
    line = log.line(epoch=3, valid_accuracy=0.91, reason="cut off, try again")

    assert fields_of(line) == {"epoch": "3", "valid_accuracy": "0.9100", "reason": "cut off, try again"}


def test_an_epoch_moves_the_bar_and_is_described() -> None:
    moves: list[tuple[int, int, str]] = []
    lines = TrainingLines(lambda *move: moves.append(move))

    lines(log.line(epoch=3, of=15, train_loss=1.0, valid_loss=0.5, valid_accuracy=0.9625, elapsed_s=12.0))

    assert moves == [(3, 15, "epoch 3 of 15: 96% of the validation photos right")]


def test_features_move_the_bar_by_photos() -> None:
    moves: list[tuple[int, int, str]] = []
    lines = TrainingLines(lambda *move: moves.append(move))

    lines(log.line(stage="features", split="train", done=64, total=400))

    assert moves == [(64, 400, "features of the train photos")]


def test_the_last_line_and_the_skipped_and_truncated_photos_are_kept() -> None:
    lines = TrainingLines(lambda *_: None)

    lines(log.line(skipped="train/Pug/a b.jpg", reason="The photo has no bytes."))
    lines(log.line(truncated="train/Pug/1.jpg", note="80% of the photo is present, and is used for training."))
    lines(log.line(epoch=9, test_accuracy=0.95, served_test_accuracy=0.94, precision="int8", model="abc"))

    lines(log.line(stage="photos", skipped=1, used=35, not_read=".gif:12 .heic:3"))

    assert lines.not_read == ".gif:12 .heic:3"
    assert lines.skipped == {"train/Pug/a b.jpg": "The photo has no bytes."}
    assert lines.truncated == {"train/Pug/1.jpg": "80% of the photo is present, and is used for training."}
    assert lines.final["served_test_accuracy"] == "0.9400"


def test_lines_of_other_programs_are_ignored() -> None:
    moves: list[object] = []
    lines = TrainingLines(lambda *move: moves.append(move))

    for line in ("", "UserWarning: the epoch is late", "loss=1 of=2", "stage=start mode=full"):
        lines(line)

    assert not moves
    assert not lines.final
