"""The contact sheet: a grid of predictions. Frames are green for correct and red for wrong predictions."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from ops.views.contact_sheet import MOST_CELLS, RIGHT, WRONG, Answer, contact_sheet


def any_photo(width: int = 80, height: int = 60) -> bytes:
    jpeg = BytesIO()
    Image.new("RGB", (width, height), (120, 140, 160)).save(jpeg, "JPEG")
    return jpeg.getvalue()


def any_answer(*, right: bool = True, photo: bytes | Path | None = None) -> Answer:
    predictions = [("Beagle", 0.9), ("Pug", 0.08), ("Golden_retriever", 0.02)]
    return Answer(
        photo=any_photo() if photo is None else photo,
        true_label="Beagle" if right else "Samoyed",
        predictions=predictions,
        milliseconds=31.4,
    )


def sheet_of(answers: list[Answer], folder: Path, *, title: str = "Rehearsal") -> Image.Image:
    contact_sheet(answers, folder / "sheet.png", title=title)
    with Image.open(folder / "sheet.png") as sheet:
        assert sheet.format == "PNG"
        return sheet.convert("RGB")


def colours_of(sheet: Image.Image) -> set[tuple[int, int, int]]:
    """The colours in the grid. The header is excluded: it has its own bar in red and green."""
    grid = sheet.crop((0, 108, *sheet.size))
    return {grid.getpixel((x, y)) for x in range(0, grid.width, 2) for y in range(0, grid.height, 2)}  # type: ignore[misc]


def test_a_correct_prediction_has_a_green_frame(tmp_path: Path) -> None:
    colours = colours_of(sheet_of([any_answer()], tmp_path))
    assert RIGHT in colours
    assert WRONG not in colours


def test_a_wrong_prediction_has_a_red_frame(tmp_path: Path) -> None:
    colours = colours_of(sheet_of([any_answer(right=False)], tmp_path))
    assert WRONG in colours
    assert RIGHT not in colours


@pytest.mark.parametrize("number", [1, 2, 7, 24, 60])
def test_the_sheet_is_at_most_1600_pixels_wide(tmp_path: Path, number: int) -> None:
    assert sheet_of([any_answer()] * number, tmp_path).width <= 1600


def test_the_sheet_grows_by_rows(tmp_path: Path) -> None:
    three, four = sheet_of([any_answer()] * 3, tmp_path), sheet_of([any_answer()] * 4, tmp_path)
    assert three.width == four.width
    assert three.height < four.height


def test_more_predictions_than_cells_do_not_enlarge_the_sheet(tmp_path: Path) -> None:
    full = sheet_of([any_answer()] * MOST_CELLS, tmp_path)
    assert sheet_of([any_answer()] * (MOST_CELLS + 25), tmp_path).size == full.size


def test_a_wrong_prediction_is_shown_even_if_not_all_fit(tmp_path: Path) -> None:
    answers = [any_answer()] * (3 * MOST_CELLS)
    answers[101] = any_answer(right=False)
    assert WRONG in colours_of(sheet_of(answers, tmp_path))


@pytest.mark.parametrize(("width", "height"), [(400, 20), (20, 400), (1, 1), (300, 300)])
def test_photos_of_any_shape_fit_their_cell(tmp_path: Path, width: int, height: int) -> None:
    square = sheet_of([any_answer()], tmp_path)
    assert sheet_of([any_answer(photo=any_photo(width, height))], tmp_path).size == square.size


def test_a_photo_can_be_given_as_a_path(tmp_path: Path) -> None:
    (tmp_path / "dog.jpg").write_bytes(any_photo())
    by_path = sheet_of([any_answer(photo=tmp_path / "dog.jpg")], tmp_path)
    # exact: one program draws the same picture twice, in whole numbers
    assert by_path.tobytes() == sheet_of([any_answer()], tmp_path).tobytes()


@pytest.mark.parametrize("photo", [b"", b"no picture", any_photo()[:200], Path("gone.jpg")])
def test_an_unreadable_photo_still_has_a_cell(tmp_path: Path, photo: bytes | Path) -> None:
    assert WRONG in colours_of(sheet_of([any_answer(right=False, photo=photo)], tmp_path))


def test_an_empty_list_of_predictions_counts_as_wrong(tmp_path: Path) -> None:
    empty = Answer(photo=any_photo(), true_label="Beagle", predictions=[], milliseconds=3.0)
    assert WRONG in colours_of(sheet_of([empty], tmp_path))


def test_long_titles_and_names_are_truncated(tmp_path: Path) -> None:
    long = Answer(
        photo=any_photo(),
        true_label="Nova_scotia_duck_tolling_retriever_of_the_north",
        predictions=[("Nova_scotia_duck_tolling_retriever_of_the_south", 1.0)],
        milliseconds=12345.6,
    )
    assert sheet_of([long], tmp_path, title="A title " * 40).width <= 1600


def test_a_sheet_without_predictions_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="classify at least one photo first"):
        contact_sheet([], tmp_path / "sheet.png", title="Rehearsal")
    assert not list(tmp_path.iterdir())


def test_an_interrupted_sheet_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_self: Path, target: Path) -> None:
        raise KeyboardInterrupt(target)

    (tmp_path / "sheet.png").write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        contact_sheet([any_answer()], tmp_path / "sheet.png", title="Rehearsal")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]
