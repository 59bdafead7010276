"""The quotas that the settings need."""

import pytest

from tests.preflight.account import Account, denied
from tests.preflight.ready import findings, only, set_quotas

TRAINING = "ml.g4dn.xlarge for training job usage"
ENDPOINT = "ml.m5.large for endpoint usage"
NOTEBOOK = "ml.g4dn.xlarge for notebook instance usage"
BUILDS = "Concurrently running builds for Linux/Small environment"
GPUS = "Running On-Demand G and VT instances"


def test_quotas_of_exactly_what_the_defaults_need_are_enough(account: Account) -> None:
    assert findings("quotas") == []


@pytest.mark.parametrize(
    ("name", "value", "severity", "needs", "code"),
    [
        (TRAINING, 1, "error", 2, "L-3F53BF0F"),
        (NOTEBOOK, 0, "error", 1, "L-D8B97089"),
        (ENDPOINT, 5, "warning", 6, "L-1E9C780D"),
        (BUILDS, 0, "error", 1, "L-9D07B6EF"),
        (GPUS, 3, "error", 4, "L-DB2E81BA"),
    ],
)
def test_a_quota_that_is_too_small_has_the_command_that_raises_it(
    account: Account, name: str, value: int, severity: str, needs: int, code: str
) -> None:
    set_quotas(account, {name: value})

    finding = only("quotas")

    assert finding.severity == severity
    assert f"{name!r} is {value}" in finding.summary
    assert f"at least {needs}" in finding.summary
    assert f"--quota-code {code} --desired-value {needs} --region eu-west-1" in finding.remedy


def test_a_region_without_room_for_another_vpc(account: Account) -> None:
    set_quotas(account, {"VPCs per Region": 1})

    finding = only("quotas")

    assert finding.severity == "error"
    assert "'VPCs per Region' is 1, and eu-west-1 has 1 already" in finding.summary
    assert "--quota-code L-F678F1CE --desired-value 2" in finding.remedy


def test_the_workbenchs_own_vpc_needs_no_room(account: Account) -> None:
    set_quotas(account, {"VPCs per Region": 1})
    ours = {"VpcId": "vpc-1", "Tags": [{"Key": "aws:cloudformation:stack-name", "Value": "kennel-workbench"}]}
    account.answer("ec2.DescribeVpcs", {"Vpcs": [ours]})

    assert findings("quotas") == []


def test_an_endpoint_that_cannot_start_is_an_error(account: Account) -> None:
    set_quotas(account, {ENDPOINT: 0})

    finding = only("quotas")

    assert finding.severity == "error"
    assert "--desired-value 6" in finding.remedy, "one request for what an update needs too"


@pytest.mark.parametrize(
    ("context", "name", "needs"),
    [
        ({"serving.scaling.max_instances": "5"}, ENDPOINT, 10),
        ({"training.instance_count": "4"}, TRAINING, 4),
    ],
)
def test_an_override_of_the_command_line_changes_what_is_needed(
    account: Account, context: dict[str, object], name: str, needs: int
) -> None:
    finding = only("quotas", context)

    assert f"{name!r}" in finding.summary
    assert f"at least {needs}" in finding.summary


@pytest.mark.parametrize(
    ("context", "names"),
    [
        ({"workbench.host": "false"}, [GPUS]),
        ({"workbench.notebook": "false"}, [NOTEBOOK]),
        ({"training.model_data": "s3://bucket/model.tar.gz"}, [TRAINING]),
        ({"serving.image_uri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/kennel:1"}, [BUILDS]),
    ],
)
def test_what_the_settings_turn_off_needs_no_quota(
    account: Account, context: dict[str, object], names: list[str]
) -> None:
    set_quotas(account, dict.fromkeys(names, 0.0))

    assert findings("quotas", context) == []


def test_another_instance_type_is_looked_up_by_its_name(account: Account) -> None:
    set_quotas(account, {"ml.g5.xlarge for spot training job usage": 1})

    finding = only("quotas", {"training.instance_type": "ml.g5.xlarge", "training.spot": "true"})

    assert "'ml.g5.xlarge for spot training job usage' is 1" in finding.summary
    assert "--quota-code L-00000000 --desired-value 2" in finding.remedy
    assert account.calls["service-quotas.ListServiceQuotas"] > 1, "the list has pages"


def test_a_fallback_type_without_a_quota_is_a_warning(account: Account) -> None:
    set_quotas(account, {"ml.g5.xlarge for training job usage": 0})

    finding = only("quotas", {"training.fallback_instance_types": "ml.g5.xlarge"})

    assert finding.severity == "warning"
    assert "training.fallback_instance_types" in finding.summary


def test_a_quota_that_aws_does_not_have_is_unknown(account: Account) -> None:
    set_quotas(account, {TRAINING: None})

    finding = only("quotas")

    assert finding.severity == "unknown"
    assert TRAINING in finding.summary


def test_a_code_that_means_another_quota_is_not_believed(account: Account) -> None:
    other = {"ServiceCode": "sagemaker", "QuotaName": "Something else", "QuotaCode": "L-3F53BF0F", "Value": 100}
    wanted = {"ServiceCode": "sagemaker", "QuotaName": TRAINING, "QuotaCode": "L-00000001", "Value": 0}
    account.answer("service-quotas.GetServiceQuota", {"Quota": other})
    account.answer("service-quotas.ListServiceQuotas", {"Quotas": [wanted]})

    assert any(f"{TRAINING!r} is 0" in finding.summary for finding in findings("quotas", stacks=["Training"]))


def test_a_value_that_was_never_raised_is_awss_default(account: Account) -> None:
    account.answer("service-quotas.ListServiceQuotas", {"Quotas": []})
    account.answer(
        "service-quotas.ListAWSDefaultServiceQuotas",
        {
            "Quotas": [
                {
                    "ServiceCode": "sagemaker",
                    "QuotaName": "ml.g5.xlarge for training job usage",
                    "QuotaCode": "L-2",
                    "Value": 0,
                }
            ]
        },
    )

    finding = only("quotas", {"training.instance_type": "ml.g5.xlarge"}, stacks=["Training"])

    assert "'ml.g5.xlarge for training job usage' is 0" in finding.summary


@pytest.mark.parametrize(
    ("limit", "provisioned", "enough"), [(10, 3, False), (12, 3, False), (13, 3, True), (10, 0, True)]
)
def test_lambda_keeps_ten_beside_the_provisioned_concurrency(
    account: Account, limit: int, provisioned: int, enough: bool
) -> None:
    account.answer("lambda.GetAccountSettings", {"AccountLimit": {"ConcurrentExecutions": limit}})

    found = findings("quotas", {"api.provisioned_concurrency": str(provisioned)}, stacks=["Api"])

    assert (found == []) is enough
    if not enough:
        assert f"is {limit}, but must be at least {provisioned + 10}" in found[0].summary
        assert "--quota-code L-B99A9384 --desired-value 1000" in found[0].remedy


def test_concurrency_that_functions_reserved_is_not_free(account: Account) -> None:
    account.answer(
        "lambda.GetAccountSettings",
        {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 12}},
    )

    finding = only("quotas", stacks=["Api"])

    assert "is 12 (988 of 1000 are reserved by functions), but must be at least 13" in finding.summary
    assert "--desired-value 1001" in finding.remedy


@pytest.mark.parametrize(("own", "severities"), [(3, []), (2, ["error"])])
def test_the_functions_own_provisioned_concurrency_is_not_missing(
    account: Account, own: int, severities: list[str]
) -> None:
    account.answer(
        "lambda.GetAccountSettings",
        {"AccountLimit": {"ConcurrentExecutions": 13, "UnreservedConcurrentExecutions": 10}},
    )
    account.answer(
        "lambda.ListProvisionedConcurrencyConfigs",
        {"ProvisionedConcurrencyConfigs": [{"RequestedProvisionedConcurrentExecutions": own}]},
    )

    assert [finding.severity for finding in findings("quotas", stacks=["Api"])] == severities


def request(status: str) -> dict[str, object]:
    return {"RequestedQuotas": [{"Status": status, "DesiredValue": 2.0}]}


@pytest.mark.parametrize("status", ["PENDING", "CASE_OPENED"])
def test_a_request_that_is_open_is_not_made_again(account: Account, status: str) -> None:
    set_quotas(account, {TRAINING: 0})
    account.answer("service-quotas.ListRequestedServiceQuotaChangeHistoryByQuota", request(status))

    assert only("quotas").remedy == f"Wait: AWS has your request for 2, in the state {status}."


def test_a_request_that_aws_denied_may_be_made_again(account: Account) -> None:
    set_quotas(account, {TRAINING: 0})
    account.answer("service-quotas.ListRequestedServiceQuotaChangeHistoryByQuota", request("DENIED"))

    assert only("quotas").remedy.startswith("aws service-quotas request-service-quota-increase")


def test_credentials_that_may_not_list_requests_get_the_command(account: Account) -> None:
    set_quotas(account, {TRAINING: 0})
    account.refuse(
        "service-quotas.ListRequestedServiceQuotaChangeHistoryByQuota",
        denied("servicequotas:ListRequestedServiceQuotas"),
    )

    assert only("quotas").remedy.startswith("aws service-quotas request-service-quota-increase")


def test_a_type_of_the_host_that_ec2_does_not_have(account: Account) -> None:
    finding = only("quotas", {"workbench.host_instance_type": "g4dn.tiny"})

    assert finding.severity == "error"
    assert "EC2 has no instance type g4dn.tiny" in finding.summary


def test_instances_that_run_already_count_for_the_host(account: Account) -> None:
    account.answer(
        "ec2.DescribeInstances",
        {
            "Reservations": [
                {
                    "Instances": [
                        _instance("g5.2xlarge", 4),
                        _instance("m5.large", 1),
                        _instance("g4dn.xlarge", 2, spot=True),
                        _instance("g4dn.xlarge", 2, stack="kennel-workbench"),
                    ]
                }
            ]
        },
    )

    finding = only("quotas")

    assert "must be at least 12" in finding.summary
    assert "8 vCPUs of them run already" in finding.summary


def _instance(kind: str, cores: int, *, spot: bool = False, stack: str = "") -> dict[str, object]:
    return {
        "InstanceType": kind,
        "CpuOptions": {"CoreCount": cores, "ThreadsPerCore": 2},
        **({"InstanceLifecycle": "spot"} if spot else {}),
        "Tags": [{"Key": "aws:cloudformation:stack-name", "Value": stack}] if stack else [],
    }
