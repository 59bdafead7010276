"""The HTTP API in front of the function, and the timeouts of both."""

import json

import pytest

from lambda_fn import calls
from lambda_fn.deadline import Deadline
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


@pytest.mark.parametrize("authorization", ["iam", "none"])
def test_cdk_nag_finds_nothing(synthesise: Synthesise, authorization: str) -> None:
    assembly = synthesise(("api.http", "true"), ("api.http_authorization", authorization))
    assert [found for found in findings(assembly.app) if found[1].startswith("Api/")] == []


def test_the_gateway_may_invoke_the_alias_only_through_this_route(http: Assembly) -> None:
    ((_, alias, _),) = http.resources("AWS::Lambda::Alias")
    ((_, api, _),) = http.resources("AWS::ApiGatewayV2::Api")
    permission = http.only("AWS::Lambda::Permission")
    assert permission["FunctionName"] == {"Ref": alias}
    assert (permission["Action"], permission["Principal"]) == ("lambda:InvokeFunction", "apigateway.amazonaws.com")
    assert permission["SourceArn"]["Fn::Join"][1][-2:] == [{"Ref": api}, "/*/POST/predict"]


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
    assert calls.LEAST_CALL_S < Deadline.of(Context(timeout_s)).left_s() < timeout_s


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
