"""Hostile bodies that are not a JPEG, PNG or WebP, or that are declared as something else."""

import pickle

from tests.security.forge import FULL, attack, photo


class _Trap:
    """When it is unpickled, it creates a folder that a test looks for."""

    def __reduce__(self) -> tuple[object, ...]:
        import os

        return (os.mkdir, ("sprung-by-a-pickle",))


@attack("pickle-as-npy", 415, content_type="application/x-npy")
def _npy() -> bytes:
    """What AWS's toolkit unpickles: an array file of objects."""
    return b"\x93NUMPY\1\0\x46\0{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(80) + pickle.dumps(
        _Trap()
    )


@attack("pickle-as-photo", 415)
def _pickle() -> bytes:
    """A pickle declared as a photo."""
    return pickle.dumps(_Trap())


@attack("pickle-as-pickle", 415, content_type="application/python-pickle")
def _honest() -> bytes:
    """A pickle declared as a pickle."""
    return pickle.dumps(_Trap())


@attack("svg", 415)
def _svg() -> bytes:
    """A drawing that refers to a file of the machine."""
    return b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>"


@attack("xml-of-a-billion-laughs", 415, content_type="image/svg+xml")
def _laughs() -> bytes:
    """Entities that expand exponentially."""
    return b"<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]><svg>&b;</svg>"


@attack("postscript", 415)
def _postscript() -> bytes:
    """A program; Pillow's plugin for it starts Ghostscript."""
    return b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch sprung) (w) file\n"


@attack("gif-of-many-pixels", 415)
def _gif() -> bytes:
    """65,535 x 65,535 pixels in a format that is not accepted."""
    return b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(9)


@attack("tiff", 415)
def _tiff() -> bytes:
    """A format whose decoders have had many vulnerabilities."""
    return photo("TIFF")


@attack("jpeg-2000", 415)
def _jpeg_2000() -> bytes:
    """Another such format."""
    return photo("JPEG2000")


@attack("nothing", 400)
def _nothing() -> bytes:
    """No bytes."""
    return b""


@attack("zeros", 415)
def _zeros() -> bytes:
    """6 MB of zeros."""
    return bytes(FULL)


@attack("photo-larger-than-the-limit", 413)
def _large() -> bytes:
    """A valid photo with so many bytes after it that the body is too large."""
    return photo("JPEG") + bytes(FULL + 50_000)


@attack("photo-declared-as-text", 200, content_type="text/plain")
def _text() -> bytes:
    """A valid photo with another content type."""
    return photo("JPEG")


@attack("photo-with-two-content-types", 200, content_type="image/jpeg, text/html")
def _type() -> bytes:
    """A content type that is a list of two."""
    return photo("JPEG")


@attack("archive-as-photo", 415)
def _archive() -> bytes:
    """A zip archive."""
    return b"PK\x05\x06" + bytes(18)
