"""Python's UTF-8 mode, for a program whose locale has another encoding.

With LC_ALL=C and PYTHONUTF8=0 Python keeps each byte of ü in a path as a lone surrogate. torch and OpenVINO are written
in C++ and take no such text: an export failed where the repository's own path had an ü. In UTF-8 mode, which is the
default from Python 3.15 on, paths are what they are in every other locale.
https://docs.python.org/3/library/os.html#python-utf-8-mode
"""

import os
import sys


def start_in_utf8_mode() -> None:
    """Start this program again in UTF-8 mode, unless paths are UTF-8 already. It keeps its process id.

    Call it first: what the program has done before is done twice. Programs that it starts are in UTF-8 mode too.
    """
    if sys.getfilesystemencoding() == "utf-8" or sys.flags.utf8_mode:
        return
    os.environ["PYTHONUTF8"] = "1"
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - the same program
