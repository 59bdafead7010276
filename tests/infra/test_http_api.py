"""The HTTP API in front of the function, and the timeouts of both."""

import json
import os
import subprocess
import sys

import pytest

from app import open_warning
from lambda_fn import retries
from lambda_fn.deadline import Deadline
from ops.cost import estimate
from stacks.settings import SettingsError
from tests.infra.conftest import Assembly, Synthesise, load_settings
from tests.infra.nag import findings


@pytest.fixture(scope="module")
def http(synthesise: Synthesise) -> Assembly:
    return synthesise(("api.http", "true"))


def test_there_is_no_http_api_by_default(development: Assembly) -> None:
    kinds = {resource["Type"] for resource in development.raw("Api")["Resources"].values()}
    assert not [kind for kind in kinds if kind.startswith("AWS::ApiGateway")]
    assert "AWS::Lambda::Permission" not in kinds


def test_the_only_route_invokes_the_alias(http: Assembly) -> None:
    ((_, alias, _),) = http.resources("AWS::Lambda::Alias")
    integration = http.only("AWS::ApiGatewayV2::Integration")
    assert (integration["IntegrationType"], integration["PayloadFormatVersion"]) == ("AWS_PROXY", "2.0")
    assert integration["IntegrationUri"] == {"Ref": alias}
    assert http.only("AWS::ApiGatewayV2::Route")["RouteKey"] == "POST /predict"


def test_the_stage_serves_the_route_without_a_deployment_of_its_own(http: Assembly) -> None:
    """There is no AWS::ApiGatewayV2::Deployment: without AutoDeploy the address would always answer 404."""
    assert list(http.resources("AWS::ApiGatewayV2::Deployment")) == []
    assert http.only("AWS::ApiGatewayV2::Stage")["AutoDeploy"] is True


def test_the_route_uses_iam_authorization(http: Assembly) -> None:
    assert http.only("AWS::ApiGatewayV2::Route")["AuthorizationType"] == "AWS_IAM"


def test_authorization_can_be_turned_off(synthesise: Synthesise) -> None:
    opened = synthesise(("api.http", "true"), ("api.http_authorization", "none"))
    assert opened.only("AWS::ApiGatewayV2::Route")["AuthorizationType"] == "NONE"


@pytest.mark.parametrize(("authorization", "page"), [("iam", "false"), ("none", "false"), ("none", "true")])
def test_cdk_nag_finds_nothing(synthesise: Synthesise, authorization: str, page: str) -> None:
    assembly = synthesise(("api.http", "true"), ("api.http_authorization", authorization), ("api.page", page))
    assert [found for found in findings(assembly.app) if found[1].startswith("Api/")] == []


def test_the_gateway_may_invoke_the_alias_only_through_this_route(http: Assembly) -> None:
    ((_, alias, _),) = http.resources("AWS::Lambda::Alias")
    ((_, api, _),) = http.resources("AWS::ApiGatewayV2::Api")
    permission = http.only("AWS::Lambda::Permission")
    assert permission["FunctionName"] == {"Ref": alias}
    assert (permission["Action"], permission["Principal"]) == ("lambda:InvokeFunction", "apigateway.amazonaws.com")
    assert permission["SourceArn"]["Fn::Join"][1][-2:] == [{"Ref": api}, "/*/POST/predict"]


OPEN = (("api.http", "true"), ("api.http_authorization", "none"))


@pytest.fixture(scope="module")
def with_page(synthesise: Synthesise) -> Assembly:
    return synthesise(*OPEN, ("api.page", "true"))


def test_the_page_has_a_route_and_a_permission_of_its_own(with_page: Assembly) -> None:
    routes = [found["Properties"] for _, _, found in with_page.resources("AWS::ApiGatewayV2::Route")]
    assert {each["RouteKey"]: each["AuthorizationType"] for each in routes} == {
        "POST /predict": "NONE",
        "GET /": "NONE",
    }
    sources = [
        found["Properties"]["SourceArn"]["Fn::Join"][1][-1]
        for _, _, found in with_page.resources("AWS::Lambda::Permission")
    ]
    assert sorted(sources) == ["/*/GET/", "/*/POST/predict"]


def test_the_address_of_the_page_is_an_output(with_page: Assembly) -> None:
    ((_, api, _),) = with_page.resources("AWS::ApiGatewayV2::Api")
    url = with_page.raw("Api")["Outputs"]["PageUrl"]["Value"]
    assert url == {"Fn::Join": ["", [{"Fn::GetAtt": [api, "ApiEndpoint"]}, "/"]]}


def test_the_function_with_the_page_has_it_in_its_package_and_returns_it(with_page: Assembly) -> None:
    (asset,) = [path for path in with_page.folder.glob("asset.*") if (path / "lambda_fn").is_dir()]
    event = {"rawPath": "/", "requestContext": {"http": {"method": "GET"}}}
    program = f"""
import json, sys
sys.path.insert(0, {os.fspath(asset)!r})
from lambda_fn.handler import handler
print(json.dumps(handler({event!r})))"""
    names = {"ENDPOINT_NAME": "dogs", "PAGE": "true", "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}
    ran = subprocess.run(
        [sys.executable, "-I", "-c", program], env={**os.environ, **names}, check=True, capture_output=True, text=True
    )
    response = json.loads(ran.stdout.splitlines()[-1])

    assert response["statusCode"] == 200
    assert response["headers"]["Content-Type"] == "text/html; charset=utf-8"
    assert "<h1>Which breed is this dog?</h1>" in response["body"]
    assert len(response["body"].encode()) < 100_000


@pytest.mark.parametrize(
    "others", [{}, {"api.http": "true"}, {"api.http_authorization": "none"}, {"api.page": "true", "api.http": "false"}]
)
def test_a_page_that_could_not_ask_is_refused(others: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"api\.page is True, but must be false unless api\.http is true and api\."):
        load_settings({"api.page": "true", **others})


def test_a_page_without_a_budget_is_refused() -> None:
    with pytest.raises(
        SettingsError, match=r"monitoring\.monthly_budget_usd is 0, but must be more than 0 with api\.page"
    ):
        load_settings({**dict(OPEN), "api.page": "true", "monitoring.monthly_budget_usd": 0})


def test_synth_warns_of_an_open_api_with_the_price_of_its_worst_month(with_page: Assembly) -> None:
    settings = load_settings({**dict(OPEN), "api.page": "true"})
    (warning,) = open_warning(settings, with_page.folder, "us-east-1")
    worst = estimate(with_page.folder, "us-east-1").usd("worst")

    assert "Anyone on the internet may call the HTTP API, 10 requests a second together" in warning
    assert f"costs up to {worst:,.0f} US dollars in us-east-1" in warning


def test_the_warning_without_a_price_table_says_so(with_page: Assembly) -> None:
    (warning,) = open_warning(load_settings(dict(OPEN)), with_page.folder, "il-central-1")
    assert "Its price is not known: " in warning


def test_an_api_with_signed_requests_gives_no_warning(http: Assembly) -> None:
    assert open_warning(load_settings({"api.http": "true"}), http.folder, "us-east-1") == []


def test_the_worst_month_of_an_open_api_has_every_request_that_the_throttle_lets_through(
    http: Assembly, with_page: Assembly
) -> None:
    def requests(assembly: Assembly) -> float:
        lines = estimate(assembly.folder, "us-east-1").lines
        (million,) = [line.charge.usage.worst for line in lines if line.charge.price == "http-api.requests"]
        return million * 1e6

    assert requests(with_page) == pytest.approx(10 * 730 * 3600)
    assert requests(http) < requests(with_page)


def test_it_is_throttled(synthesise: Synthesise) -> None:
    assembly = synthesise(("api.http", "true"), ("api.http_requests_per_s", 5), ("api.http_burst", 7))
    settings = assembly.only("AWS::ApiGatewayV2::Stage")["DefaultRouteSettings"]
    assert settings == {"ThrottlingRateLimit": 5, "ThrottlingBurstLimit": 7}


def test_access_logs_are_json_lines_in_a_log_group_of_the_stack(http: Assembly) -> None:
    log = http.only("AWS::ApiGatewayV2::Stage")["AccessLogSettings"]
    group = log["DestinationArn"]["Fn::GetAtt"][0]
    found = http.raw("Api")["Resources"][group]
    assert (found["DeletionPolicy"], found["Properties"]["RetentionInDays"]) == ("Delete", 30)
    line = json.loads(log["Format"])
    assert line["caller"] == "$context.identity.userArn"
    assert all(value.startswith("$context.") for value in line.values())


def test_its_url_is_an_output(http: Assembly) -> None:
    ((_, api, _),) = http.resources("AWS::ApiGatewayV2::Api")
    url = http.raw("Api")["Outputs"]["HttpUrl"]["Value"]
    assert url == {"Fn::Join": ["", [{"Fn::GetAtt": [api, "ApiEndpoint"]}, "/predict"]]}


@pytest.mark.parametrize("timeout_s", [5, 29])
def test_the_gateways_timeout_is_longer_than_the_functions(synthesise: Synthesise, timeout_s: int) -> None:
    assembly = synthesise(("api.http", "true"), ("api.timeout_s", timeout_s))
    (function,) = [
        resource["Properties"] for stack, _, resource in assembly.resources("AWS::Lambda::Function") if stack == "Api"
    ]
    timeout_ms = assembly.only("AWS::ApiGatewayV2::Integration")["TimeoutInMillis"]
    assert function["Timeout"] == timeout_s
    assert function["Timeout"] * 1000 < timeout_ms <= 30_000


def test_a_function_timeout_above_the_gateways_limit_is_rejected() -> None:
    load_settings({"api.timeout_s": 900})
    with pytest.raises(SettingsError, match=r"api\.timeout_s is 30, but must be at most 29 with api\.http"):
        load_settings({"api.http": "true", "api.timeout_s": 30})


class Context:
    aws_request_id = "r-1"

    def __init__(self, timeout_s: int) -> None:
        self.timeout_s = timeout_s

    def get_remaining_time_in_millis(self) -> int:
        return self.timeout_s * 1000


@pytest.mark.parametrize("timeout_s", [5, 10, 29, 60, 900])
def test_every_timeout_of_the_function_leaves_time_for_a_call_and_for_the_response(timeout_s: int) -> None:
    load_settings({"api.timeout_s": timeout_s})
    assert retries.LEAST_CALL_S < Deadline.of(Context(timeout_s)).left_s() < timeout_s


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("api.timeout_s", 4, "between 5 and 900"),
        ("api.http_authorization", "jwt", "one of iam, none"),
        ("api.http_requests_per_s", 0, "between 1 and"),
        ("api.http_burst", 0, "between 1 and"),
    ],
)
def test_the_error_for_an_impossible_value_names_the_setting(name: str, value: object, allowed: str) -> None:
    with pytest.raises(SettingsError, match=rf"{name} is '?{value}'?, but must be {allowed}"):
        load_settings({name: value})
