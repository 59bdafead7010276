"""What CDK must know of the bucket and of the credentials before it synthesises."""

import ops.session
from ops.data.aws_errors import explained
from ops.data.version import data_version
from ops.weights import bucket as weights


def cdk_options(environment: str, *, photos: str = "") -> list[str]:
    """The digest of the photos, the newest weights, and where kennel read them, as options for CDK.

    photos: the S3 URI of their folder. Default: where the environment trains from.

    Raises BucketError if AWS returns an error.
    """
    digest = data_version(photos, environment=environment)
    with explained("the look-up of the account number", needs="sts:GetCallerIdentity"):
        identity = ops.session.cdk_options(environment)
    version = ["-c", f"training.data_version={digest}"] if digest else []
    return [*version, *weights.cdk_options(environment), *identity]
