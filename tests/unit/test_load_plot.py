"""The picture of a load: bars for the calls, lines for the instances."""

from pathlib import Path

import pytest
from PIL import Image

from ops.views.contact_sheet import RIGHT, WRONG
from ops.views.load_plot import CALLS, DESIRED, THRESHOLD, FleetLook, LoadMinute, LoadRun, load_plot

COUNTS = [1, 1, 1, 3, 3, 3, 1, 1]


def a_run(*, failed: int = 0, calls: int = 60) -> LoadRun:
    looks = [FleetLook(float(minute), 3 if minute == 2 else count, count) for minute, count in enumerate(COUNTS)]
    minutes = [LoadMinute(calls - failed, failed) for _ in COUNTS]
    return LoadRun(minutes=minutes, looks=looks, target=25, kind="real", axis="Minutes")


def drawn(run: LoadRun, folder: Path) -> set[object]:
    load_plot(run, folder / "load.png", title="Load")
    with Image.open(folder / "load.png") as image:
        assert image.format == "PNG"
        colours = image.convert("RGB").getcolors(1 << 24)
    assert colours is not None
    return {colour for _, colour in colours}


def test_the_picture_has_a_colour_for_each_kind_of_line(tmp_path: Path) -> None:
    assert {CALLS, RIGHT, DESIRED, THRESHOLD} <= drawn(a_run(), tmp_path)


def test_failed_calls_are_red_and_only_then_is_there_red(tmp_path: Path) -> None:
    assert WRONG in drawn(a_run(failed=3), tmp_path)
    assert WRONG not in drawn(a_run(), tmp_path)


@pytest.mark.parametrize("calls", [0, 1, 7, 100_000])
def test_any_number_of_calls_can_be_drawn(tmp_path: Path, calls: int) -> None:
    drawn(a_run(calls=calls), tmp_path)


def test_the_numbers_of_instances_are_named_one_after_the_other() -> None:
    assert a_run().counts == [1, 3, 1]


def test_without_a_minute_there_is_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="measure at least one"):
        load_plot(
            LoadRun(minutes=[], looks=[], target=25, kind="real", axis="Minutes"), tmp_path / "load.png", title="Load"
        )
