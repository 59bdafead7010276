"""Requests made from docs/openapi.json, to the function behind the local AWS's HTTP API."""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.errors import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from contract.http_api import PAGE_ROUTE, PREDICT_ROUTE
from inference.photo.file_types import JPEG, PNG, WEBP
from ops.openapi import document
from rehearsal.aws.sagemaker_runtime import SageMakerRuntime
from rehearsal.cloud.local import LocalAws
from tests.cloud.conftest import Client
from tests.cloud.lambda_account import LOGS, LambdaAccount
from tests.rehearsal.container import REPOSITORY, serving

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PACKAGE = ("lambda_fn/*.py", "inference/__init__.py", "inference/photo/__init__.py", "inference/photo/file_types.py")
SCHEMA = schemathesis.openapi.from_dict(document())
for kind in (JPEG, PNG, WEBP):
    schemathesis.openapi.media_type(
        kind.media_type, st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: b"\xff\xd8\xff\xe0" + rest)
    )
ALLOWED = ("photos.invalid", "photos.localhost")
"""No DNS server has the first (RFC 2606), and what the resolver has for the second is not public (RFC 6761)."""
URLS = [
    "https://photos.invalid/dog.jpg",
    "https://photos.localhost/dog.jpg?size=1",
    "https://photos.example.org/dog.jpg",
    "https://user:password@photos.invalid/",
    "https://photos.invalid:8443/",
    "https://[::1]/",
    "https://2130706433/",
    "https://photos.invalid/a b",
]
"""Beside these, random ones are made. Of those that are allowed none leads to a host."""


def of_urls() -> dict[str, Any]:
    """The document with requests that have a URL alone."""
    documented = document()
    request = documented["components"]["schemas"]["Request"]
    request["properties"] = {
        "url": {"anyOf": [{"enum": URLS}, {**request["properties"]["url"], "type": "string"}]},
        "top_k": request["properties"]["top_k"],
    }
    request.update(required=["url"], oneOf=[{}], additionalProperties=False)
    del documented["paths"]["/"]
    post = documented["paths"]["/predict"]["post"]
    post["requestBody"]["content"] = {"application/json": post["requestBody"]["content"]["application/json"]}
    return documented


SCHEMA_OF_URLS = schemathesis.openapi.from_dict(of_urls())
EACH_DAY = settings(
    max_examples=25,
    derandomize=True,  # the same requests each time
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
FEW = settings(EACH_DAY, max_examples=15)
LONG = settings(EACH_DAY, max_examples=1000, derandomize=False)


def package() -> bytes:
    """The function's archive, as the Api stack deploys it with the page."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        for pattern in (*PACKAGE, "page/__init__.py", "page/index.html"):
            for file in REPOSITORY.glob(pattern):
                writer.write(file, file.relative_to(REPOSITORY))
    return archive.getvalue()


@contextmanager
def http_api(local_aws: LocalAws, client: Client, name: str, **variables: str) -> Iterator[str]:
    """The address of an HTTP API whose function has these environment variables."""
    account = LambdaAccount(client)
    with serving() as container, SageMakerRuntime({"dogs": container.url}) as endpoints:
        own = {"ENDPOINT_NAME": "dogs", "PAGE": "true", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": endpoints.url}
        function = client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=account.role(*LOGS),
            Handler="lambda_fn.handler.handler",
            Code={"ZipFile": package()},
            MemorySize=512,
            Timeout=29,
            Environment={"Variables": {**own, **variables}},
        )["FunctionArn"]
        client("lambda").add_permission(
            FunctionName=name,
            StatementId="Http",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
        )
        gateway = client("apigatewayv2")
        api = gateway.create_api(Name=name, ProtocolType="HTTP")
        integration = gateway.create_integration(
            ApiId=api["ApiId"], IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0"
        )["IntegrationId"]
        for route in (PREDICT_ROUTE, PAGE_ROUTE):
            gateway.create_route(ApiId=api["ApiId"], RouteKey=route, Target=f"integrations/{integration}")
        gateway.create_stage(ApiId=api["ApiId"], StageName="$default", AutoDeploy=True)
        yield local_aws.http_api(api["ApiEndpoint"]).rstrip("/")


@pytest.fixture(scope="module")
def url(local_aws: LocalAws, client: Client) -> Iterator[str]:
    """Where the HTTP API is served."""
    with http_api(local_aws, client, "schema") as address:
        yield address


@pytest.fixture(scope="module")
def fetching_url(local_aws: LocalAws, client: Client) -> Iterator[str]:
    """The same with a function that fetches photos by URL."""
    with http_api(local_aws, client, "schema-of-urls", ALLOWED_URL_HOSTS=",".join(ALLOWED)) as address:
        yield address


def check(case: schemathesis.Case[Any], url: str) -> None:
    case.call_and_validate(base_url=url, checks=CHECKS)


@SCHEMA.parametrize()
@EACH_DAY
def test_no_request_finds_an_undocumented_response(case: schemathesis.Case[Any], url: str) -> None:
    check(case, url)


@pytest.mark.slow
@SCHEMA.parametrize()
@LONG
def test_none_of_many_requests_finds_an_undocumented_response(case: schemathesis.Case[Any], url: str) -> None:
    check(case, url)


@SCHEMA_OF_URLS.parametrize()
@FEW
def test_no_url_finds_an_undocumented_response(case: schemathesis.Case[Any], fetching_url: str) -> None:
    check(case, fetching_url)


@pytest.mark.slow
@SCHEMA_OF_URLS.parametrize()
@LONG
def test_none_of_many_urls_finds_an_undocumented_response(case: schemathesis.Case[Any], fetching_url: str) -> None:
    check(case, fetching_url)


def test_the_urls_reach_the_faults_of_a_fetch(fetching_url: str) -> None:
    operation = SCHEMA_OF_URLS["/predict"]["POST"]
    codes = {}
    for each in URLS[:4]:
        case = operation.Case(body={"url": each}, media_type="application/json")
        response = case.call_and_validate(base_url=fetching_url, checks=CHECKS)
        codes[each] = json.loads(response.content)["error"]["code"]

    assert list(codes.values()) in (
        ["url_failed", "url_forbidden", "url_forbidden", "url_invalid"],
        ["url_failed", "url_failed", "url_forbidden", "url_invalid"],  # where the resolver has no localhost
    )


def test_an_undocumented_response_is_found(url: str) -> None:
    less = document()
    del less["paths"]["/predict"]["post"]["responses"]["400"]
    operation = schemathesis.openapi.from_dict(less)["/predict"]["POST"]

    with pytest.raises(FailureGroup, match="Undocumented status code"):
        check(operation.Case(body={}, media_type="application/json"), url)
