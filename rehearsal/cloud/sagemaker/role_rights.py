"""What SageMaker does with a job's role in services that the local AWS does not run: network interfaces, encryption.

https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
"""

from rehearsal.cloud.api import Credentials, Engine, Json

_OF_INTERFACE = ("CreateNetworkInterfacePermission", "DeleteNetworkInterface", "DeleteNetworkInterfacePermission")
_DESCRIBE = ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs")


def check_vpc(engine: Engine, credentials: Credentials, vpc: Json) -> None:
    """Raise AwsError if the role may not attach a container to this VpcConfig's subnets and security groups."""
    ec2 = f"arn:aws:ec2:{engine.region}:{engine.account}"
    subnets = [f"{ec2}:subnet/{subnet}" for subnet in vpc.get("Subnets", [])]
    groups = [f"{ec2}:security-group/{group}" for group in vpc.get("SecurityGroupIds", [])]
    interface = f"{ec2}:network-interface/eni-0123456789abcdef0"  # any: EC2 chooses it
    for kind in _DESCRIBE if subnets else ():
        engine.check(credentials, f"ec2:Describe{kind}", "*")
    for resource in [interface, *groups, *subnets] if subnets else ():
        engine.check(credentials, "ec2:CreateNetworkInterface", resource)
    for subnet in subnets:
        for action in _OF_INTERFACE:
            engine.check(credentials, f"ec2:{action}", interface, **{"ec2:Subnet": subnet})


def check_encryption(engine: Engine, credentials: Credentials, key: str) -> None:
    """Raise AwsError if the role may not encrypt the output with this KMS key.

    kms:Encrypt: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_OutputDataConfig.html; GenerateDataKey is
    a call that S3 makes for the role. A key that is an alias or in another account is not checked.
    """
    if key.startswith(f"arn:aws:kms:{engine.region}:{engine.account}:key/"):
        engine.check(credentials, "kms:Encrypt", key)
        by_s3 = {"kms:ViaService": f"s3.{engine.region}.amazonaws.com"}
        engine.check(credentials, "kms:GenerateDataKey", key, **by_s3)
