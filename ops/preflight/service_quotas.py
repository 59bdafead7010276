"""The quotas of an account, and the command that raises one."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ops.preflight.target import Target

CODES: Mapping[tuple[str, str], str] = {
    ("codebuild", "Concurrently running builds for Linux/Small environment"): "L-9D07B6EF",
    ("ec2", "Running On-Demand G and VT instances"): "L-DB2E81BA",
    ("ec2", "Running On-Demand P instances"): "L-417A185B",
    ("ec2", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"): "L-1216C47A",
    ("sagemaker", "ml.g4dn.xlarge for notebook instance usage"): "L-D8B97089",
    ("sagemaker", "ml.g4dn.xlarge for training job usage"): "L-3F53BF0F",
    ("sagemaker", "ml.m5.large for endpoint usage"): "L-1E9C780D",
    ("vpc", "VPCs per Region"): "L-F678F1CE",
}
"""Service and name of a quota, to its code. A code saves the listing of all quotas of a service, which are thousands
for SageMaker. AWS documents the names; the answer's name is compared, so a wrong code costs time and never a result."""

OPEN = ("PENDING", "CASE_OPENED")
MISSING = "NoSuchResourceException"


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    service: str
    name: str
    code: str
    value: float
    """What the account has now."""


class ServiceQuotas:
    """The quotas of an account. Threads share one listing of each service."""

    def __init__(self, target: Target) -> None:
        self._client = target.client("service-quotas")
        self._region = target.region
        self._lists: dict[str, dict[str, Quota]] = {}
        self._lock = threading.Lock()

    def find(self, service: str, name: str) -> Quota | None:
        """A quota by its name; None if AWS has none of this name in the region."""
        code = CODES.get((service, name))
        if code and (found := self._by_code(service, code)) and found.name == name:
            return found
        return self._all(service).get(name)

    def remedy(self, quota: Quota, value: int) -> str:
        """The command that asks AWS for more; if a request is open, its state, because AWS refuses a second one."""
        try:
            history = self._client.list_requested_service_quota_change_history_by_quota(
                ServiceCode=quota.service, QuotaCode=quota.code
            )["RequestedQuotas"]
        except ClientError:  # these credentials may not list requests
            history = []
        for request in history:
            if request["Status"] in OPEN:
                return (
                    f"Wait: AWS has your request for {request['DesiredValue']:.0f}, in the state {request['Status']}."
                )
        return (
            f"aws service-quotas request-service-quota-increase --service-code {quota.service} "
            f"--quota-code {quota.code} --desired-value {value} --region {self._region}"
        )

    def _by_code(self, service: str, code: str) -> Quota | None:
        """The account's value, or AWS's default if nothing was ever raised."""
        for call in (self._client.get_service_quota, self._client.get_aws_default_service_quota):
            try:
                return _quota(call(ServiceCode=service, QuotaCode=code)["Quota"])
            except ClientError as error:
                if error.response["Error"]["Code"] != MISSING:
                    raise
        return None

    def _all(self, service: str) -> dict[str, Quota]:
        """Every quota of a service: AWS's defaults, then the values that the account has instead."""
        with self._lock:
            if service not in self._lists:
                self._lists[service] = {
                    found["QuotaName"]: _quota(found)
                    for operation in ("list_aws_default_service_quotas", "list_service_quotas")
                    for page in self._client.get_paginator(operation).paginate(ServiceCode=service)
                    for found in page["Quotas"]
                }
            return self._lists[service]


def _quota(found: Mapping[str, Any]) -> Quota:
    return Quota(service=found["ServiceCode"], name=found["QuotaName"], code=found["QuotaCode"], value=found["Value"])
