"""Lambda's Invoke: the archive that the deploy published, under AWS's own runtime client."""

import io
import tempfile
import zipfile
from pathlib import Path

from rehearsal.aws.lambda_runtime import LambdaRuntime
from rehearsal.aws.sagemaker_runtime import SageMakerRuntime
from tests.account.cloudformation import CloudFormation
from tests.account.resources import Resource


class Functions:
    """The functions of the deployed stacks. Container: the URL of what every endpoint runs."""

    def __init__(self, cloudformation: CloudFormation, container: str) -> None:
        self._cloudformation = cloudformation
        self._container = container

    def invoke(self, name: str, event: bytes) -> tuple[str, bytes]:
        """The HTTP status and the body of Invoke's response."""
        function = self._function(name)
        if function is None:
            return "404 Not Found", b'{"Type": "User", "Message": "Function not found"}'
        account = self._cloudformation.resources
        code = function.properties["Code"]
        archive = account.client("s3").get_object(Bucket=code["S3Bucket"], Key=code["S3Key"])["Body"].read()
        endpoints = [each["EndpointName"] for each in account.client("sagemaker").list_endpoints()["Endpoints"]]
        with (
            tempfile.TemporaryDirectory(prefix="function-") as folder,
            SageMakerRuntime(dict.fromkeys(endpoints, self._container)) as runtime,
        ):
            zipfile.ZipFile(io.BytesIO(archive)).extractall(folder)
            variables = {
                **function.properties.get("Environment", {}).get("Variables", {}),
                "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": runtime.url,
            }
            with LambdaRuntime(
                function.properties["Handler"],
                task_root=Path(folder),
                env=variables,
                timeout_s=float(function.properties["Timeout"]),
            ) as running:
                return "200 OK", running.invoke_raw(event)

    def _function(self, name: str) -> Resource | None:
        for stack in self._cloudformation.stacks.values():
            for resource in stack.resources.values():
                if (resource.type, resource.physical_id) == ("AWS::Lambda::Function", name):
                    return resource
        return None
