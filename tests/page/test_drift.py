"""The page of `kennel drift` in a real Chromium: it loads nothing, and is readable on a desk and on a phone."""

import platform
import sys
from pathlib import Path

import pytest

from inference.drift.__main__ import main
from tests.drift.calls import artifact, captured, photo
from tests.page.browser import in_chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        (sys.platform, platform.machine()) != ("linux", "x86_64"),
        reason="npm's package of Chromium is for Linux on x86-64",
    ),
]


def test_the_page_loads_nothing_and_is_readable_in_both_colour_schemes(tmp_path: Path) -> None:
    classifier = artifact(tmp_path / "model", [photo(seed) for seed in range(1000, 1100)])
    calls = captured(tmp_path / "calls", classifier, [photo(seed, light=0.5) for seed in range(60)])
    assert main(["--captured", str(calls), "--model", str(tmp_path / "model"), "--out", str(tmp_path)]) == 0

    ended = in_chromium("drift.mjs", PAGE=tmp_path / "drift.html")
    assert ended.returncode == 0, ended.stderr
