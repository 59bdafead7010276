"""Screenshots of the page with drawn dogs and the model of the last rehearsal. Look at them after a change of the page.

python -m tests.page.screenshots        # build/page/*.png, and docs/page.webp, which README shows

It needs a rehearsal's folder, which `make rehearse` makes; --rehearsal names another than build/rehearsal.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.page.browser import REPOSITORY, in_chromium
from tests.page.servers import serving

PICTURES = REPOSITORY / "build" / "page"
README = "readme.png"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rehearsal", type=Path, default=Path("build/rehearsal"))
    rehearsal: Path = options.parse_args().rehearsal.resolve()
    model, dogs = rehearsal / "job" / "model", rehearsal / "photos" / "test"
    if not model.is_dir() or not dogs.is_dir():
        print(f"There is no {model} or no {dogs}. Run make rehearse first, or name its folder: --rehearsal DIR.")
        return 1
    shutil.rmtree(PICTURES, ignore_errors=True)  # pictures of a page that was
    PICTURES.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photos(dogs, folder)
        with serving(model, folder) as servers:
            ran = in_chromium(
                "screenshots.mjs",
                ADDRESS=servers.address,
                HELD=servers.held,
                HOLD=servers.hold,
                PHOTOS=folder,
                PICTURES=PICTURES,
            )
    if ran.returncode:
        print(ran.stderr)
        return 1
    with Image.open(PICTURES / README) as picture:
        picture.save(REPOSITORY / "docs" / "page.webp", quality=85, method=6)
    print(*sorted(map(str, PICTURES.glob("*.png"))), "docs/page.webp", sep="\n")
    return 0


def write_photos(dogs: Path, folder: Path) -> None:
    """The drawn dogs, one as PNG and one as a phone's photo, and files that are refused."""
    for breed, number in (("Beagle", 1), ("Dalmatian", 2), ("Siberian_husky", 1), ("Border_collie", 2)):
        photo = f"{breed}_{number:05}.jpg"
        (folder / photo).write_bytes((dogs / breed / photo).read_bytes())
    beagle = Image.open(folder / "Beagle_00001.jpg")
    beagle.save(folder / "beagle.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    turned = beagle.resize((3024, 4032)).transpose(Image.Transpose.ROTATE_90)
    turned.save(folder / "a-name-that-is-far-longer-than-a-phone-is-wide-and-has-no-space.jpg", quality=97, exif=exif)
    (folder / "cut-off.jpg").write_bytes((folder / "Dalmatian_00002.jpg").read_bytes()[:9000])
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))
    (folder / "notes.txt").write_text("A beagle, a collie and a boxer.\n" * 20)


if __name__ == "__main__":
    sys.exit(main())
