"""The parts of DescribeEndpoint's response.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html
"""

from datetime import datetime

from rehearsal.cloud.api import Json
from rehearsal.cloud.sagemaker.fleet import VariantFleet
from rehearsal.cloud.sagemaker.routing import Fleet


def variants(fleet: Fleet | None) -> list[Json]:
    """The summaries of a fleet's variants."""
    return [_summary(variant) for variant in fleet.variants] if fleet is not None else []


def data_capture(config: Json) -> Json:
    """The summary of an endpoint config's data capture, empty without one."""
    capture = config.get("DataCaptureConfig")
    if not capture:
        return {}
    return {
        "EnableCapture": capture.get("EnableCapture", False),
        "CaptureStatus": "Started" if capture.get("EnableCapture") else "Stopped",
        "CurrentSamplingPercentage": capture.get("InitialSamplingPercentage", 0),
        "DestinationS3Uri": capture.get("DestinationS3Uri", ""),
        "KmsKeyId": capture.get("KmsKeyId") or "",
    }


def pending_deployment(fleet: Fleet | None, since: datetime) -> Json:
    """The summary of a deployment in progress, empty without one."""
    if fleet is None:
        return {}
    return {
        "EndpointConfigName": fleet.config_name,
        "ProductionVariants": [_pending_summary(variant) for variant in fleet.variants],
        "StartTime": since,
    }


def _images(variant: VariantFleet) -> list[Json]:
    times = {"ResolutionTime": variant.resolved_at}
    return [{"SpecifiedImage": variant.image, "ResolvedImage": variant.image, **times}]


def _summary(variant: VariantFleet) -> Json:
    return {
        "VariantName": variant.name,
        "DeployedImages": _images(variant),
        "CurrentWeight": variant.weight,
        "DesiredWeight": variant.desired_weight,
        "CurrentInstanceCount": variant.in_service,
        "DesiredInstanceCount": variant.desired,
    }


def _pending_summary(variant: VariantFleet) -> Json:
    status = {"Status": "Baking" if variant.in_service else "Creating", "StartTime": variant.resolved_at}
    return {**_summary(variant), "VariantStatus": [status]}
