"""The check after a deploy: when CloudFormation runs it, and what it may do."""

import subprocess
import sys

import pytest

from tests.infra.conftest import Assembly, Synthesise
from tests.infra.serving import ENDPOINT, endpoint_rights, serving_resource


def test_each_deploy_ends_with_a_check_of_the_endpoint(development: Assembly) -> None:
    _, check = serving_resource(development, "Custom::EndpointCheck", "Check")
    ((_, endpoint, _),) = development.resources("AWS::SageMaker::Endpoint")
    ((_, config, _),) = development.resources("AWS::SageMaker::EndpointConfig")
    assert endpoint in check["DependsOn"]
    assert check["Properties"]["EndpointName"] == ENDPOINT
    assert check["Properties"]["EndpointConfigName"] == {"Fn::GetAtt": [config, "EndpointConfigName"]}


def test_the_check_may_describe_and_invoke_only_this_endpoint(development: Assembly) -> None:
    assert endpoint_rights(development, "CheckFunctionRole") == {
        f":endpoint/{ENDPOINT}": ["sagemaker:DescribeEndpoint", "sagemaker:InvokeEndpoint"]
    }


def test_the_check_depends_on_its_roles_policy(development: Assembly) -> None:
    _, check = serving_resource(development, "Custom::EndpointCheck", "Check")
    policy, _ = serving_resource(development, "AWS::IAM::Policy", "CheckFunctionRole")
    assert policy in check["DependsOn"]


def test_cloudformations_timeout_is_slightly_longer_than_the_functions(development: Assembly) -> None:
    """A function that times out sends no response, and CloudFormation's default timeout is an hour."""
    _, check = serving_resource(development, "Custom::EndpointCheck", "Check")
    _, function = serving_resource(development, "AWS::Lambda::Function", "CheckFunction")
    assert function["Properties"]["Timeout"] < int(check["Properties"]["ServiceTimeout"]) <= 1000


@pytest.mark.parametrize(
    "override",
    [
        ("training.epochs", 41),
        ("serving.rollout.bake_s", 600),
        ("serving.instance_type", "ml.m5.xlarge"),
        ("serving.capture.percent", 10),
    ],
)
def test_a_change_of_the_endpoint_runs_the_check_again(
    development: Assembly, synthesise: Synthesise, override: tuple[str, object]
) -> None:
    after = synthesise(override)
    assert after.only("Custom::EndpointCheck") != development.only("Custom::EndpointCheck")


def test_another_change_does_not_run_the_check_again(development: Assembly, synthesise: Synthesise) -> None:
    after = synthesise(("api.memory_mib", 256))
    assert after.only("Custom::EndpointCheck") == development.only("Custom::EndpointCheck")


def test_the_package_of_check_and_canary_can_be_imported(development: Assembly) -> None:
    (asset,) = [path for path in development.folder.glob("asset.*") if (path / "probe").is_dir()]
    assert [path.name for path in asset.iterdir()] == ["probe"]
    named = {
        function["Properties"]["Handler"]
        for stack, logical_id, function in development.resources("AWS::Lambda::Function")
        if stack == "Serving" and logical_id.startswith(("Canary", "Check"))
    }
    assert named == {"probe.check.on_event", "probe.canary.on_schedule"}
    load = "import probe.check, probe.canary; probe.check.on_event; probe.canary.on_schedule"
    subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, '{asset}'); {load}"], check=True)
