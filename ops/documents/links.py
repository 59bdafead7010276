"""The addresses of other hosts in the documents and in the sources, one a line: python -m ops.documents.links

`make links` gives them to LinkChecker. In which file one is: git grep -F ADDRESS
"""

import re
import subprocess
from collections.abc import Iterator
from urllib.parse import urlsplit

from contract.utf8_mode import start_in_utf8_mode
from ops.documents.pages import ROOT
from ops.echo import echo

FILES = ("*.md", "*.py", "*.toml", "*.yml", "*.mjs", "*.html", "*.sh", "Makefile", ":!tests")
"""For git. The tests have addresses that lead nowhere on purpose."""

ADDRESS = re.compile(r"""https://[^\s"'`<>\\]+""")
_PLACEHOLDERS = frozenset("{}%*$[]|^")
_RESERVED = re.compile(r"(?:.*\.)?(?:example(?:\.(?:com|net|org))?|localhost|test|invalid|local)")
"""Names that lead to no host: https://www.rfc-editor.org/rfc/rfc2606"""


def addresses(text: str) -> Iterator[str]:
    """Each address of another host in a text, without what ends the sentence around it."""
    for found in ADDRESS.findall(text):
        address = re.sub(r"(?:\)?[.,;:!?]|\)\W*)+$", "", found) if "(" not in found else found.rstrip(".,;:!?")
        host = urlsplit(re.sub(r"[\[\]]", "", address)).hostname or ""
        if (
            "..." in found
            or "OWNER/" in found
            or _PLACEHOLDERS & set(address)
            or "." not in host.strip(".")
            or _RESERVED.fullmatch(host)
        ):
            continue
        if not re.fullmatch(r"[\d.]+", host):
            yield address.partition("#")[0]


def every_address() -> list[str]:
    """Those of the files that git has, each once, in alphabetical order."""
    listed = subprocess.run(["git", "ls-files", "-z", *FILES], cwd=ROOT, capture_output=True, text=True, check=True)
    names = [name for name in listed.stdout.split("\0") if name]
    return sorted({address for name in names for address in addresses((ROOT / name).read_text(encoding="utf-8"))})


if __name__ == "__main__":
    start_in_utf8_mode()
    echo("\n".join(every_address()))
