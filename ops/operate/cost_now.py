"""What the deployed environment costs at this moment, from its own templates and the instances that run."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from botocore.exceptions import ClientError

from ops.cost import CostError, Estimate, estimate
from ops.cost.charge import HOURS_A_MONTH
from ops.cost.estimate import BOOTSTRAP, Line
from ops.operate.account import AccountError, asking, is_missing
from ops.operate.deployed import HOST, NOTEBOOK, Deployed
from ops.operate.endpoint import Endpoint
from ops.operate.training_jobs import TrainingJob

_INSTANCE, _VOLUME, _EC2 = "sagemaker.instance.", "sagemaker.storage", "ec2.instance."


@dataclass(frozen=True, kw_only=True, slots=True)
class CostNow:
    """US dollars an hour, by the dated prices of ops/cost."""

    usd_hour: float
    stacks_usd_hour: Mapping[str, float]
    """Of each stack."""
    training_usd_hour: float
    """Of the training job that runs, on demand."""
    without: tuple[str, ...]
    """What bills, or may bill, and is not in the sum."""
    prices_of: str
    """The date of the newest price."""

    @property
    def usd_month(self) -> float:
        """Of a month that is like this hour, without the training."""
        return (self.usd_hour - self.training_usd_hour) * HOURS_A_MONTH


def cost_now(deployed: Deployed, endpoint: Endpoint | None, job: TrainingJob | None) -> CostNow | str:
    """What it costs; a sentence if that cannot be said. Raises AccountError."""
    templates = {
        kind.title(): deployed.template(kind)
        for kind, stack in deployed.stacks.items()
        if stack.status != "ROLLBACK_COMPLETE"  # a creation that was rolled back has left nothing
    }
    if not templates:
        return "Nothing that bills is deployed."
    try:
        found = _estimate(templates, deployed.account.region)
    except CostError as error:
        return str(error)
    running, without = _machines(deployed)
    stacks = dict.fromkeys((*templates, BOOTSTRAP), 0.0)
    for line in found.lines:
        stacks[line.stack] += _usd_hour(line, endpoint.instances if endpoint else 0, found, running)
    training = 0.0
    if job and job.running:
        price = found.table.prices.get(f"{_INSTANCE}{job.instance_type}")
        if price:
            training = price.usd * job.instance_count
        else:
            without.append(f"the training job's {job.instance_count} x {job.instance_type}")
    return CostNow(
        usd_hour=sum(stacks.values()) + training,
        stacks_usd_hour=stacks,
        training_usd_hour=training,
        without=(*found.without_price, *without),
        prices_of=f"{found.table.newest:%Y-%m-%d}",
    )


def _estimate(templates: Mapping[str, Any], region: str) -> Estimate:
    with TemporaryDirectory(prefix="kennel-status-") as folder:
        for stack, body in templates.items():
            text = body if isinstance(body, str) else json.dumps(body)
            Path(folder, f"{stack}.template.json").write_text(text, encoding="utf-8")
        return estimate(Path(folder), region)


def _usd_hour(line: Line, instances: int, found: Estimate, running: Mapping[str, bool]) -> float:
    """An hour of a charge: of the instances that run now, and otherwise of an idle month."""
    idle = line.usd("idle") / HOURS_A_MONTH
    key = line.price.key
    if line.stack == "Serving" and key.startswith((_INSTANCE, _VOLUME)):
        least = _least_instances(found.lines)
        return idle / least * instances if least else 0.0
    if line.stack == "Workbench" and key.startswith(_EC2):
        return line.price.usd if running.get(HOST) else 0.0
    if line.stack == "Workbench" and key.startswith(_INSTANCE):
        return line.price.usd if running.get(NOTEBOOK) else 0.0
    return idle


def _least_instances(lines: Iterable[Line]) -> float:
    """The instances of the endpoint in an idle month."""
    hours = [
        each.charge.usage.idle for each in lines if each.stack == "Serving" and each.price.key.startswith(_INSTANCE)
    ]
    return sum(hours) / HOURS_A_MONTH


def _machines(deployed: Deployed) -> tuple[dict[str, bool], list[str]]:
    """Whether the workbench's host and notebook instance run, and what could not be looked up."""
    running, unknown = {}, []
    for kind, what, look in (
        (HOST, "the training host, if it runs", _host_runs),
        (NOTEBOOK, "the notebook instance, if it runs", _notebook_runs),
    ):
        try:
            running[kind] = any(look(deployed, each.name) for each in deployed.resources("workbench", kind))
        except AccountError:
            unknown.append(f"{what} (AWS did not say it)")
    return running, unknown


def _host_runs(deployed: Deployed, name: str) -> bool:
    with asking(f"the call that describes the instance {name}", needs="ec2:DescribeInstances"):
        try:
            found = deployed.account.client("ec2").describe_instances(InstanceIds=[name])
        except ClientError as error:
            if is_missing(error):
                return False
            raise
    states = [each["State"]["Name"] for group in found["Reservations"] for each in group["Instances"]]
    return any(state in ("pending", "running") for state in states)


def _notebook_runs(deployed: Deployed, name: str) -> bool:
    with asking(f"the call that describes the notebook instance {name}", needs="sagemaker:DescribeNotebookInstance"):
        try:
            found = deployed.account.client("sagemaker").describe_notebook_instance(NotebookInstanceName=name)
        except ClientError as error:
            if is_missing(error):
                return False
            raise
    return bool(found["NotebookInstanceStatus"] in ("InService", "Pending", "Updating"))
