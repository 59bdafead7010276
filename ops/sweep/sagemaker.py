"""Endpoints, training and processing jobs, and notebook instances: their price, and their deletion."""

from collections.abc import Mapping
from typing import Any

from ops.cost.endpoint import DEFAULT_VOLUME_GB, volume_gb
from ops.sweep.found import Client
from ops.sweep.prices import Prices, total

Bill = tuple[str, float | None]
"""What a resource consists of, and its price a day."""


def endpoint(client: Client, name: str, prices: Prices) -> Bill | None:
    described = client("sagemaker").describe_endpoint(EndpointName=name)
    if described["EndpointStatus"] in ("Deleting", "Failed"):  # a failed one has no instance
        return None
    config = client("sagemaker").describe_endpoint_config(EndpointConfigName=described["EndpointConfigName"])
    variants = {each["VariantName"]: each for each in config["ProductionVariants"]}
    parts, figures = [], []
    for each in described.get("ProductionVariants", config["ProductionVariants"]):
        variant = variants[each["VariantName"]]
        kind, count = variant["InstanceType"], each.get("CurrentInstanceCount", variant["InitialInstanceCount"])
        gb = volume_gb(kind, float(variant.get("VolumeSizeInGB", DEFAULT_VOLUME_GB)))
        parts.append(f"{count} {kind}")
        figures.append(prices.hourly(f"sagemaker.instance.{kind}", count))
        figures.append(prices.monthly("sagemaker.storage", gb * count))
    return ", ".join(parts), total(*figures)


def delete_endpoint(client: Client, name: str) -> None:
    client("sagemaker").delete_endpoint(EndpointName=name)


def training_job(client: Client, name: str, prices: Prices) -> Bill | None:
    described = client("sagemaker").describe_training_job(TrainingJobName=name)
    if described["TrainingJobStatus"] != "InProgress":
        return None
    return _job(described["ResourceConfig"], prices)


def stop_training_job(client: Client, name: str) -> None:
    client("sagemaker").stop_training_job(TrainingJobName=name)


def processing_job(client: Client, name: str, prices: Prices) -> Bill | None:
    described = client("sagemaker").describe_processing_job(ProcessingJobName=name)
    if described["ProcessingJobStatus"] != "InProgress":
        return None
    return _job(described["ProcessingResources"]["ClusterConfig"], prices)


def stop_processing_job(client: Client, name: str) -> None:
    client("sagemaker").stop_processing_job(ProcessingJobName=name)


def _job(instances: Mapping[str, Any], prices: Prices) -> Bill:
    kind, count = instances["InstanceType"], instances["InstanceCount"]
    gb = volume_gb(kind, instances["VolumeSizeInGB"]) * count
    price = total(
        prices.hourly(f"sagemaker.instance.{kind}", count),
        prices.monthly("sagemaker.storage", gb),
    )
    return f"{count} {kind}, until it ends", price


def notebook(client: Client, name: str, prices: Prices) -> Bill | None:
    described = client("sagemaker").describe_notebook_instance(NotebookInstanceName=name)
    status, kind = described["NotebookInstanceStatus"], described["InstanceType"]
    if status == "Deleting":
        return None
    volume = prices.monthly("sagemaker.storage", described.get("VolumeSizeInGB", 5))
    if status in ("Stopped", "Failed"):
        return f"{kind}, stopped: its volume", volume
    return f"{kind}, {status}", total(prices.hourly(f"sagemaker.instance.{kind}"), volume)


def delete_notebook(client: Client, name: str) -> None:
    """SageMaker deletes only one that is stopped or failed."""
    sagemaker: Any = client("sagemaker")
    status = sagemaker.describe_notebook_instance(NotebookInstanceName=name)["NotebookInstanceStatus"]
    if status == "InService":
        sagemaker.stop_notebook_instance(NotebookInstanceName=name)
    if status != "Failed":  # which the waiter takes for an error
        sagemaker.get_waiter("notebook_instance_stopped").wait(
            NotebookInstanceName=name, WaiterConfig={"Delay": 10, "MaxAttempts": 60}
        )
    sagemaker.delete_notebook_instance(NotebookInstanceName=name)
