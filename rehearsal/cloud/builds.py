"""CodeBuild's builds of container images, without Docker: the calls to AWS that the buildspec's commands make.

Which program an image runs is said in the images file (images.py), so no command is run here. The source is downloaded
from S3, the log-ins are asked for, and an image with the tag is pushed to ECR, all as the build's role. The image's one
layer is the source. The commands of a `cdklabs/deploy-time-build` end with a response to CloudFormation; so does this.
"""

import hashlib
import json
import shlex
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from string import Template
from typing import Any

import yaml
from botocore.exceptions import ClientError

from rehearsal.cloud.api import AwsError, Build, Credentials, Engine

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
RESPONSE_S = 10


class Builds:
    """Runs builds. An instance is what `Ministack.run_builds` wants."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, build: Build) -> None:
        """Run a build to its end. Raises AwsError if it failed."""
        session = f"AWSCodeBuild-{build.id.rpartition(':')[2]}"
        credentials = self._engine.credentials(
            build.role_arn, session, "codebuild.amazonaws.com", source=build.project_arn
        )
        log = _Log(self._engine.client("logs", credentials), build)
        error = _failure(_Commands(self._engine, credentials, build.variables, log), build)
        if error:
            log.write(f"Command failed: {error}")
        log.send()
        _respond(build, error)
        if error:
            raise AwsError("BuildFailed", error)


def commands(buildspec: str, phases: tuple[str, ...] = ("install", "pre_build", "build")) -> list[str]:
    """The commands of some phases of a buildspec (YAML or JSON), in their order. Raises AwsError if it is none."""
    document = yaml.safe_load(buildspec)
    if not isinstance(document, dict):
        raise AwsError("NotImplemented", "A build without a buildspec in its project is not rehearsed.")
    found = document.get("phases", {})
    return [command for phase in phases for command in (found.get(phase) or {}).get("commands", [])]


def _failure(run: "_Commands", build: Build) -> str:
    try:
        for command in commands(build.buildspec):
            run(command)
    except (AwsError, ClientError) as error:
        return str(error)
    return ""


def _respond(build: Build, error: str) -> None:
    """What the post_build phase of `deploy-time-build` sends: CloudFormation's response to a custom resource."""
    variables = build.variables
    if not any("$responseURL" in command for command in commands(build.buildspec, ("post_build",))):
        return
    reason = f"The build failed: {error} (log stream {build.log_stream} of {build.log_group})" if error else ""
    tag = variables.get("imageTag", "")
    body = {
        "Status": "FAILED" if error else "SUCCESS",
        "Reason": reason,
        "StackId": variables.get("stackId", ""),
        "RequestId": variables.get("requestId", ""),
        "LogicalResourceId": variables.get("logicalResourceId", ""),
        "PhysicalResourceId": tag,
        "Data": {"ImageTag": tag},
    }
    request = urllib.request.Request(  # noqa: S310  # the engine's own address
        variables["responseURL"], json.dumps(body).encode(), method="PUT"
    )
    urllib.request.urlopen(request, timeout=RESPONSE_S).close()  # noqa: S310


class _Log:
    """The build's log stream. CodeBuild creates it first; a role that may not do so fails the build."""

    def __init__(self, client: Any, build: Build) -> None:
        self._client, self._names = client, {"logGroupName": build.log_group, "logStreamName": build.log_stream}
        self._lines: list[dict[str, Any]] = []
        client.create_log_stream(**self._names)

    def write(self, line: str) -> None:
        self._lines.append({"timestamp": round(time.time() * 1000), "message": line})

    def send(self) -> None:
        self._client.put_log_events(**self._names, logEvents=self._lines)


@dataclass
class _Commands:
    """Makes the calls of a build's commands."""

    engine: Engine
    credentials: Credentials
    variables: Mapping[str, str]
    log: _Log
    source: bytes = b""
    logged_in: set[str] = field(default_factory=set)

    def __call__(self, command: str) -> None:
        self.log.write(f"Running command {command}")
        for words in _programs(command, self.variables):
            match words:
                case ["aws", "s3", "cp", uri, _] if uri.startswith("s3://"):
                    self._download(uri)
                case ["aws", "ecr", "get-login-password", *_]:
                    self._client("ecr").get_authorization_token()
                    self.logged_in.add("ecr")
                case ["aws", "ecr-public", "get-login-password", *_]:
                    # https://docs.aws.amazon.com/AmazonECR/latest/public/public-registry-auth.html
                    self.engine.check(self.credentials, "ecr-public:GetAuthorizationToken", "*")
                    self.engine.check(self.credentials, "sts:GetServiceBearerToken", "*")
                case ["docker", "push", image]:
                    self._push(image)
                case ["aws", *_]:
                    raise AwsError("NotImplemented", f"{shlex.join(words)} is not rehearsed (docs/rehearsal.md).")

    def _client(self, service: str) -> Any:
        return self.engine.client(service, self.credentials)

    def _download(self, uri: str) -> None:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        s3 = self._client("s3")
        s3.head_object(Bucket=bucket, Key=key)
        self.source = s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def _push(self, image: str) -> None:
        """Docker's calls: https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html."""
        if "ecr" not in self.logged_in:
            raise AwsError("BuildFailed", f"docker push {image}: no basic auth credentials")
        repository, _, tag = image.partition("/")[2].partition(":")
        config = json.dumps({"architecture": "amd64", "os": "linux", "created": time.time()}).encode()
        ecr = self._client("ecr")
        blobs = [self._upload(ecr, repository, blob) for blob in (config, self.source)]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": blobs[0], "layers": blobs[1:]}
        ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag or "latest"}])
        ecr.put_image(
            repositoryName=repository,
            imageTag=tag or "latest",
            imageManifest=json.dumps(manifest),
            imageManifestMediaType=MANIFEST_TYPE,
        )

    @staticmethod
    def _upload(ecr: Any, repository: str, blob: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest])
        upload = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
        ecr.upload_layer_part(
            repositoryName=repository,
            uploadId=upload,
            partFirstByte=0,
            partLastByte=max(len(blob) - 1, 0),
            layerPartBlob=blob,
        )
        ecr.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=[digest])
        return {"digest": digest, "size": len(blob)}


def _programs(command: str, variables: Mapping[str, str]) -> Iterator[list[str]]:
    """The words of each program of a pipeline, with the build's variables put in."""
    for program in Template(command).safe_substitute(variables).split("|"):
        try:
            yield shlex.split(program)
        except ValueError:  # a quotation that a pipe is part of: none of the commands above
            continue
