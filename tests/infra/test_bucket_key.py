"""storage.kms_key_arn: the bucket's own key, and the rights on it of every role that uses the bucket's objects."""

import json
from dataclasses import replace
from typing import Any

import pytest

from stacks.settings import SettingsError
from stacks.training.handler.request import JobRequest
from tests.infra.conftest import DEVELOPMENT, Assembly, Synthesise
from tests.infra.deployment import Deployment, name_for
from tests.infra.events import properties
from tests.infra.iam import Right, on_the_bucket, rights

KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
WITH_KEY = ("storage.kms_key_arn", KEY)
ALL_USERS = (WITH_KEY, ("serving.capture.percent", 10), ("api.readable_s3_prefixes", "s3://callers/photos/"))
"""With these settings every role that can use objects of a bucket does."""

VIA_S3 = {
    "StringEquals": {
        "kms:ViaService": {"Fn::Join": ["", ["s3.", {"Ref": "AWS::Region"}, ".", {"Ref": "AWS::URLSuffix"}]]}
    }
}


@pytest.fixture
def with_key(synthesise: Synthesise) -> Assembly:
    return synthesise(*ALL_USERS)


def on_the_key(assembly: Assembly) -> list[Right]:
    return [right for right in rights(assembly) if any(action.startswith("kms:") for action in right.actions)]


def held(assembly: Assembly) -> dict[str, set[str]]:
    """The actions on the key by role, those through S3 alone."""
    found: dict[str, set[str]] = {}
    for right in on_the_key(assembly):
        if right.conditions == VIA_S3:
            found.setdefault(right.holder[:-8].removesuffix("DefaultPolicy"), set()).update(right.actions)
    return found


def test_s3_encrypts_with_the_key_and_asks_kms_once_for_many_objects(with_key: Assembly) -> None:
    (rule,) = with_key.only("AWS::S3::Bucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
    assert rule["BucketKeyEnabled"] is True


def test_each_role_may_use_the_key_as_far_as_it_reads_and_writes(with_key: Assembly) -> None:
    read, write = {"kms:Decrypt"}, {"kms:Decrypt", "kms:GenerateDataKey"}
    assert held(with_key) == {
        "JobRole": write,
        "ModelRole": write,  # it writes captures
        "HostRole": write,
        "NotebookRole": read,
        "FunctionRole": read,
    }


def test_every_role_with_rights_on_the_buckets_objects_may_use_the_key(with_key: Assembly) -> None:
    """A role that is new here is in this list without a change of the test."""
    for holder, action, _ in on_the_bucket(with_key):
        if action != "s3:ListBucket":
            needed = "kms:GenerateDataKey" if action == "s3:PutObject" else "kms:Decrypt"
            assert needed in held(with_key)[holder.removesuffix("DefaultPolicy")], (holder, action)


def test_a_model_without_capture_may_only_decrypt(synthesise: Synthesise) -> None:
    assert held(synthesise(WITH_KEY))["ModelRole"] == {"kms:Decrypt"}


def test_a_given_artifact_can_be_in_the_stacks_own_bucket(synthesise: Synthesise) -> None:
    given = synthesise(WITH_KEY, ("training.model_data", "s3://bucket/training/artifacts/job/output/model.tar.gz"))
    assert held(given)["ModelRole"] == {"kms:Decrypt"}


def test_a_function_that_reads_no_photos_has_no_right_on_the_key(synthesise: Synthesise) -> None:
    assert "FunctionRole" not in held(synthesise(WITH_KEY))


def test_no_role_has_a_right_on_another_key_or_outside_s3(with_key: Assembly) -> None:
    for right in on_the_key(with_key):
        assert right.resources == [KEY], right
    (beyond,) = [right for right in on_the_key(with_key) if right.conditions != VIA_S3]
    assert (beyond.holder[:7], beyond.actions) == ("JobRole", ["kms:Encrypt"])  # SageMaker documents it for the output


def test_without_a_key_no_role_has_a_right_on_any(development: Assembly) -> None:
    assert on_the_key(development) == []


def test_captures_are_encrypted_with_the_key(with_key: Assembly) -> None:
    assert with_key.only("AWS::SageMaker::EndpointConfig")["DataCaptureConfig"]["KmsKeyId"] == KEY


def test_the_job_writes_its_artifact_with_the_key(with_key: Assembly) -> None:
    assert with_key.only("Custom::TrainingJob")["KmsKey"] == KEY
    arguments = JobRequest.of(properties(KmsKey=KEY)).arguments("kennel-0", "ml.g4dn.xlarge")
    assert arguments["OutputDataConfig"]["KmsKeyId"] == KEY
    assert "KmsKeyId" not in JobRequest.of(properties()).arguments("kennel-0", "ml.g4dn.xlarge")["OutputDataConfig"]


def keys_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {*value, *(key for item in value.values() for key in keys_of(item))}
    return {key for item in value for key in keys_of(item)} if isinstance(value, list) else set()


def test_no_volume_is_encrypted_with_the_key(with_key: Assembly) -> None:
    """SageMaker refuses a key for instances with local disks, such as the g4dn."""
    arguments = JobRequest.of(properties(KmsKey=KEY)).arguments("kennel-0", "ml.g4dn.xlarge")
    assert "VolumeKmsKeyId" not in keys_of(arguments)
    for kind in ("AWS::SageMaker::NotebookInstance", "AWS::EC2::Instance", "AWS::SageMaker::EndpointConfig"):
        resource = {key: value for key, value in with_key.only(kind).items() if key != "DataCaptureConfig"}
        assert KEY not in json.dumps(resource), kind


def test_another_key_starts_no_other_training(deployment: Deployment) -> None:
    assert name_for(deployment, KmsKey=KEY) == name_for(deployment)


def test_a_key_of_another_region_is_refused_during_synthesis(synthesise: Synthesise) -> None:
    with pytest.raises(SettingsError, match=r"storage\.kms_key_arn is '.*', a key of eu-west-1, .* us-east-1"):
        synthesise(WITH_KEY, environment=replace(DEVELOPMENT, region="us-east-1"))
    synthesise(WITH_KEY, environment=replace(DEVELOPMENT, region="eu-west-1"))
