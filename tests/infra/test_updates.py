"""An update never replaces what holds data or what callers reach: old and new template, side by side."""

from typing import Any

import pytest

from tests.infra.conftest import Assembly, Synthesise

KEPT = {
    # type: properties whose change makes CloudFormation create another one and delete this one
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::SageMaker::Endpoint": ("EndpointName",),
    "AWS::EC2::Instance": ("LaunchTemplate", "SubnetId", "BlockDeviceMappings", "IamInstanceProfile"),
    "AWS::EC2::LaunchTemplate": ("LaunchTemplateData",),
    "AWS::ECR::Repository": ("RepositoryName",),
}


def kept(assembly: Assembly) -> dict[str, dict[str, Any]]:
    return {
        f"{kind} {logical_id}": {name: resource["Properties"].get(name) for name in names}
        for kind, names in KEPT.items()
        for _, logical_id, resource in assembly.resources(kind)
    }


@pytest.mark.parametrize(
    "override",
    [
        ("preset", "production"),
        ("training.epochs", 41),
        ("training.data_version", "b"),
        ("training.model_data", "s3://models/dogs/model.tar.gz"),
        ("serving.scaling.max_instances", 5),
        ("serving.rollout.bake_s", 600),
        ("api.memory_mib", 256),
        ("workbench.idle_stop_min", 0),
        ("project.region", "eu-west-1"),
    ],
)
def test_no_setting_replaces_the_bucket_the_endpoint_or_the_host(
    development: Assembly, synthesise: Synthesise, override: tuple[str, object]
) -> None:
    assert kept(synthesise(override)) == kept(development)


def test_another_model_replaces_model_and_config_and_updates_the_endpoint_in_place(
    development: Assembly, synthesise: Synthesise
) -> None:
    after = synthesise(("training.model_data", "s3://models/dogs/model.tar.gz"))
    endpoint = development.only("AWS::SageMaker::Endpoint")
    assert endpoint["EndpointConfigName"] == {"Fn::GetAtt": ["EndpointConfig", "EndpointConfigName"]}
    assert after.only("AWS::SageMaker::Endpoint") == endpoint
    assert after.only("AWS::SageMaker::Model") != development.only("AWS::SageMaker::Model")
