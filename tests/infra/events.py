"""The properties that the stack gives the training job's custom resource, and the bucket that they name."""

from typing import Any

Json = dict[str, Any]

BUCKET = "kennel-photos"
PHOTOS = {name: f"data/{name}/pug/{name}.jpg" for name in ("train", "valid", "test")}
INVENTED_ID = "kennel-training-TrainingJob69DF3C3B-1QXK2N5AABCDE"
"""The physical id that CloudFormation makes up for a resource whose creation it cancelled."""


def properties(**changes: Any) -> Json:
    """The custom resource's properties as the handler gets them: CloudFormation converts every value to a string."""
    return {
        "ServiceToken": "arn:aws:lambda:eu-west-1:123456789012:function:framework",
        "NamePrefix": "kennel",
        "Image": "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch:2.14-cu133-amzn2023-sagemaker",
        "InstanceType": "ml.g4dn.xlarge",
        "InstanceCount": "2",
        "HyperParameters": {"sagemaker_submit_directory": "s3://assets/abc.tar.gz", "epochs": "40"},
        "Pretrained": "",
        "Bucket": BUCKET,
        "DataPrefix": "data/",
        "ArtifactPrefix": "training/",
        "RoleArn": "arn:aws:iam::123456789012:role/job",
        "VolumeGiB": "100",
        "MaxRuntimeSeconds": "2700",
        "Metrics": {"test:accuracy": r"test_accuracy=([0-9.]+)"},
        "DataVersion": "",
        **changes,
    }
