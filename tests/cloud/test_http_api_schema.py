"""Requests made from docs/openapi.json, to the function behind the local AWS's HTTP API."""

import io
import zipfile
from collections.abc import Iterator
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
EACH_DAY = settings(
    max_examples=25,
    derandomize=True,  # the same requests each time
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
LONG = settings(EACH_DAY, max_examples=1000, derandomize=False)


def package() -> bytes:
    """The function's archive, as the Api stack deploys it with the page."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        for pattern in (*PACKAGE, "page/__init__.py", "page/index.html"):
            for file in REPOSITORY.glob(pattern):
                writer.write(file, file.relative_to(REPOSITORY))
    return archive.getvalue()


@pytest.fixture(scope="module")
def url(local_aws: LocalAws, client: Client) -> Iterator[str]:
    """Where the HTTP API is served."""
    account = LambdaAccount(client)
    with serving() as container, SageMakerRuntime({"dogs": container.url}) as endpoints:
        function = client("lambda").create_function(
            FunctionName="schema",
            Runtime="python3.13",
            Role=account.role(*LOGS),
            Handler="lambda_fn.handler.handler",
            Code={"ZipFile": package()},
            MemorySize=512,
            Timeout=29,
            Environment={
                "Variables": {
                    "ENDPOINT_NAME": "dogs",
                    "PAGE": "true",
                    "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": endpoints.url,
                }
            },
        )["FunctionArn"]
        client("lambda").add_permission(
            FunctionName="schema",
            StatementId="Http",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
        )
        gateway = client("apigatewayv2")
        api = gateway.create_api(Name="schema", ProtocolType="HTTP")
        integration = gateway.create_integration(
            ApiId=api["ApiId"], IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0"
        )["IntegrationId"]
        for route in (PREDICT_ROUTE, PAGE_ROUTE):
            gateway.create_route(ApiId=api["ApiId"], RouteKey=route, Target=f"integrations/{integration}")
        gateway.create_stage(ApiId=api["ApiId"], StageName="$default", AutoDeploy=True)
        yield local_aws.http_api(api["ApiEndpoint"]).rstrip("/")


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


def test_an_undocumented_response_is_found(url: str) -> None:
    less = document()
    del less["paths"]["/predict"]["post"]["responses"]["400"]
    operation = schemathesis.openapi.from_dict(less)["/predict"]["POST"]

    with pytest.raises(FailureGroup, match="Undocumented status code"):
        check(operation.Case(body={}, media_type="application/json"), url)
