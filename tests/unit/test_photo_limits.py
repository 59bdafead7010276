"""The limits on pixels: what cameras of today write is read, and a refusal names size, limit and remedy."""

import os
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from inference.memory import MemoryBudget
from inference.photo import limits
from inference.photo.decode import decode, decoded
from inference.photo.errors import PhotoError
from inference.photo.limits import MAX_PIXELS, PHOTO_BYTES, check, cost_of_webp, decode_on
from ops.data.check import check as data_check
from ops.data.split.same import look_at
from tests.builders import any_photo, encoded
from tests.patience import PATIENCE_S
from tests.png_forms import GREY, GREY_ALPHA, PALETTE, RGB, RGBA
from tests.security.forge import header, lossless_of, png, rows, whole_png, with_size
from training.config import Config
from training.data.dataset import DataError
from training.distributed import World
from training.signals import Stop
from training.train import fit

CAMERAS = {
    "a phone of 200 megapixels": (16320, 12240),
    "a phone of 108 megapixels": (12000, 9000),
    "a phone of 50 megapixels": (8192, 6144),
    "a phone of 48 megapixels": (8064, 6048),
    "a phone's panorama": (16382, 3628),
    "a drone of 100 megapixels": (12288, 8192),
    "a drone's sphere": (16384, 8192),
    "medium format of 100 megapixels": (11648, 8736),
    "medium format of 151 megapixels": (14204, 10652),
}
"""Width and height that they write, landscape. The sources are their data sheets."""


def turned(orientation: int) -> dict[str, Any]:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return {"exif": tags.tobytes()}


@pytest.mark.parametrize("size", CAMERAS.values(), ids=CAMERAS)
@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_photo_of_a_camera_of_today_is_decoded(size: tuple[int, int], subsampling: int) -> None:
    """The header has its size; libjpeg fills in the rows that are missing."""
    photo = with_size(any_photo(subsampling=subsampling, **turned(6)), *size)
    image = decode(photo, shorter_side=256)
    assert image.height > image.width
    assert min(image.size) >= 256


def test_a_file_that_is_larger_than_the_budget_is_decoded() -> None:
    """Training reads the files of cameras, which have up to 100 MB. The server takes no request of that size."""
    photo = any_photo() + bytes(PHOTO_BYTES)
    assert decode(photo, shorter_side=32).size == (60, 40)


@pytest.fixture
def budget(monkeypatch: pytest.MonkeyPatch) -> MemoryBudget:
    """A budget as the server has it, whatever another test of this process has made of the real one."""
    budget = MemoryBudget(PHOTO_BYTES)
    monkeypatch.setattr(limits, "DECODING", budget)
    return budget


@pytest.mark.parametrize("photo", [with_size(any_photo(), 4032, 3024), whole_png(1600, 1200, RGB)], ids=["JPEG", "PNG"])
def test_no_thread_of_a_training_waits_for_the_memory_of_another(budget: MemoryBudget, photo: bytes) -> None:
    """16 photos of a phone are in memory at the same time. Of the server's budget two have none left."""
    decode_on(16)
    all_at_once = threading.Barrier(16)

    def meet(_: int) -> int:
        with decoded(photo + bytes(4_000_000), shorter_side=256):
            return all_at_once.wait(PATIENCE_S)

    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(meet, range(16))) == list(range(16))


def train_on(folder: Path) -> None:
    with pytest.raises(DataError):  # it is empty
        fit(Config(data=folder, model_dir=folder), World(0, 1, torch.device("cpu")), Stop())


@pytest.mark.parametrize(
    "program", [train_on, data_check, lambda _: look_at([])], ids=["training", "data check", "data split"]
)
def test_what_reads_photos_on_all_cores_has_memory_for_them(
    budget: MemoryBudget, program: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(16), raising=False)
    program(tmp_path)
    assert budget.size == 8 * PHOTO_BYTES


def test_a_program_with_more_threads_reads_no_larger_photos(budget: MemoryBudget) -> None:
    """What training reads, serving reads as well."""
    decode_on(64)
    with pytest.raises(PhotoError, match="at most 12"):
        decode(whole_png(4200, 4000, RGB), shorter_side=256)


REFUSED = {
    "JPEG": (with_size(any_photo(), 16000, 15626), "16000 x 15626", "JPEG", 250),
    "progressive JPEG": (with_size(any_photo(progressive=True), 5001, 4000), "5001 x 4000", "progressive JPEG", 16),
    "progressive JPEG, colours at full size": (
        with_size(any_photo(progressive=True, subsampling=0), 4000, 3000),
        "4000 x 3000",
        "progressive JPEG",
        8,
    ),
    "PNG": (whole_png(4200, 4000, RGB), "4200 x 4000", "PNG of several channels", 12.5),
    "PNG with alpha": (whole_png(4200, 4000, RGBA), "4200 x 4000", "PNG of several channels", 12.5),
    "grey PNG with alpha": (whole_png(4200, 4000, GREY_ALPHA), "4200 x 4000", "PNG of several channels", 12.5),
    "PNG of one bit": (whole_png(4200, 4000, GREY, 1), "4200 x 4000", "PNG of one byte a pixel", 16),
    "PNG with a palette": (whole_png(4200, 4000, PALETTE), "4200 x 4000", "PNG of one byte a pixel", 16),
    "PNG of 16 bits": (whole_png(4000, 2001, GREY, 16), "4000 x 2001", "PNG of 16 bits a channel", 8),
    "WebP": (lossless_of(4000, 3000), "4000 x 3000", "WebP", 4.3),
    "the largest WebP": (lossless_of(16383, 16383), "16383 x 16383", "WebP", 4.3),
    "the largest JPEG": (with_size(any_photo(), 65500, 65500), "65500 x 65500", "JPEG", 250),
    "the largest PNG": (png(header(2**31 - 1, 2**31 - 1), rows(8, 8)), "2147483647 x", "PNG of several channels", 13),
}


@pytest.mark.parametrize(("photo", "size", "form", "megapixels"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_names_size_form_limit_and_remedy(photo: bytes, size: str, form: str, megapixels: float) -> None:
    with pytest.raises(PhotoError) as refused:
        decode(photo, shorter_side=256)

    assert refused.value.kind == "too_many_pixels"
    sentence = refused.value.message
    found = re.fullmatch(
        r"The photo has (\d+ x \d+) pixels, and a (.+) may have at most ([\d.]+) megapixels; scale it down(.*)\.",
        sentence,
    )
    assert found, sentence
    assert found[1].startswith(size)
    assert found[2].startswith(form)
    assert float(found[3]) == pytest.approx(megapixels, abs=0.4)
    assert bool(found[4]) == (form != "JPEG")


def test_the_limit_that_is_named_is_the_limit() -> None:
    cost = cost_of_webp((2000, 2000), 256)
    check((2000, 2150), cost, b"")
    with pytest.raises(PhotoError):
        check((2000, 2200), cost, b"")


def test_a_remedy_that_is_named_works() -> None:
    """A WebP or PNG over its limit is accepted as a baseline JPEG."""
    image = Image.new("RGB", (4000, 3000))
    with pytest.raises(PhotoError, match="or save it as a baseline JPEG of at most 250 megapixels"):
        decode(encoded(image, "WEBP", lossless=True, method=0), shorter_side=256)
    assert decode(encoded(image, "JPEG"), shorter_side=256).size == (1000, 750)
    assert MAX_PIXELS == 250_000_000
