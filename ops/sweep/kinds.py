"""The kinds of resources that bill, in the order of their deletion: what costs most first, keys last."""

from collections.abc import Callable
from dataclasses import dataclass

from ops.sweep import ec2, sagemaker, standing
from ops.sweep.found import Client
from ops.sweep.prices import Prices


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    name: str
    type: str
    """As the Resource Groups Tagging API names it."""
    look: Callable[[Client, str, Prices], sagemaker.Bill | None]
    """What one bills; None if it is gone, or free."""
    delete: Callable[[Client, str], None]
    listed_by_tags: bool = True
    """False: it is listed by its own service, and its tags are looked up there."""


KINDS = (
    Kind(name="endpoint", type="sagemaker:endpoint", look=sagemaker.endpoint, delete=sagemaker.delete_endpoint),
    Kind(
        name="training job",
        type="sagemaker:training-job",
        look=sagemaker.training_job,
        delete=sagemaker.stop_training_job,
        listed_by_tags=False,  # a job stays when it has ended, so by its tags each one of all time would be listed
    ),
    Kind(
        name="processing job",
        type="sagemaker:processing-job",
        look=sagemaker.processing_job,
        delete=sagemaker.stop_processing_job,
        listed_by_tags=False,
    ),
    Kind(
        name="notebook instance",
        type="sagemaker:notebook-instance",
        look=sagemaker.notebook,
        delete=sagemaker.delete_notebook,
    ),
    Kind(name="EC2 instance", type="ec2:instance", look=ec2.instance, delete=ec2.terminate),
    Kind(name="volume", type="ec2:volume", look=ec2.volume, delete=ec2.delete_volume),
    Kind(name="NAT gateway", type="ec2:natgateway", look=ec2.nat_gateway, delete=ec2.delete_nat_gateway),
    Kind(name="public address", type="ec2:elastic-ip", look=ec2.address, delete=ec2.release_address),
    Kind(name="VPC endpoint", type="ec2:vpc-endpoint", look=ec2.vpc_endpoint, delete=ec2.delete_vpc_endpoint),
    Kind(
        name="provisioned concurrency",
        type="lambda:function",
        look=standing.provisioned,
        delete=standing.delete_provisioned,
    ),
    Kind(name="bucket", type="s3", look=standing.bucket, delete=standing.delete_bucket),
    Kind(
        name="image repository",
        type="ecr:repository",
        look=standing.repository,
        delete=standing.delete_repository,
    ),
    Kind(name="alarm", type="cloudwatch:alarm", look=standing.alarm, delete=standing.delete_alarm),
    Kind(name="log group", type="logs:log-group", look=standing.log_group, delete=standing.delete_log_group),
    Kind(name="KMS key", type="kms:key", look=standing.key, delete=standing.schedule_key_deletion),
)


def named(arn: str) -> tuple[Kind, str] | None:
    """The kind of a resource, and its name in its own service; None for a type that does not bill."""
    _, _, service, _, _, resource = arn.split(":", 5)
    for kind in KINDS:
        own, _, of_service = kind.type.partition(":")
        if own != service:
            continue
        if not of_service:
            return kind, resource
        for separator in ("/", ":"):
            if resource.startswith(of_service + separator):
                return kind, resource.removeprefix(of_service + separator).removesuffix(":*")
    return None
