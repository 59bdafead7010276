"""The Lambda function in front of the endpoint."""

import os
import re
import subprocess
import sys

import aws_cdk.aws_lambda as lambda_
import pytest

from tests.infra.conftest import Assembly, Synthesise


def function(assembly: Assembly) -> dict[str, object]:
    (found,) = [
        resource["Properties"] for stack, _, resource in assembly.resources("AWS::Lambda::Function") if stack == "Api"
    ]
    return found  # type: ignore[no-any-return]


def test_the_alias_has_a_provisioned_concurrency_of_three(development: Assembly) -> None:
    alias = development.only("AWS::Lambda::Alias")
    assert alias["Name"] == "live"
    assert alias["ProvisionedConcurrencyConfig"] == {"ProvisionedConcurrentExecutions": 3}


def test_zero_turns_provisioned_concurrency_off(synthesise: Synthesise) -> None:
    alias = synthesise(("api.provisioned_concurrency", 0)).only("AWS::Lambda::Alias")
    assert "ProvisionedConcurrencyConfig" not in alias


def test_the_alias_points_at_a_version(development: Assembly) -> None:
    ((_, version, _),) = development.resources("AWS::Lambda::Version")
    assert development.only("AWS::Lambda::Alias")["FunctionVersion"] == {"Fn::GetAtt": [version, "Version"]}


def test_the_output_names_the_alias_because_only_the_alias_has_started_executions(development: Assembly) -> None:
    ((_, alias, _),) = development.resources("AWS::Lambda::Alias")
    assert development.raw("Api")["Outputs"]["FunctionArn"]["Value"] == {"Ref": alias}  # an alias' Ref is its ARN


def test_the_function_invokes_the_endpoint_of_the_serving_stack(development: Assembly) -> None:
    assert function(development)["Environment"] == {
        "Variables": {
            "ENDPOINT_NAME": development.only("AWS::SageMaker::Endpoint")["EndpointName"],
            "READABLE_S3_PREFIXES": "",
        }
    }


def test_the_runtime_is_the_newest_python_of_this_cdk(development: Assembly) -> None:
    names = [name for name in dir(lambda_.Runtime) if re.fullmatch(r"PYTHON_3_\d+", name)]
    newest = max(names, key=lambda name: int(name.rpartition("_")[2]))
    assert function(development)["Runtime"] == newest.lower().replace("python_3_", "python3.")


def test_the_package_contains_what_the_function_imports_and_no_more(development: Assembly) -> None:
    assert function(development)["Handler"] == "lambda_fn.handler.handler"
    (asset,) = [path for path in development.folder.glob("asset.*") if (path / "lambda_fn").is_dir()]
    beside = {path.relative_to(asset).as_posix() for path in asset.rglob("*.py") if path.parts[-2] != "lambda_fn"}
    assert beside == {"inference/__init__.py", "inference/photo/__init__.py", "inference/photo/file_types.py"}
    assert not list(asset.rglob("__pycache__"))
    load = "from lambda_fn.handler import handler"
    command = f"import sys; sys.path.insert(0, '{asset}'); {load}"
    environment = {**os.environ, "ENDPOINT_NAME": "dogs", "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}
    subprocess.run([sys.executable, "-I", "-c", command], env=environment, check=True)


def test_tracing_is_active(development: Assembly) -> None:
    assert function(development)["TracingConfig"] == {"Mode": "Active"}


def test_the_function_may_read_only_the_readable_prefixes(synthesise: Synthesise) -> None:
    assembly = synthesise(("api.readable_s3_prefixes", "s3://photos/public/,s3://more-photos/"))
    assert function(assembly)["Environment"] == {
        "Variables": {
            "ENDPOINT_NAME": "pytorch-dog-classifier-multi-instance",
            "READABLE_S3_PREFIXES": "s3://photos/public/,s3://more-photos/",
        }
    }
    (policy,) = [resource for stack, _, resource in assembly.resources("AWS::IAM::Policy") if stack == "Api"]
    (statement,) = [
        statement
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Action"] == "s3:GetObject"
    ]
    ends = [resource["Fn::Join"][1][-1] for resource in statement["Resource"]]
    assert sorted(ends) == [":s3:::more-photos/*", ":s3:::photos/public/*"]


def test_the_function_gets_the_hosts_that_it_may_fetch_from(synthesise: Synthesise) -> None:
    listed = "photos.example.org,.cdn.example.org"
    environment = function(synthesise(("api.allowed_url_hosts", listed)))["Environment"]

    assert environment["Variables"]["ALLOWED_URL_HOSTS"] == listed  # type: ignore[index]


def test_the_function_is_in_no_vpc(development: Assembly) -> None:
    """Its decision on addresses relies on it: private ones then lead to nothing but the function's own sandbox."""
    assert "VpcConfig" not in function(development)


@pytest.mark.parametrize("environment", ["development", "production"])
def test_logs_are_kept_for_a_limited_time(request: pytest.FixtureRequest, environment: str) -> None:
    assembly: Assembly = request.getfixturevalue(environment)
    (group,) = [resource for stack, _, resource in assembly.resources("AWS::Logs::LogGroup") if stack == "Api"]
    assert group["Properties"]["RetentionInDays"] == {"development": 30, "production": 90}[environment]
