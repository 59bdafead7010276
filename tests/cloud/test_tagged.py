"""The Resource Groups Tagging API lists what the engine by itself does not list by its tags."""

from pathlib import Path

from tests.cloud.conftest import Client, make_alarm
from tests.cloud.hosted import hosted

TAGS = [{"Key": "project", "Value": "tagged"}]


def listed(client: Client, *types: str) -> list[str]:
    """Service and resource of each ARN with the tag."""
    pages = client("resourcegroupstaggingapi").get_paginator("get_resources")
    filters = [{"Key": "project", "Values": ["tagged"]}]
    found = pages.paginate(TagFilters=filters, ResourceTypeFilters=list(types))
    return sorted(
        ":".join([each["ResourceARN"].split(":")[2], each["ResourceARN"].split(":", 5)[5]])
        for page in found
        for each in page["ResourceTagMappingList"]
    )


def test_resources_are_listed_by_their_tags_and_types(client: Client) -> None:
    volume = client("ec2").create_volume(
        AvailabilityZone="us-east-1a", Size=8, TagSpecifications=[{"ResourceType": "volume", "Tags": TAGS}]
    )["VolumeId"]
    client("logs").create_log_group(logGroupName="/tagged/log", tags={"project": "tagged"})
    client("logs").create_log_group(logGroupName="/untagged/log")
    make_alarm(client, "tagged", TAGS)

    assert listed(client) == ["cloudwatch:alarm:tagged", f"ec2:volume/{volume}", "logs:log-group:/tagged/log"]
    assert listed(client, "ec2:volume", "ec2:instance") == [f"ec2:volume/{volume}"]
    assert listed(client, "logs:log-group") == ["logs:log-group:/tagged/log"]
    assert listed(client, "sagemaker:endpoint") == []


def test_sagemaker_says_the_tags_of_what_exists(tmp_path: Path) -> None:
    with hosted(tmp_path) as cloud:
        cloud.model("first", parameters={"Tags": TAGS})
        tags = dict(cloud.tags.all())

        assert [arn.rpartition(":")[2] for arn, each in tags.items() if each == {"project": "tagged"}] == [
            "model/first"
        ]
        cloud.call("DeleteModel", ModelName="first")
        assert not [arn for arn in dict(cloud.tags.all()) if arn.endswith("model/first")]
