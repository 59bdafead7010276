"""The endpoint's model, configuration and autoscaling, beside their templates."""

from collections.abc import Iterator
from typing import Any

from ops.operate.account import is_missing
from ops.operate.changed.declared import Change, Declared, Mark, answered, command

_DIMENSION = ("--service-namespace", "sagemaker", "--scalable-dimension", "sagemaker:variant:DesiredInstanceCount")
_SCALING: Mark = {"kind": "scaling", "breaks": False}


def scalable_target(declared: Declared) -> Iterator[Change]:
    """Whether the fleet is registered, within its limits, and not suspended."""
    resource = declared.text(declared.get("ResourceId"))
    found = declared.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[resource]
    )["ScalableTargets"]
    register = ("aws", "application-autoscaling", "register-scalable-target", *_DIMENSION, "--resource-id", resource)
    least, most = int(declared.get("MinCapacity")), int(declared.get("MaxCapacity"))
    limits = ("--min-capacity", least, "--max-capacity", most)
    if not found:
        how = f"{resource} is not registered for autoscaling, so its number of instances never changes"
        # the policy is deleted with the target, and this command does not make it again
        yield declared.changed(how, f"{command(*register, *limits)}, then restore the scaling policy", **_SCALING)
        return
    live = found[0]
    yield from declared.compared("MinCapacity", live["MinCapacity"], least, command(*register, *limits), **_SCALING)
    yield from declared.compared("MaxCapacity", live["MaxCapacity"], most, command(*register, *limits), **_SCALING)
    suspended = [name for name, on in live.get("SuspendedState", {}).items() if on]
    if suspended:
        whole = "DynamicScalingInSuspended=false,DynamicScalingOutSuspended=false,ScheduledScalingSuspended=false"
        how = f"its scaling is suspended ({', '.join(sorted(suspended))})"
        yield declared.changed(how, command(*register, "--suspended-state", whole), **_SCALING)


def scaling_policy(declared: Declared) -> Iterator[Change]:
    """Whether it exists, with its target."""
    name = declared.text(declared.get("PolicyName"))
    client = declared.client("application-autoscaling")
    found = client.describe_scaling_policies(ServiceNamespace="sagemaker", PolicyNames=[name])["ScalingPolicies"]
    again = "make deploy STACKS=Serving ARGS=--revert-drift"
    if not found:
        yield declared.deleted(again, kind="scaling", breaks=False)
        return
    configuration = found[0].get("TargetTrackingScalingPolicyConfiguration", {})
    wanted = declared.get("TargetTrackingScalingPolicyConfiguration", "TargetValue")
    live = float(configuration.get("TargetValue", 0))
    yield from declared.compared("target", int(live) if live.is_integer() else live, wanted, again, **_SCALING)


def endpoint_config(declared: Declared) -> Iterator[Change]:
    """Whether it exists: without it the endpoint can neither grow nor replace an instance."""
    name = declared.physical.rpartition("/")[2]
    if answered(lambda: declared.client("sagemaker").describe_endpoint_config(EndpointConfigName=name)) is None:
        yield declared.deleted(kind="deleted")


def model(declared: Declared) -> Iterator[Change]:
    """Whether it exists, with its artifact."""
    name = declared.physical.rpartition("/")[2]
    live = answered(lambda: declared.client("sagemaker").describe_model(ModelName=name))
    if live is None:
        yield declared.deleted()
        return
    url = live.get("PrimaryContainer", {}).get("ModelDataUrl", "")
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not bucket.startswith(declared.account.environment.stack("storage")):
        return  # of another bucket, which an operator may not be allowed to list
    if not _exists(declared.client("s3"), bucket, key):
        yield Change(
            what=f"The artifact of the model that {declared.stack} serves does not exist: {url}. The running instances "
            "answer, and no new one can start.",
            put_back=f"restore its last version: aws s3api list-object-versions --bucket {bucket} --prefix {key} "
            f"prints the delete marker, which aws s3api delete-object --version-id removes",
            kind="deleted",
        )


def _exists(s3: Any, bucket: str, key: str) -> bool:
    try:
        found = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    except s3.exceptions.ClientError as error:
        if is_missing(error):
            return False
        raise
    return any(each["Key"] == key for each in found)


def model_group(declared: Declared) -> Iterator[Change]:
    """Whether the registry of the models exists."""
    name = declared.physical.rpartition("/")[2]
    call = {"ModelPackageGroupName": name}
    if answered(lambda: declared.client("sagemaker").describe_model_package_group(**call)) is None:
        yield declared.deleted(breaks=False)


def repository(declared: Declared) -> Iterator[Change]:
    """Whether the image can be read."""
    call = {"repositoryNames": [declared.physical]}
    if answered(lambda: declared.client("ecr").describe_repositories(**call)) is None:
        yield declared.deleted()
