"""The availability zone of the workbench, and the images that the settings name."""

import pytest

from tests.preflight.account import Account, RefusedCallError
from tests.preflight.ready import REGION, client, findings, only

Offers = dict[str, list[str]]


def offer(account: Account, zones: Offers) -> None:
    """AWS offers each instance type in these zones alone."""
    account.answer(
        "ec2.DescribeInstanceTypeOfferings",
        lambda call: {
            "InstanceTypeOfferings": [
                {"InstanceType": kind, "LocationType": "availability-zone", "Location": zone}
                for kind, places in zones.items()
                if kind in call.values()
                for zone in places
            ]
        },
    )


def test_a_zone_without_the_type_of_the_host_has_another_zone_as_remedy(account: Account) -> None:
    offer(account, {"g4dn.xlarge": [f"{REGION}b", f"{REGION}c"]})

    finding = only("zone", {"workbench.notebook": "false"})

    assert finding.severity == "error"
    assert f"does not offer g4dn.xlarge (workbench.host_instance_type) in {REGION}a" in finding.summary
    assert "-c workbench.zone_index=1 (zones that offer it: 1, 2)" in finding.remedy


def test_the_override_of_the_command_line_closes_it(account: Account) -> None:
    offer(account, {"g4dn.xlarge": [f"{REGION}b"]})

    assert findings("zone", {"workbench.zone_index": "1"}) == []


def test_the_offer_for_the_notebook_is_only_likely(account: Account) -> None:
    offer(account, {"g4dn.xlarge": [f"{REGION}b"]})

    finding = only("zone", {"workbench.host": "false"})

    assert finding.severity == "warning"
    assert "workbench.notebook_instance_type" in finding.summary


def test_a_type_that_no_zone_offers(account: Account) -> None:
    offer(account, {})

    assert "No zone of eu-west-1 offers it" in only("zone", {"workbench.notebook": "false"}).remedy


def test_a_zone_that_the_region_does_not_have(account: Account) -> None:
    finding = only("zone", {"workbench.zone_index": "5"})

    assert (
        "workbench.zone_index is 5, but eu-west-1 has the zones eu-west-1a, eu-west-1b, eu-west-1c" in finding.summary
    )


def test_only_zones_with_a_default_subnet_count(account: Account) -> None:
    """As for CloudFormation's Fn::GetAZs, from which the template takes the zone."""
    ec2 = client(account, "ec2")
    for subnet in ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": [f"{REGION}a"]}])["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    offer(account, {"g4dn.xlarge": [f"{REGION}a"]})

    assert f"in {REGION}b, the zone of" in only("zone", {"workbench.notebook": "false"}).summary


def test_without_the_workbench_no_zone_is_looked_up(account: Account) -> None:
    offer(account, {})

    assert findings("zone", {"workbench.host": "false", "workbench.notebook": "false"}) == []
    assert findings("zone", stacks=["Serving"]) == []


@pytest.mark.parametrize(
    ("host_image", "says"),
    [
        ("resolve:ssm:/mine/ami", "There is no SSM parameter /mine/ami in eu-west-1"),
        ("ami-00000000", "There is no image ami-00000000 in eu-west-1"),
    ],
)
def test_an_image_of_the_host_that_does_not_exist(account: Account, host_image: str, says: str) -> None:
    finding = only("images", {"workbench.host_image": host_image})

    assert finding.severity == "error"
    assert says in finding.summary


def test_a_pinned_image_of_another_region_is_pinned_again(account: Account) -> None:
    assert only("images", {"workbench.host_image": "ami-00000000"}).remedy.startswith("make ami")


def test_a_tag_that_awss_registry_does_not_have(account: Account) -> None:
    account.answer("ecr.BatchGetImage", {"images": [], "failures": [{"failureCode": "ImageNotFound"}]})

    finding = only("images", {"training.image_tag": "1.0"}, stacks=["Training"])

    assert finding.severity == "error"
    assert "registry 763104351884 in eu-west-1 has no image pytorch:1.0" in finding.summary


def test_a_region_without_training_images(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-gov-west-1")

    finding = only("images", stacks=["Training"])

    assert "in us-gov-west-1" in finding.summary


def test_a_given_artifact_needs_no_training_image(account: Account) -> None:
    account.answer("ecr.BatchGetImage", {"images": [], "failures": []})

    assert findings("images", {"training.model_data": "s3://bucket/model.tar.gz"}) == []


@pytest.mark.parametrize("name", ["kennel:1", f"team/kennel@sha256:{'0' * 64}"])
def test_a_serving_image_that_is_not_in_its_repository(account: Account, name: str) -> None:
    uri = f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/{name}"
    account.refuse("ecr.BatchGetImage", RefusedCallError("RepositoryNotFoundException"))

    finding = only(
        "images", {"serving.image_uri": uri, "training.model_data": "s3://bucket/model.tar.gz"}, stacks=["Serving"]
    )

    assert f"There is no image {uri}" in finding.summary


def test_a_serving_image_that_is_there(account: Account) -> None:
    asked: list[object] = []

    def answer(call: dict[str, object]) -> dict[str, object]:
        asked.append((call["registryId"], call["repositoryName"], call["imageIds"]))
        return {"images": [{}], "failures": []}

    account.answer("ecr.BatchGetImage", answer)
    uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/kennel:1"

    assert findings("images", {"serving.image_uri": uri, "training.model_data": "s3://b00/m.tar.gz"}) == []
    assert asked == [("123456789012", "team/kennel", [{"imageTag": "1"}])]
