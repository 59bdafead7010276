"""Data capture: where it writes, who may write, and how long it is kept."""

import pytest

from stacks.settings import SettingsError
from tests.infra.conftest import Assembly, Synthesise, load_settings
from tests.infra.nag import findings


def test_capture_is_off_by_default(development: Assembly) -> None:
    assert "DataCaptureConfig" not in development.only("AWS::SageMaker::EndpointConfig")
    assert "capture" not in str(development.raw("Storage"))


def test_capture_stores_a_percentage_of_requests_and_responses_under_its_prefix(synthesise: Synthesise) -> None:
    assembly = synthesise(("serving.capture.percent", 10))
    capture = assembly.only("AWS::SageMaker::EndpointConfig")["DataCaptureConfig"]
    assert (capture["EnableCapture"], capture["InitialSamplingPercentage"]) == (True, 10)
    assert [option["CaptureMode"] for option in capture["CaptureOptions"]] == ["Input", "Output"]
    start, bucket, end = capture["DestinationS3Uri"]["Fn::Join"][1]
    assert (start, end) == ("s3://", "/capture/")
    assert bucket["Fn::GetStackOutput"]["StackName"] == "kennel-storage"


def test_the_models_role_may_write_only_captures(synthesise: Synthesise) -> None:
    assembly = synthesise(("serving.capture.percent", 10), ("serving.capture.prefix", "seen/"))
    writing = [
        statement
        for _, logical_id, policy in assembly.resources("AWS::IAM::Policy")
        if logical_id.startswith("ModelRole")
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "s3:Put" in str(statement["Action"])
    ]
    (statement,) = writing
    assert (statement["Action"], statement["Effect"]) == ("s3:PutObject", "Allow")
    *_, bucket, objects = statement["Resource"]["Fn::Join"][1]
    assert (bucket["Fn::GetStackOutput"]["OutputName"], objects) == ("BucketName", "/seen/*")


def test_cdk_nag_finds_nothing(synthesise: Synthesise) -> None:
    assembly = synthesise(("serving.capture.percent", 10))
    assert [found for found in findings(assembly.app) if found[1].startswith(("Serving/", "Storage/"))] == []


def test_captures_expire(synthesise: Synthesise) -> None:
    assembly = synthesise(("serving.capture.percent", 10), ("serving.capture.keep_days", 7))
    rules = assembly.only("AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    (rule,) = [rule for rule in rules if rule.get("Prefix") == "capture/"]
    assert (rule["ExpirationInDays"], rule["Status"]) == (7, "Enabled")
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}  # otherwise they would only get a delete marker


def test_a_change_of_capture_takes_effect_although_variant_properties_are_retained(development: Assembly) -> None:
    """The exclusion is always there, since turning capture off is such a change too."""
    endpoint = development.only("AWS::SageMaker::Endpoint")
    assert endpoint["ExcludeRetainedVariantProperties"] == [{"VariantPropertyType": "DataCaptureConfig"}]


@pytest.mark.parametrize("prefix", ["data/", "data/seen/", "training/"])
def test_a_capture_prefix_within_that_of_photos_or_artifacts_is_rejected(prefix: str) -> None:
    with pytest.raises(
        SettingsError, match=rf"serving\.capture\.prefix is '{prefix}', but must be neither within storage"
    ):
        load_settings({"serving.capture.prefix": prefix})
