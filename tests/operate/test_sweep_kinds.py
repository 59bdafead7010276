"""What `kennel sweep` lists and deletes of networks, instances, notebook instances and provisioned concurrency."""

import io
import json
import zipfile
from typing import Any

import pytest

from tests.operate.deployment import REGION
from tests.operate.moto_account import SMOKE, client, kennel, pairs
from tests.preflight.account import ACCOUNT, Account, RefusedCallError

DAYS_A_MONTH = 730 / 24


@pytest.fixture(autouse=True)
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """typer's runner has no file number, for which the question waits."""
    monkeypatch.setattr("ops.question.select.select", lambda files, *_: (files, [], []))


def tagged(resource_type: str) -> list[dict[str, Any]]:
    return [{"ResourceType": resource_type, "Tags": pairs(SMOKE)}]


def list_by_tags(account: Account, **names: str) -> None:
    """What the tagging API lists; moto's lists none of these types. names: of resources, by the type."""
    account.answer(
        "resourcegroupstaggingapi.GetResources",
        {
            "ResourceTagMappingList": [
                {"ResourceARN": f"arn:aws:ec2:{REGION}:{ACCOUNT}:{name}/{resource}", "Tags": pairs(SMOKE)}
                for name, resource in names.items()
            ]
        },
    )


def subnet() -> tuple[str, str]:
    """A VPC and a subnet in it."""
    network = client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = client("ec2").create_subnet(VpcId=network, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    return network, made


def found(*arguments: str, answers: str = "") -> dict[str, dict[str, Any]]:
    """What `kennel sweep` lists, by the kind."""
    result = kennel("--env", "smoke", "--json", *arguments, answers=answers)
    return {each["kind"]: each for each in json.loads(result.stdout)["found"]}


def test_a_nat_gateway_is_deleted_before_its_address(account: Account) -> None:
    address = client("ec2").allocate_address(Domain="vpc")["AllocationId"]
    gateway = client("ec2").create_nat_gateway(SubnetId=subnet()[1], AllocationId=address)["NatGateway"]["NatGatewayId"]
    list_by_tags(account, **{"natgateway": gateway, "elastic-ip": address})

    swept = found("--yes", answers="y\ny\n")

    assert list(swept) == ["NAT gateway", "public address"]
    assert swept["NAT gateway"]["usd_day"] == pytest.approx(0.045 * 24)
    assert swept["public address"]["usd_day"] == pytest.approx(0.005 * 24)
    assert [each["deleted"] for each in swept.values()] == [True, True]
    assert client("ec2").describe_addresses()["Addresses"] == []
    assert found() == {}


def test_an_interface_endpoint_bills_in_each_subnet_and_a_gateway_is_free(account: Account) -> None:
    network, one = subnet()
    two = client("ec2").create_subnet(VpcId=network, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    made = {
        kind: client("ec2").create_vpc_endpoint(
            VpcEndpointType=kind,
            VpcId=network,
            ServiceName=f"com.amazonaws.{REGION}.{service}",
            SubnetIds=places,
        )["VpcEndpoint"]["VpcEndpointId"]
        for kind, service, places in (("Interface", "ecr.api", [one, two]), ("Gateway", "s3", []))
    }
    list_by_tags(account, **{"vpc-endpoint": made["Gateway"]})
    assert found() == {}
    list_by_tags(account, **{"vpc-endpoint": made["Interface"]})

    swept = found("--yes", answers="y\n")["VPC endpoint"]

    assert swept["usd_day"] == pytest.approx(2 * 0.01 * 24)
    assert (swept["about"], swept["deleted"]) == (f"com.amazonaws.{REGION}.ecr.api in 2 subnets", True)
    assert found() == {}


def launch(**more: Any) -> str:
    """An instance whose volume has the environment's tags, as the workbench's host."""
    disk = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 100, "VolumeType": "gp3", "DeleteOnTermination": True}}
    (made,) = client("ec2").run_instances(
        ImageId="ami-12c6146b",
        InstanceType="g4dn.xlarge",
        MinCount=1,
        MaxCount=1,
        BlockDeviceMappings=[disk],
        TagSpecifications=tagged("instance") + tagged("volume"),
        **more,
    )["Instances"]
    name: str = made["InstanceId"]
    return name


def test_an_instance_bills_with_its_volumes_and_is_deleted_with_them(account: Account) -> None:
    """The volume is not asked about: AWS refuses to delete it before the instance, and deletes it with the instance."""
    name = launch()

    listed = found()
    swept = found("--yes", answers="y\ny\n")

    assert list(listed) == list(swept) == ["EC2 instance"]
    (described,) = client("ec2").describe_instances(InstanceIds=[name])["Reservations"][0]["Instances"]
    # 0.526 an hour, and 100 GiB at 0.08 a month; moto's address has another owner than AWS's
    assert listed["EC2 instance"]["usd_day"] == pytest.approx(0.526 * 24 + 100 * 0.08 / DAYS_A_MONTH)
    assert described["State"]["Name"] == "terminated"


def test_the_address_that_a_subnet_gives_to_an_instance_bills_while_it_runs(account: Account) -> None:
    name = launch()
    (reservation,) = client("ec2").describe_instances(InstanceIds=[name])["Reservations"]
    given = {"Association": {"IpOwnerId": "amazon", "PublicIp": "198.51.100.1"}}
    elastic = {"Association": {"IpOwnerId": "123456789012", "PublicIp": "198.51.100.2"}}
    instance: dict[str, Any] = {"InstanceId": name, "State": {"Name": "running"}, "InstanceType": "g4dn.xlarge"}
    instance["NetworkInterfaces"] = [given, elastic]
    account.answer("ec2.DescribeInstances", {"Reservations": [{**reservation, "Instances": [instance]}]})

    price = found()["EC2 instance"]["usd_day"]

    assert price == pytest.approx((0.526 + 0.005) * 24 + 100 * 0.08 / DAYS_A_MONTH)


def test_an_instance_that_is_stopped_bills_its_volumes_alone(account: Account) -> None:
    client("ec2").stop_instances(InstanceIds=[launch()])

    swept = found()["EC2 instance"]

    assert swept["about"] == "g4dn.xlarge, stopped: its volumes"
    assert swept["usd_day"] == pytest.approx(100 * 0.08 / DAYS_A_MONTH)


def make_notebook(account: Account, status: str) -> None:
    client("sagemaker").create_notebook_instance(
        NotebookInstanceName="kennel",
        InstanceType="ml.m5.xlarge",
        RoleArn="arn:aws:iam::123456789012:role/any",
        VolumeSizeInGB=20,
        Tags=pairs(SMOKE),
    )
    arn = client("sagemaker").describe_notebook_instance(NotebookInstanceName="kennel")["NotebookInstanceArn"]
    mapping = {"ResourceARN": arn, "Tags": pairs(SMOKE)}
    account.answer("resourcegroupstaggingapi.GetResources", {"ResourceTagMappingList": [mapping]})
    if status == "Failed":
        described = {"NotebookInstanceName": "kennel", "NotebookInstanceStatus": status, "VolumeSizeInGB": 20}
        account.answer("sagemaker.DescribeNotebookInstance", {**described, "InstanceType": "ml.m5.xlarge"})


def test_a_notebook_instance_is_stopped_and_deleted(account: Account) -> None:
    make_notebook(account, "InService")

    before = found("--yes", answers="y\n")["notebook instance"]

    assert (before["about"], before["deleted"]) == ("ml.m5.xlarge, InService", True)
    assert before["usd_day"] == pytest.approx(0.23 * 24 + 20 * 0.14 / DAYS_A_MONTH)
    assert client("sagemaker").list_notebook_instances()["NotebookInstances"] == []


def test_a_notebook_instance_that_failed_is_deleted_without_a_stop(account: Account) -> None:
    make_notebook(account, "Failed")
    account.answer("sagemaker.DeleteNotebookInstance", {})

    swept = found("--yes", answers="y\n")["notebook instance"]

    assert (swept["deleted"], swept["kept"]) == (True, "")
    assert account.calls["sagemaker.DeleteNotebookInstance"] == 1
    assert "sagemaker.StopNotebookInstance" not in account.calls


def test_a_notebook_instance_that_is_gone_is_not_listed(account: Account) -> None:
    make_notebook(account, "InService")
    account.refuse("sagemaker.DescribeNotebookInstance", RefusedCallError("ValidationException", "RecordNotFound"))

    result = kennel("--env", "smoke")

    assert (result.exit_code, "unknown" in result.stdout) == (0, False)


def test_what_is_gone_when_it_is_to_be_deleted_counts_as_deleted(account: Account) -> None:
    list_by_tags(account, **{"elastic-ip": client("ec2").allocate_address(Domain="vpc")["AllocationId"]})
    account.refuse("ec2.ReleaseAddress", RefusedCallError("InvalidAllocationID.NotFound"))

    assert found("--yes", answers="y\n")["public address"]["deleted"] is True


def test_provisioned_concurrency_is_deleted_and_the_function_stays(account: Account) -> None:
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "*"}]}
    role = client("iam").create_role(RoleName="any", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "")
    client("lambda").create_function(
        FunctionName="kennel-smoke-api",
        Runtime="python3.13",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": code.getvalue()},
        MemorySize=512,
        Architectures=["arm64"],
        Publish=True,
        Tags=SMOKE,
    )
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:kennel-smoke-api"
    configs = [{"FunctionArn": f"{arn}:live", "RequestedProvisionedConcurrentExecutions": 3}]
    deleted: list[dict[str, Any]] = []
    account.answer(
        "lambda.ListProvisionedConcurrencyConfigs",
        lambda _: {"ProvisionedConcurrencyConfigs": [] if deleted else configs},
    )

    def delete(given: dict[str, Any]) -> dict[str, Any]:
        deleted.append(given)
        return {}

    account.answer("lambda.DeleteProvisionedConcurrencyConfig", delete)

    swept = found("--yes", answers="y\n")["provisioned concurrency"]

    assert (swept["about"], swept["deleted"]) == ("3 of 512 MiB", True)
    assert swept["usd_day"] == pytest.approx(3 * 0.5 * 0.0000033333 * 86_400)
    assert [each["FunctionName"] for each in deleted] == ["kennel-smoke-api"]
    assert found() == {}
    assert len(client("lambda").list_functions()["Functions"]) == 1
