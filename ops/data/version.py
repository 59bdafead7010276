"""The digest of the photos in the bucket, for the setting training.data_version."""

from botocore.exceptions import ClientError

import environments
from contract.photos import digest, listed_photos
from ops.data.aws_errors import explained
from ops.data.bucket import data_uri, deployed, objects, split_uri
from ops.session import session

NO_BUCKET = ("NoSuchBucket", "404")


def data_version(target: str = "", *, environment: str = environments.DEFAULT) -> str:
    """The digest of the photos under `target`, such as s3://bucket/data; empty if there are none yet.

    Without a target: of the photos that the environment trains on (training.data_uri, or the bucket of its storage
    stack); empty before its first deploy.
    It lists the photos, as the training job's handler does, and reads none of them.

    Raises BucketError where the photos cannot be listed, and for a named bucket that does not exist.
    """
    named = target or data_uri(environment)
    uri = named or deployed(environment)
    if not uri:
        return ""
    bucket, prefix = split_uri(uri)
    with explained(f"the listing of {uri}", needs=f"s3:ListBucket on {bucket}"):
        try:
            return digest(listed_photos(objects(session(environment).client("s3"), bucket, prefix), prefix).values())
        except ClientError as error:
            if error.response["Error"]["Code"] in NO_BUCKET and not named:
                return ""
            raise
