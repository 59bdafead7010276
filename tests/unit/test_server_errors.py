"""Each kind of undecodable photo has a status in the 400s: the caller can do something about it."""

from typing import get_args

import pytest

from inference.photo.errors import Kind, PhotoError
from inference.server.errors import RequestError


@pytest.mark.parametrize("kind", get_args(Kind))
def test_each_kind_of_photo_error_becomes_a_4xx_with_its_code_and_sentence(kind: Kind) -> None:
    refusal = RequestError.of_photo(PhotoError(kind, "The photo is blue; send a red one."))

    assert 400 <= refusal.status < 500
    assert (refusal.code, refusal.message) == (kind, "The photo is blue; send a red one.")
