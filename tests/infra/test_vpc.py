"""The job, the model and the workbench in a VPC that exists: what the templates say, and the rights for it."""

import json
from typing import Any

import pytest

from stacks.settings import SettingsError
from stacks.training.handler.request import JobRequest
from tests.infra.conftest import Assembly, Synthesise, load_settings
from tests.infra.deployment import Deployment, name_for
from tests.infra.events import properties
from tests.infra.iam import Right, listed, rights
from tests.infra.nag import findings

SUBNETS = ["subnet-0aaaaaaaaaaaaaaa1", "subnet-0aaaaaaaaaaaaaaa2"]
GROUPS = ["sg-0bbbbbbbbbbbbbbb1"]
VPC = "vpc-0ccccccccccccccc1"
JOB = (("training.subnets", ",".join(SUBNETS)), ("training.security_groups", ",".join(GROUPS)))
MODEL = (("serving.subnets", ",".join(SUBNETS)), ("serving.security_groups", ",".join(GROUPS)))
WORKBENCH = (("workbench.vpc", VPC), ("workbench.subnet", SUBNETS[0]))


def network_rights(assembly: Assembly) -> list[Right]:
    return [right for right in rights(assembly) if any(action.startswith("ec2:") for action in right.actions)]


def text(value: Any) -> str:
    return json.dumps(value)


def test_the_job_gets_the_subnets_and_groups(synthesise: Synthesise) -> None:
    job = synthesise(*JOB).only("Custom::TrainingJob")
    arguments = JobRequest.of(properties(**{key: job[key] for key in ("Subnets", "SecurityGroups")})).arguments(
        "kennel-0", "ml.g4dn.xlarge"
    )
    assert arguments["VpcConfig"] == {"Subnets": SUBNETS, "SecurityGroupIds": GROUPS}


def test_the_model_gets_the_subnets_and_groups_and_stays_isolated(synthesise: Synthesise) -> None:
    model = synthesise(*MODEL).only("AWS::SageMaker::Model")
    assert model["VpcConfig"] == {"Subnets": SUBNETS, "SecurityGroupIds": GROUPS}
    assert model["EnableNetworkIsolation"] is True


def test_by_default_nothing_is_in_a_vpc_of_the_user(development: Assembly) -> None:
    assert "VpcConfig" not in development.only("AWS::SageMaker::Model")
    assert "VpcConfig" not in JobRequest.of(properties()).arguments("kennel-0", "ml.g4dn.xlarge")
    assert not {"Subnets", "SecurityGroups"} & development.only("Custom::TrainingJob").keys()
    assert network_rights(development) == []


@pytest.mark.parametrize(("settings", "role"), [(JOB, "JobRole"), (MODEL, "ModelRole")])
def test_the_role_may_make_interfaces_in_these_subnets_alone(
    synthesise: Synthesise, settings: tuple[tuple[str, object], ...], role: str
) -> None:
    held = [right for right in network_rights(synthesise(*settings)) if right.holder.startswith(role)]
    by_action = {action: right for right in held for action in right.actions if action.startswith("ec2:")}
    assert by_action.keys() == {
        "ec2:CreateNetworkInterface",
        "ec2:CreateNetworkInterfacePermission",
        "ec2:DeleteNetworkInterface",
        "ec2:DeleteNetworkInterfacePermission",
        "ec2:DescribeDhcpOptions",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
    }
    made = sorted(
        text(resource).rpartition(":")[2].partition('"')[0]
        for resource in by_action["ec2:CreateNetworkInterface"].resources
    )
    assert made == [
        "network-interface/*",
        *(f"security-group/{group}" for group in GROUPS),
        *(f"subnet/{subnet}" for subnet in SUBNETS),
    ]
    for action, right in by_action.items():
        if "NetworkInterfacePermission" in action or action == "ec2:DeleteNetworkInterface":
            within = [text(arn) for arn in listed(right.conditions["ArnLike"]["ec2:Subnet"])]
            assert [arn.rpartition("/")[2].partition('"')[0] for arn in within] == SUBNETS
            assert "*" not in right.resources


def test_a_subnet_that_another_account_shares_is_named_in_any_account(synthesise: Synthesise) -> None:
    (create, *_) = [r for r in network_rights(synthesise(*JOB)) if "ec2:CreateNetworkInterface" in r.actions]
    shared = [resource for resource in create.resources if "network-interface" not in text(resource)]
    assert len(shared) == 3
    assert not [resource for resource in shared if "AWS::AccountId" in text(resource)]


def test_the_handler_may_read_security_groups_only_where_hosts_meet_in_a_vpc(synthesise: Synthesise) -> None:
    def reads(*settings: tuple[str, object]) -> bool:
        found = network_rights(synthesise(*settings))
        return any(right.holder.startswith("TrainingJobRole") for right in found)

    assert reads(*JOB)
    assert not reads(*JOB, ("training.instance_count", 1))


def test_another_network_starts_no_other_training(deployment: Deployment) -> None:
    single = {"InstanceCount": "1"}
    environment = {"PIP_INDEX_URL": "https://packages.example.org/simple/"}
    in_vpc = name_for(deployment, Subnets=SUBNETS, SecurityGroups=GROUPS, Environment=environment, **single)
    assert in_vpc == name_for(deployment, **single)


def test_every_finding_is_acknowledged_in_a_vpc_too(synthesise: Synthesise) -> None:
    everything = synthesise(*JOB, *MODEL, *WORKBENCH, ("workbench.notebook_internet", "false"))
    assert findings(everything.app) == []


REPOSITORY = "arn:aws:codeartifact:eu-west-1:111122223333:repository/dogs/pypi"


def test_the_job_finds_its_packages_in_a_codeartifact_repository(synthesise: Synthesise) -> None:
    """SageMaker's training toolkit reads this variable, and calls CodeArtifact with the job's role."""
    assembly = synthesise(("training.package_index", REPOSITORY))
    job = assembly.only("Custom::TrainingJob")
    arguments = JobRequest.of(properties(Environment=job["Environment"])).arguments("kennel-0", "ml.g4dn.xlarge")
    assert arguments["Environment"] == {"CA_REPOSITORY_ARN": REPOSITORY}
    held = {
        action: (right.resources, right.conditions)
        for right in rights(assembly)
        for action in right.actions
        if right.holder.startswith("JobRole") and action.startswith(("codeartifact:", "sts:"))
    }
    domain = REPOSITORY.replace("repository/dogs/pypi", "domain/dogs")
    only = {"StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}}
    assert held == {
        "codeartifact:GetAuthorizationToken": ([domain], {}),
        "codeartifact:GetRepositoryEndpoint": ([REPOSITORY], {}),
        "codeartifact:ReadFromRepository": ([REPOSITORY], {}),
        "sts:GetServiceBearerToken": (["*"], only),
    }


def test_the_job_finds_its_packages_at_an_address(synthesise: Synthesise, development: Assembly) -> None:
    index = "https://packages.example.org/pypi/simple/"
    job = synthesise(("training.package_index", index)).only("Custom::TrainingJob")
    assert job["Environment"] == {"PIP_INDEX_URL": index}
    assert "Environment" not in development.only("Custom::TrainingJob")
    assert "Environment" not in JobRequest.of(properties()).arguments("kennel-0", "ml.g4dn.xlarge")


@pytest.mark.parametrize("section", ["training", "serving"])
@pytest.mark.parametrize(
    ("subnets", "groups", "refusal"),
    [
        (SUBNETS, [], r"{}\.security_groups is '', but must be set too, because {}\.subnets is 'subnet-"),
        ([], GROUPS, r"{}\.subnets is '', but must be set too, because {}\.security_groups is 'sg-"),
        ([SUBNETS[0], SUBNETS[0]], GROUPS, r"{}\.subnets is 'subnet-.*different ids"),
        ([f"subnet-{number:017x}" for number in range(17)], GROUPS, r"{}\.subnets is 'subnet-.* to 16 different ids"),
        (SUBNETS, [f"sg-{number:017x}" for number in range(6)], r"{}\.security_groups is 'sg-.*1 to 5 different ids"),
    ],
)
def test_a_network_that_sagemaker_refuses_is_refused_by_name(
    section: str, subnets: list[str], groups: list[str], refusal: str
) -> None:
    with pytest.raises(SettingsError, match=refusal.replace("{}", section)):
        load_settings({f"{section}.subnets": ",".join(subnets), f"{section}.security_groups": ",".join(groups)})


def test_the_model_needs_two_subnets_and_the_job_one() -> None:
    load_settings({"training.subnets": SUBNETS[0], "training.security_groups": GROUPS[0]})
    with pytest.raises(SettingsError, match=r"serving\.subnets is 'subnet-.*2 to 16 different ids, in different"):
        load_settings({"serving.subnets": SUBNETS[0], "serving.security_groups": GROUPS[0]})


def test_in_a_vpc_of_the_user_the_workbench_makes_one_security_group_and_no_other_network(
    synthesise: Synthesise,
) -> None:
    assembly = synthesise(*WORKBENCH)
    kinds = [resource["Type"] for _, _, resource in assembly.resources("*") if "::EC2::" in resource["Type"]]
    assert sorted(kinds) == ["AWS::EC2::Instance", "AWS::EC2::LaunchTemplate", "AWS::EC2::SecurityGroup"]
    ((_, group, resource),) = assembly.resources("AWS::EC2::SecurityGroup")
    assert resource["Properties"]["VpcId"] == VPC
    assert "SecurityGroupIngress" not in resource["Properties"]
    for kind in ("AWS::EC2::Instance", "AWS::SageMaker::NotebookInstance"):
        instance = assembly.only(kind)
        assert instance["SubnetId"] == SUBNETS[0]
        assert instance["SecurityGroupIds"] == [{"Fn::GetAtt": [group, "GroupId"]}]


def test_with_security_groups_of_the_user_the_workbench_makes_no_network_at_all(synthesise: Synthesise) -> None:
    assembly = synthesise(("workbench.subnet", SUBNETS[0]), ("workbench.security_groups", GROUPS[0]))
    assert list(assembly.resources("AWS::EC2::SecurityGroup")) == []
    for kind in ("AWS::EC2::Instance", "AWS::SageMaker::NotebookInstance"):
        assert assembly.only(kind)["SecurityGroupIds"] == GROUPS


def test_synthesis_in_a_vpc_of_the_user_looks_nothing_up(synthesise: Synthesise) -> None:
    manifest = json.loads((synthesise(*JOB, *MODEL, *WORKBENCH).folder / "manifest.json").read_text())
    assert "missing" not in manifest


def test_the_notebook_can_be_without_direct_internet_access(synthesise: Synthesise, development: Assembly) -> None:
    off = synthesise(*WORKBENCH, ("workbench.notebook_internet", "false"))
    assert off.only("AWS::SageMaker::NotebookInstance")["DirectInternetAccess"] == "Disabled"
    assert development.only("AWS::SageMaker::NotebookInstance")["DirectInternetAccess"] == "Enabled"


@pytest.mark.parametrize(
    ("settings", "refusal"),
    [
        ({"vpc": VPC}, r"workbench\.subnet is '', but must be a subnet .* workbench\.vpc is 'vpc-"),
        ({"security_groups": GROUPS[0]}, r"workbench\.subnet is '', .* workbench\.security_groups is 'sg-"),
        ({"subnet": SUBNETS[0]}, r"workbench\.vpc is '', but must be the VPC of workbench\.subnet"),
        ({"subnet": SUBNETS[0], "vpc": VPC, "zone_index": 1}, r"workbench\.zone_index is 1, but must be 0"),
        ({"notebook_internet": "false"}, r"workbench\.notebook_internet is False, but must be true without"),
        (
            {"subnet": SUBNETS[0], "security_groups": f"{GROUPS[0]},{GROUPS[0]}"},
            r"workbench\.security_groups is 'sg-.*at most 5 different ids",
        ),
    ],
)
def test_a_workbench_without_a_place_is_refused_by_name(settings: dict[str, object], refusal: str) -> None:
    with pytest.raises(SettingsError, match=refusal):
        load_settings({f"workbench.{name}": value for name, value in settings.items()})
