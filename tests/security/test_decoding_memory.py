"""Decoding takes no more memory than was reserved for it, for each kind of photo."""

import json
import subprocess
import sys

import pytest

from tests.security.forge import ANY_PHOTO, ATTACKS
from tests.security.make_attacks import all_attacks

ALLOWANCE = 6 * 2**20
"""Bytes for bands of rows, the decoder's tables, and the interpreter."""

MEASURE = """
import io, json, sys, time
from pathlib import Path
from PIL import Image
from inference.memory import return_large_blocks
from inference.photo.decode import decode
from inference.photo.limits import DECODING
from tests.builders import any_photo

return_large_blocks()
for format in ("JPEG", "PNG", "WEBP"):
    decode(any_photo(format=format), shorter_side=256)
held = []
hold = DECODING.hold
DECODING.hold = lambda size: held.append(size) or hold(size)

def resident(name):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(name))

def peak_of(work):
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    work()
    return resident("VmHWM") - before

photo = sys.stdin.buffer.read()
taken = peak_of(lambda: decode(photo, shorter_side=256))
before = time.process_time()
decode(photo, shorter_side=256)
seconds = time.process_time() - before
image = Image.open(io.BytesIO(photo))
pillow = peak_of(lambda: image.convert("RGB")) if image.width * image.height < 20_000_000 else 0  # else gigabytes
print(json.dumps([held[-1], taken, pillow, seconds]))
"""

LARGEST = [
    attack.name
    for attack in all_attacks()
    if attack.expected == (200,) and "larg" in attack.name and attack.content_type == ANY_PHOTO
]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can report and reset a process's peak")
@pytest.mark.parametrize("name", [*LARGEST, "png-longest-screenshot", "jpeg-of-as-many-scans-as-allowed"])
def test_a_photo_takes_the_memory_that_was_reserved_for_it(name: str) -> None:
    photo = ATTACKS[name].body()
    ran = subprocess.run([sys.executable, "-c", MEASURE], input=photo, capture_output=True, check=True)
    held, taken, pillow, seconds = json.loads(ran.stdout)

    print(
        f"{name}: reserved {held / 1e6:.0f} MB, took {taken / 1e6:.0f} and {seconds:.2f} s of a core; "
        f"Pillow's open and convert {pillow / 1e6:.0f} MB (0: not measured)"
    )
    assert taken < held + ALLOWANCE
    assert held < 1.5 * taken + ALLOWANCE  # and not much more is reserved than is taken
