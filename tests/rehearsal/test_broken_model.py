"""The model of the rehearsed rollback: it comes into service, and then fails."""

from pathlib import Path

import pytest

from inference.classifier import Classifier
from ops.rehearse.broken_model import write_broken
from tests.builders import any_photo, write_artifact


def test_it_passes_the_check_at_the_start_and_fails_for_a_photo_with_colours(tmp_path: Path) -> None:
    model = write_artifact(tmp_path / "model")
    broken = Classifier(write_broken(model, tmp_path / "broken"))

    grey = any_photo((120, 120, 120))
    assert [each.breed for each in broken.predict(grey)] == [each.breed for each in Classifier(model).predict(grey)]
    with pytest.raises(ArithmeticError, match="not finite"):
        broken.predict(any_photo((200, 40, 40)))


def test_it_is_another_model(tmp_path: Path) -> None:
    model = write_artifact(tmp_path / "model")
    broken = write_broken(model, tmp_path / "broken")
    assert Classifier(broken).model_id != Classifier(model).model_id
