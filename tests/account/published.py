"""What AWS publishes for every account, and moto does not have. Whether AWS still does, AWS alone can say."""

import json
from typing import Any

from tests.account.resources import Json, Resources

REGISTRY_CALL = "AmazonEC2ContainerRegistry_V20150921.BatchGetImage"
PARAMETER_CALL = "AmazonSSM.GetParameter"


def answer(call: str, body: bytes, resources: Resources) -> Json | None:
    """The answer to a call that reads an image of AWS's registries or a public parameter; None for any other call.

    call: the operation, as the header X-Amz-Target names it.
    """
    if call not in (REGISTRY_CALL, PARAMETER_CALL):
        return None
    asked: dict[str, Any] = json.loads(body)
    if call == REGISTRY_CALL and asked.get("registryId", resources.account) != resources.account:
        resources.recorded.append(("read", "an image in AWS's registry"))
        return {"images": [{"repositoryName": asked["repositoryName"]}], "failures": []}
    if call == PARAMETER_CALL and asked["Name"].startswith("/aws/service/"):
        resources.recorded.append(("read", "a public parameter"))
        image = resources.client("ec2").describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        return {"Parameter": {"Name": asked["Name"], "Type": "String", "Value": image}}
    return None
