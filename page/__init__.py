"""The page for people: photos in, breeds out. One file, and the headers with which every server of it sends it.

`kennel serve` and the Lambda function send it. The page posts each photo to `predict` beside its own address. Only the
standard library is imported, because the function's package has nothing else.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("index.html")

_INLINE = r"<{tag}>(.*?)</{tag}>"


@cache
def page() -> tuple[str, Mapping[str, str]]:
    """The page's HTML and the headers of the response.

    Its policy allows exactly the style and the script of the file, by their hashes, and requests to its own address:
    what a breed, a file name or an error contains is never run, even if the script wrote it into the page as HTML.
    """
    html = FILE.read_text(encoding="utf-8")
    policy = {
        "default-src": "'none'",
        "script-src": _hash(html, "script"),
        "style-src": _hash(html, "style"),
        "img-src": "blob: data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return html, {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in policy.items()),
        "Cache-Control": "no-cache",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def _hash(html: str, tag: str) -> str:
    """The source of the policy that allows the one element `tag`."""
    (text,) = re.findall(_INLINE.format(tag=tag), html, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
