"""How long the deployed endpoint's container takes for a photo: CloudWatch's ModelLatency."""

from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from ops.capacity.errors import CapacityError
from ops.data.aws_errors import explained

HOURS = 24


def photo_s(sagemaker: Any, cloudwatch: Any, endpoint: str) -> float:
    """The median of the last day, in seconds. Raises CapacityError if there is no such endpoint, or no call of it.

    sagemaker, cloudwatch: boto3 clients. https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
    """
    with explained(f"the call that describes the endpoint {endpoint}", needs="sagemaker:DescribeEndpoint"):
        try:
            described = sagemaker.describe_endpoint(EndpointName=endpoint)
        except ClientError as error:
            if "Could not find" in error.response["Error"]["Message"]:
                raise CapacityError(
                    f"There is no endpoint {endpoint}. Deploy it first, or leave out --measured."
                ) from None
            raise
    with explained(f"the call that reads the latency of {endpoint}", needs="cloudwatch:GetMetricStatistics"):
        return _median_s(cloudwatch, endpoint, described["ProductionVariants"][0]["VariantName"])


def _median_s(cloudwatch: Any, endpoint: str, variant: str) -> float:
    now = datetime.now(UTC)
    found = cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="ModelLatency",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}],
        StartTime=now - timedelta(hours=HOURS),
        EndTime=now + timedelta(minutes=1),
        Period=3600 * HOURS,
        ExtendedStatistics=["p50"],
    )["Datapoints"]
    if not found:
        raise CapacityError(
            f"The endpoint {endpoint} has answered no call in the last {HOURS} hours. Call it first, or leave out "
            "--measured."
        )
    newest = max(found, key=lambda point: point["Timestamp"])
    return float(newest["ExtendedStatistics"]["p50"]) / 1e6
