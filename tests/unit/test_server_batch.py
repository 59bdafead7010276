"""A batch is scanned as JSON would be parsed, and takes no memory beyond its body."""

import base64
import json
import tracemalloc
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inference.server.batch import MAX_PHOTOS, EncodedPhoto, photos
from inference.server.errors import RequestError
from tests.security.batch_attacks import JSON
from tests.security.forge import Attack
from tests.security.make_attacks import all_attacks

ATTACKS = [attack for attack in all_attacks() if attack.content_type == JSON]

SMALL = 100_000
"""Bytes for 32 slices, an error and a part of a string that is unescaped."""


def decoded(found: list[EncodedPhoto]) -> list[bytes | None]:
    """The photos, or None for each that is not base64."""

    def of(photo: EncodedPhoto) -> bytes | None:
        with suppress(RequestError):
            return photo.decode()
        return None

    return [of(photo) for photo in found]


def parsed(body: bytes) -> list[bytes | None]:
    """The same by Python's parser. Raises ValueError for what is not a batch."""

    def unique(members: list[tuple[str, object]]) -> dict[str, object]:
        if len(members) != 1:
            raise ValueError("another number of keys than one")
        return dict(members)

    def of(image: str) -> bytes | None:
        with suppress(ValueError):
            return base64.b64decode(image, validate=True)
        return None

    document = json.loads(body, object_pairs_hook=unique)
    images = document.get("images") if isinstance(document, dict) else None
    if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
        raise ValueError("no list of images")
    if not 1 <= len(images) <= MAX_PHOTOS:
        raise ValueError("no photos, or too many")
    return [of(image) for image in images]


def refusal(body: bytes) -> RequestError:
    with pytest.raises(RequestError) as caught:
        photos(body)
    assert caught.value.message.endswith(".")
    return caught.value


def assert_alike(body: bytes) -> None:
    """The scanner reads what the parser reads, and refuses what the parser refuses and what is not ASCII."""
    try:
        expected = parsed(body)
    except (ValueError, RecursionError):
        refusal(body)
        return
    if body.isascii() and b"\0" not in body:  # Python's parser also reads UTF-16 and UTF-32, which have zeros here
        assert decoded(photos(body)) == expected
    else:
        with suppress(RequestError):  # a byte order mark is not ASCII, and is passed over
            assert decoded(photos(body)) == expected


def peak(work: Callable[[], object]) -> int:
    """Bytes that Python allocates at the peak of this work."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# -- the same as a parser's ------------------------------------------------------------------------------------------

spaces = st.text(" \t\r\n", max_size=3)
texts = st.one_of(
    st.binary(max_size=40).map(lambda content: base64.b64encode(content).decode()),
    st.text("AQgw+/=", max_size=9),
    st.text(max_size=9),
)


@st.composite
def escaped(draw: st.DrawFn) -> str:
    """A string of JSON, with escapes wherever an encoder may write them."""
    short = {"/": "\\/", '"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
    written = []
    for character in draw(texts):
        code = "".join(f"\\u{unit:04x}" for unit in _units(character))
        allowed = [code, code.upper().replace("\\U", "\\u"), *([short[character]] if character in short else [])]
        if character not in '"\\' and character >= " " and not "\ud800" <= character <= "\udfff":
            allowed += [character] * 3
        written.append(draw(st.sampled_from(allowed)))
    return '"' + "".join(written) + '"'


def _units(character: str) -> list[int]:
    utf_16 = character.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(utf_16[at : at + 2]) for at in range(0, len(utf_16), 2)]


@st.composite
def batches(draw: st.DrawFn) -> str:
    """The text of a batch, with spaces wherever JSON allows them."""
    images = draw(st.lists(escaped(), min_size=1, max_size=5))
    tokens = ["{", '"images"', ":", "["]
    for image in images:
        tokens += [image, ","]
    tokens[-1:] = ["]", "}"]
    return "".join(draw(spaces) + token for token in tokens) + draw(spaces)


@given(batches())
def test_every_batch_is_read_as_a_parser_reads_it(text: str) -> None:
    body = text.encode()
    if text.isascii():
        assert decoded(photos(body)) == parsed(body)
    else:  # base64 is ASCII, so such a batch has a photo less than it says
        assert refusal(body).code == "bad_json"


@given(st.data())
def test_what_a_parser_refuses_is_refused(data: st.DataObject) -> None:
    body = bytearray(data.draw(batches()).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.one_of(
                st.sampled_from([b'"', b"\\", b",", b"[", b"]", b"{", b"}", b"\0", b"\\u00", b":"]),
                st.binary(max_size=3),
            )
        )
    assert_alike(bytes(body))


@given(st.binary(max_size=60))
@example(b"")
@example(b"\xef\xbb\xbf")
@example(b'{"images":["AAAA"]}\0')
def test_no_other_bytes_are_a_batch(body: bytes) -> None:
    assert_alike(body)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert decoded(photos(b'\xef\xbb\xbf{"images": ["AAAA"]}')) == [b"\0\0\0"]


# -- what an encoder writes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (rb"+\/8=", b"+/8="),  # PHP
        (rb"\u002B/8\u003D", b"+/8="),  # .NET, and Gson
        (rb"\u002b\u002f8=", b"+/8="),
        (rb"\u0041\u0041\u0041\u0041", b"AAAA"),
    ],
)
def test_escapes_of_base64_are_read(text: bytes, plain: bytes) -> None:
    assert decoded(photos(b'{"images":["' + text + b'"]}')) == [base64.b64decode(plain)]


@pytest.mark.parametrize(
    "text", [b"abc", b"not base64", rb"AA\nAA", rb"\\/AA", rb"\\u0041AAA", rb"\u4e2d", rb"\ud83d\udc15", rb"\u00e9AAA"]
)
def test_a_string_that_is_not_base64_does_not_affect_the_others(text: bytes) -> None:
    found = photos(b'{"images":["' + text + b'","AAAA"]}')
    with pytest.raises(RequestError, match="not base64") as caught:
        found[0].decode()
    assert (caught.value.status, caught.value.code) == (400, "bad_base64")
    assert found[1].decode() == b"\0\0\0"


# -- sentences -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "problem"),
    [
        (b"", "bad_json", "it ends where { should be"),
        (b'{"images":["AAAA"', "bad_json", "it ends where , or ] should be"),
        (b'{"images":["AAAA', "bad_json", "the string at byte 11 has no end"),
        (b'{"images":["AA\nA"]}', "bad_json", "the string at byte 11 has no end, or a byte that JSON does not allow"),
        (b"<xml/>", "bad_json", "byte 0 is '<', where { should be"),
        ('{"images":["é"]}'.encode(), "bad_json", "Byte 12 of the body is not ASCII"),
        (b'{"images":[{}]}', "bad_batch", "byte 11 is '{', where a photo in quotes should be"),
        (b'{"images":[]}', "bad_batch", "byte 11 is ']', where a photo in quotes should be"),
        (b'{"images":"AAAA"}', "bad_batch", "byte 10 is '\"', where [ should be"),
        (b'{"images":["AAAA",]}', "bad_batch", "byte 18 is ']', where a photo in quotes should be"),
        (b'{"images":["AAAA"]}{', "bad_batch", "byte 19 is '{', where the end should be"),
        (b'{"image":["AAAA"]}', "bad_batch", 'The key "image" is unknown; leave it out'),
        (b'{"images":["AAAA"],"images":["AAAA"]}', "bad_batch", 'has the key "images" twice'),
        (b'{"images":["AAAA"],"top_k":3}', "bad_batch", "send the header X-Amzn-SageMaker-Custom-Attributes: top_k=N"),
    ],
)
def test_a_refusal_names_the_place_and_the_form(body: bytes, code: str, problem: str) -> None:
    found = refusal(body)
    assert (found.status, found.code) == (400, code)
    assert problem in found.message
    assert '{"images": ["<base64 of a photo>", ...]}' in found.message


def test_one_photo_too_many_is_refused_before_the_rest_is_read() -> None:
    body = b'{"images":[' + b",".join([b'""'] * (MAX_PHOTOS + 1)) + b", and then no JSON"
    found = refusal(body)
    assert (found.status, found.code) == (413, "too_many_photos")


# -- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_scanning_a_batch_makes_nothing_of_its_size(attack: Attack) -> None:
    body = attack.body()

    def scan() -> None:
        with suppress(RequestError):
            photos(body)

    assert peak(scan) < SMALL


@pytest.mark.parametrize("name", [attack.name for attack in ATTACKS if attack.expected == (200,)])
def test_a_photo_takes_the_memory_that_is_counted_for_it(name: str) -> None:
    body = next(attack for attack in ATTACKS if attack.name == name).body()
    photo = photos(body)[0]

    def decode() -> None:
        with suppress(RequestError):
            photo.decode()

    assert peak(decode) < photo.decoding_bytes + SMALL
    assert photo.decoding_bytes < 2 * len(body)
