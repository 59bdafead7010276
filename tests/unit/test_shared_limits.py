"""Facts that are written down twice, because `inference` and `lambda_fn` import hardly anything from each other."""

from typing import get_args

import pytest
from starlette.datastructures import Headers

import contract.photos
import lambda_fn.errors
import sample_dogs.dataset
from inference.photo import file_types
from inference.photo.decode import FORMATS
from inference.photo.errors import Kind
from inference.photo.file_types import media_type
from inference.server import admission, app, headers
from inference.server.errors import RequestError
from lambda_fn import events, photo
from lambda_fn.errors import ServiceError
from rehearsal.aws import invocation, runtime_api
from stacks.serving import stack
from stacks.serving.probe.prediction import PHOTO
from stacks.settings import ENDPOINT_LIMIT_S
from tests.builders import any_photo

MIB = 2**20


def test_function_server_and_rehearsal_take_a_body_of_6_mib_as_sagemaker_does() -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html"""
    limits = (photo.MAX_BYTES, app.MAX_BODY_BYTES, invocation.MAX_BODY_BYTES, runtime_api.MAX_REQUEST_BYTES)
    assert set(limits) == {6 * MIB}
    assert f"{photo.MAX_BYTES:,} bytes" in photo.LIMITS


def test_the_container_reads_the_variable_that_the_serving_stack_sets() -> None:
    assert admission.ANSWER_WITHIN == stack.ANSWER_WITHIN


def test_no_caller_waits_longer_than_sagemaker() -> None:
    assert admission.LIMIT_S == ENDPOINT_LIMIT_S


def taken_by_function(number: int) -> bool:
    try:
        return events.parse({"image": "/9j/", "top_k": number}).top_k == number
    except ServiceError:
        return False


def taken_by_server(number: int) -> bool:
    try:
        return headers.top_k(Headers({"x-amzn-sagemaker-custom-attributes": f"top_k={number}"})) == number
    except RequestError:
        return False


@pytest.mark.parametrize(("number", "allowed"), [(0, False), (1, True), (1000, True), (1001, False)])
def test_function_and_server_allow_the_same_top_k(number: int, allowed: bool) -> None:
    assert taken_by_function(number) is taken_by_server(number) is allowed


@pytest.mark.parametrize("format", FORMATS)
def test_the_table_of_file_types_has_the_formats_that_are_decoded(format: str) -> None:
    assert media_type(any_photo(format=format)) == f"image/{format.lower()}"


def test_the_table_of_file_types_has_no_other_format() -> None:
    assert not media_type(any_photo(format="GIF"))
    decoded = {kind.media_type for kind in vars(file_types).values() if isinstance(kind, file_types.FileType)}
    assert decoded - {""} == {f"image/{kind.lower()}" for kind in FORMATS}


def test_photos_of_every_format_that_is_served_can_be_trained_on() -> None:
    suffix_of = {"JPEG": {".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp"}, "PNG": {".png"}, "WEBP": {".webp"}}
    assert set().union(*(suffix_of[kind] for kind in FORMATS)) == contract.photos.SUFFIXES


def test_the_probes_photo_is_of_the_type_that_it_is_sent_as() -> None:
    assert media_type(PHOTO) == "image/jpeg"


def test_the_sample_is_drawn_in_the_splits_that_training_reads() -> None:
    assert sample_dogs.dataset.SPLITS == contract.photos.SPLITS


def test_the_function_passes_on_the_sentences_of_every_kind_of_photo_error() -> None:
    """All but the one for no bytes, which the function never sends."""
    assert set(get_args(Kind)) - {"empty"} == lambda_fn.errors.OF_PHOTO
