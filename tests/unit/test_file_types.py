"""The table of file types: what the first bytes say, for the files that people take for photos."""

import io
import zipfile

import pytest
from PIL import Image

from inference.photo.decode import FORMATS, decode
from inference.photo.errors import PhotoError
from inference.photo.file_types import HEAD_BYTES, file_type, media_type, refusal
from lambda_fn.errors import ServiceError
from lambda_fn.photo import Photo
from tests.builders import any_photo


def saved(format: str) -> bytes:
    """A small picture that Pillow wrote."""
    content = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(content, format)
    return content.getvalue()


def boxes(brand: str, *others: str) -> bytes:
    """The first box of a HEIC, an AVIF or a video, and the start of the next one."""
    brands = brand.encode() + b"\0\0\0\0" + b"".join(other.encode() for other in others)
    return (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands + b"\0\0\x01\x00meta" + bytes(20)


def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("dog.jpg", any_photo())
    return content.getvalue()


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 12345\n"
ERROR_OF_S3 = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>'
SVG = b'<?xml version="1.0"?>\n<!-- made by hand -->\n<svg xmlns="http://www.w3.org/2000/svg"></svg>'

OTHER_FILES = [
    ("GIF", saved("GIF"), "save it as PNG or JPEG"),
    ("BMP", saved("BMP"), "save it as PNG or JPEG"),
    ("TIFF", saved("TIFF"), "export it as JPEG"),
    ("TIFF", b"MM\0*\0\0\0\x08" + bytes(30), "camera's raw photo"),
    ("TIFF", b"II+\0\x08\0\0\0" + bytes(30), "export it as JPEG"),
    ("AVIF", saved("AVIF"), "export it as JPEG"),
    ("AVIF", boxes("avis", "msf1"), "export it as JPEG"),
    ("AVIF", boxes("mif1", "miaf", "avif"), "export it as JPEG"),
    ("HEIC", boxes("heic", "mif1", "heic"), "phones save; export it as JPEG"),
    ("HEIC", boxes("mif1", "heic", "hevc"), "export it as JPEG"),
    ("HEIC", boxes("heix", "mif1"), "export it as JPEG"),
    ("HEIF", boxes("mif1", "miaf"), "export it as JPEG"),
    ("JPEG XL", b"\xff\x0a\xfa\x1f" + bytes(30), "export it as JPEG"),
    ("JPEG XL", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(30), "export it as JPEG"),
    ("JPEG 2000", saved("JPEG2000"), "export it as JPEG"),
    ("JPEG 2000", b"\xff\x4f\xff\x51\0\x2f" + bytes(30), "export it as JPEG"),
    ("camera raw", b"II*\0\x10\0\0\0CR\x02\0" + bytes(30), "export it as JPEG"),
    ("camera raw", boxes("crx ", "isom"), "export it as JPEG"),
    ("camera raw", b"FUJIFILMCCD-RAW 0201" + bytes(30), "export it as JPEG"),
    ("PSD", b"8BPS\0\x01" + bytes(30), "export it as JPEG"),
    ("ICO", saved("ICO"), "use a photo"),
    ("SVG", SVG, "export it as PNG"),
    ("SVG", b"<svg width='8'>", "export it as PNG"),
    ("PDF", saved("PDF"), "export its picture"),
    ("video", boxes("isom", "iso2", "avc1", "mp41"), "save one of its pictures"),
    ("video", boxes("qt  "), "save one of its pictures"),
    ("video", b"\0\0\0\x08wide\0\0\x10\0mdat" + bytes(30), "save one of its pictures"),
    ("video", b"RIFF\x24\0\0\0AVI LIST" + bytes(30), "save one of its pictures"),
    ("archive", zipped(), "unpack it"),
    ("HTML", b"\xef\xbb\xbf\n<!DOCTYPE html><title>404 Not Found</title>", "download the photo itself"),
    ("HTML", b"<HTML><body>Forbidden</body></HTML>", "download the photo itself"),
    ("XML", ERROR_OF_S3, "download the photo again"),
    ("JSON", b'{"message": "Forbidden"}', "download the photo again"),
    ("Git LFS pointer", POINTER, "git lfs pull"),
    ("git-annex pointer", b"/annex/objects/SHA256E-s123--4d7a.jpg\n", "git annex get"),
    ("text", b"Not found\n", "open it"),
    ("text", "Größe: 12 €\n".encode() * 400, "open it"),
    ("AppleDouble", b"\0\x05\x16\x07\0\x02\0\0Mac OS X" + bytes(30), "without ._"),
    ("empty", b"", "0 bytes"),
    ("zero bytes", bytes(9000), "not completed; copy or download"),
    ("cut off", b"\xff\xd8", "copy or download the photo again"),
    ("cut off", b"\x89PNG\r\n", "copy or download the photo again"),
    ("cut off", b"RIFF\x10\0", "copy or download the photo again"),
    ("unknown", saved("TGA"), "save the photo as JPEG, PNG or WebP"),
    ("unknown", b"BM" + b"\x99" * 40, "save the photo as JPEG, PNG or WebP"),
]


@pytest.mark.parametrize(("name", "content", "remedy"), OTHER_FILES)
def test_each_type_is_named_with_its_remedy(name: str, content: bytes, remedy: str) -> None:
    found = file_type(content)

    assert found.name == name
    assert not found.is_decoded
    assert found.remedy
    assert remedy in refusal(content)
    assert refusal(content).startswith("The file is ")


@pytest.mark.parametrize("format", FORMATS)
def test_each_type_that_is_decoded_is_recognised_by_its_content(format: str) -> None:
    found = file_type(any_photo(format=format))

    assert (found.is_decoded, found.media_type) == (True, f"image/{format.lower()}")
    assert found.name.upper() == format


def test_no_other_type_has_a_media_type() -> None:
    assert {media_type(content) for _, content, _ in OTHER_FILES} == {""}


@pytest.mark.parametrize(("name", "content", "remedy"), [each for each in OTHER_FILES if each[1]])
def test_the_function_and_decoding_give_the_same_cause(name: str, content: bytes, remedy: str) -> None:
    with pytest.raises(ServiceError) as of_function:
        Photo.of(content)
    with pytest.raises(PhotoError) as of_decoding:
        decode(content, shorter_side=8)

    assert of_function.value.message == of_decoding.value.message == refusal(content)
    assert remedy in refusal(content)


def test_the_first_bytes_are_enough() -> None:
    for name, content, _ in OTHER_FILES:
        assert file_type(content[:HEAD_BYTES]).name == name


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_kind_of_buffer_is_recognised(kind: type) -> None:
    assert file_type(kind(any_photo(format="PNG"))).name == "PNG"
