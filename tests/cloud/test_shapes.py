"""Requests that AWS refuses by the shapes of their members, and the types of a template's properties."""

from typing import Any

import pytest

from rehearsal.cloud.api import AwsError, Json
from rehearsal.cloud.shapes import check, typed

JOB = "arn:aws:sagemaker:us-east-1:111122223333:training-job/dogs"


def blue_green(**policy: Any) -> Json:
    traffic = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": traffic, **policy}}


def variants(**variant: Any) -> Json:
    return {"EndpointConfigName": "dogs", "ProductionVariants": [{"VariantName": "AllTraffic", **variant}]}


def endpoint(**members: Any) -> Json:
    return {"EndpointName": "dogs", "EndpointConfigName": "dogs", **members}


@pytest.mark.parametrize(
    ("operation", "parameters", "sentence"),
    [
        (
            "CreateEndpoint",
            {"EndpointName": "two words"},
            "2 validation errors detected: Value null at 'endpointConfigName' failed to satisfy constraint: Member "
            "must not be null; Value 'two words' at 'endpointName' failed to satisfy constraint: Member must satisfy "
            "regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
        ),
        (
            "UpdateEndpoint",
            endpoint(DeploymentConfig=blue_green(MaximumExecutionTimeoutInSeconds=300)),
            "1 validation error detected: Value '300' at "
            "'deploymentConfig.blueGreenUpdatePolicy.maximumExecutionTimeoutInSeconds' failed to satisfy constraint: "
            "Member must have value greater than or equal to 600",
        ),
        (
            "UpdateEndpoint",
            endpoint(ExcludeRetainedVariantProperties=[{"VariantPropertyType": "InstanceCount"}]),
            "1 validation error detected: Value 'InstanceCount' at "
            "'excludeRetainedVariantProperties.1.member.variantPropertyType' failed to satisfy constraint: Member must "
            "satisfy enum value set: [DesiredInstanceCount, DesiredWeight, DataCaptureConfig]",
        ),
        (
            "CreateEndpointConfig",
            variants(ContainerStartupHealthCheckTimeoutInSeconds=3601),
            "Member must have value less than or equal to 3600",
        ),
        (
            "CreateEndpointConfig",
            {"EndpointConfigName": "dogs", "ProductionVariants": []},
            "Value '[]' at 'productionVariants' failed to satisfy constraint: Member must have length greater than or "
            "equal to 1",
        ),
        (
            "CreateModel",
            {"ModelName": "dogs", "PrimaryContainer": {"Environment": {"A": "x" * 1025}}},
            "at 'primaryContainer.environment.A.member' failed to satisfy constraint: Member must have length less "
            "than or equal to 1024",
        ),
    ],
    ids=["null-and-pattern", "minimum", "value-set", "maximum", "empty", "length-in-a-map"],
)
def test_what_aws_refuses_by_its_shapes_is_refused_in_its_words(
    operation: str, parameters: Json, sentence: str
) -> None:
    with pytest.raises(AwsError) as caught:
        check("sagemaker", operation, parameters)

    assert caught.value.code == "ValidationException"
    assert sentence in str(caught.value)


def test_a_value_of_another_type_is_refused() -> None:
    with pytest.raises(AwsError, match=r"productionVariants\.1\.member\.initialInstanceCount is '2'") as caught:
        check("sagemaker", "CreateEndpointConfig", variants(InitialInstanceCount="2"))

    assert caught.value.code == "SerializationException"


def test_what_is_within_the_limits_is_accepted() -> None:
    check("sagemaker", "CreateEndpointConfig", variants(InitialInstanceCount=1, InitialVariantWeight=1))
    check("sagemaker", "UpdateEndpoint", endpoint(DeploymentConfig=blue_green(MaximumExecutionTimeoutInSeconds=600)))
    check("sagemaker", "AddTags", {"ResourceArn": JOB, "Tags": [{"Key": "Größe", "Value": ""}]})


def test_strings_of_a_template_get_the_types_of_the_api() -> None:
    config = {
        "ProductionVariants": [{"InitialInstanceCount": "2", "InitialVariantWeight": "1"}],
        "DataCaptureConfig": {"EnableCapture": "false", "InitialSamplingPercentage": "50"},
        "Tags": [{"Key": "cost", "Value": 1}],
        "NotOfTheApi": "1",
    }
    # exact: the numbers are parsed from text, not computed
    assert typed("sagemaker", "CreateEndpointConfig", config) == {
        "ProductionVariants": [{"InitialInstanceCount": 2, "InitialVariantWeight": 1.0}],
        "DataCaptureConfig": {"EnableCapture": False, "InitialSamplingPercentage": 50},
        "Tags": [{"Key": "cost", "Value": "1"}],
        "NotOfTheApi": "1",
    }
    model = {"PrimaryContainer": {"Environment": {"InitialInstanceCount": 7, "DEBUG": True}}}
    assert typed("sagemaker", "CreateModel", model) == {
        "PrimaryContainer": {"Environment": {"InitialInstanceCount": "7", "DEBUG": "true"}}
    }


@pytest.mark.parametrize("value", ["two", None, [1]], ids=str)
def test_a_property_that_has_not_its_type_is_refused(value: Any) -> None:
    with pytest.raises(AwsError, match=r"productionVariants\.initialInstanceCount is .* of the type integer"):
        typed("sagemaker", "CreateEndpointConfig", {"ProductionVariants": [{"InitialInstanceCount": value}]})
