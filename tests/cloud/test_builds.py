"""A build makes its commands' calls as its role, pushes an image, and answers CloudFormation."""

import io
import json
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest

from rehearsal.cloud.api import AwsError
from rehearsal.cloud.builds import commands
from rehearsal.cloud.local import LocalAws
from tests.cloud.conftest import Client
from tests.patience import wait_until

BUILDSPEC = {
    "version": "0.2",
    "phases": {
        "build": {
            "commands": [
                "mkdir workdir",
                'aws s3 cp "$sourceS3Url" temp.zip',
                "aws ecr get-login-password --region $region | docker login --username AWS --password-stdin $host",
                "aws ecr-public get-login-password | docker login --username AWS --password-stdin public.ecr.aws",
                'eval "$buildCommand"',
                "docker push $repositoryUri:$imageTag",
            ]
        },
        "post_build": {"commands": ['curl -X PUT -d "@payload.json" "$responseURL"']},
    },
}
PUSH = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
]
LOG_IN = ["ecr:GetAuthorizationToken", "ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"]
LOGS = ["logs:CreateLogStream", "logs:PutLogEvents"]


class Responses:
    """A server that keeps what is sent to a ResponseURL."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Project:
    """A CodeBuild project with its role, source, repository and log group."""

    def __init__(self, client: Client, aws: LocalAws, *, without: str = "", buildspec: Any = BUILDSPEC) -> None:
        self.client, self.name = client, f"image-{uuid4().hex[:8]}"
        account = aws.settings.account
        client("s3").create_bucket(Bucket=self.name)
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as written:
            written.writestr("Dockerfile", "FROM scratch")
        client("s3").put_object(Bucket=self.name, Key="source.zip", Body=archive.getvalue())
        client("ecr").create_repository(repositoryName=self.name, imageTagMutability="IMMUTABLE")
        client("logs").create_log_group(logGroupName=f"/aws/codebuild/{self.name}")
        trust = {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "codebuild.amazonaws.com"},
            "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:codebuild:*:{account}:project/{self.name}"}},
        }
        actions = [each for each in ["s3:GetObject", *PUSH, *LOG_IN, *LOGS] if each != without]
        iam = client("iam")
        role = iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
        rights = {"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
        iam.put_role_policy(RoleName=self.name, PolicyName="rights", PolicyDocument=json.dumps(rights))
        client("codebuild").create_project(
            name=self.name,
            source={"type": "NO_SOURCE", "buildspec": json.dumps(buildspec)},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": "any", "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=role["Role"]["Arn"],
        )

    def build(self, url: str) -> Any:
        """Build the image with the tag v1. Returns the build, ended."""
        variables = {
            "sourceS3Url": f"s3://{self.name}/source.zip",
            "repositoryUri": f"000000000000.dkr.ecr.us-east-1.amazonaws.com/{self.name}",
            "imageTag": "v1",
            "responseURL": url,
            "stackId": "stack",
            "requestId": "request",
            "logicalResourceId": "Image",
        }
        codebuild = self.client("codebuild")
        started = codebuild.start_build(
            projectName=self.name,
            environmentVariablesOverride=[{"name": name, "value": value} for name, value in variables.items()],
        )["build"]
        assert started["buildStatus"] == "IN_PROGRESS"

        def now() -> Any:
            return codebuild.batch_get_builds(ids=[started["id"]])["builds"][0]

        assert wait_until(lambda: now()["buildStatus"] != "IN_PROGRESS")
        return now()

    def tags(self) -> list[str]:
        images = self.client("ecr").describe_images(repositoryName=self.name)["imageDetails"]
        return [tag for image in images for tag in image["imageTags"]]

    def log(self) -> str:
        events = self.client("logs").filter_log_events(logGroupName=f"/aws/codebuild/{self.name}")["events"]
        return "\n".join(event["message"] for event in events)


@pytest.fixture
def responses() -> Any:
    found = Responses()
    yield found
    found.close()


def test_a_build_pushes_the_tag_writes_its_log_and_answers(
    client: Client, local_aws: LocalAws, responses: Responses
) -> None:
    project = Project(client, local_aws)

    assert project.build(responses.url)["buildStatus"] == "SUCCEEDED"

    assert project.tags() == ["v1"]
    assert "Running command docker push" in project.log()
    assert responses.bodies == [
        {
            "Status": "SUCCESS",
            "Reason": "",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "Image",
            "PhysicalResourceId": "v1",
            "Data": {"ImageTag": "v1"},
        }
    ]


@pytest.mark.parametrize(
    "action", ["s3:GetObject", "ecr:PutImage", "ecr-public:GetAuthorizationToken", "logs:CreateLogStream"]
)
def test_a_build_whose_role_lacks_a_right_fails(
    client: Client, local_aws: LocalAws, responses: Responses, action: str
) -> None:
    project = Project(client, local_aws, without=action)

    assert project.build(responses.url)["buildStatus"] == "FAILED"

    assert project.tags() == []
    if action == "logs:CreateLogStream":  # no command ran, so no command answered
        assert responses.bodies == []
    else:
        assert responses.bodies[0]["Status"] == "FAILED"
        sentence = (
            "(403) when calling the HeadObject" if action == "s3:GetObject" else f"not authorized to perform: {action}"
        )
        assert sentence in responses.bodies[0]["Reason"]


def test_a_push_without_a_log_in_fails_as_docker_does(
    client: Client, local_aws: LocalAws, responses: Responses
) -> None:
    commands = ["docker push $repositoryUri:$imageTag"]
    project = Project(client, local_aws, buildspec={"phases": {"build": {"commands": commands}}})

    assert project.build(responses.url)["buildStatus"] == "FAILED"
    assert "no basic auth credentials" in project.log()


def test_a_command_of_the_aws_cli_that_is_not_rehearsed_fails_the_build(
    client: Client, local_aws: LocalAws, responses: Responses
) -> None:
    commands = ["aws s3 sync build s3://site"]
    project = Project(client, local_aws, buildspec={"phases": {"build": {"commands": commands}}})

    assert project.build(responses.url)["buildStatus"] == "FAILED"
    assert "aws s3 sync build s3://site is not rehearsed" in project.log()


def test_a_build_of_another_project_may_not_use_the_role(
    client: Client, local_aws: LocalAws, responses: Responses
) -> None:
    project = Project(client, local_aws)
    trust = client("iam").get_role(RoleName=project.name)["Role"]["AssumeRolePolicyDocument"]
    trust["Statement"][0]["Condition"] = {"ArnLike": {"aws:SourceArn": "arn:aws:codebuild:*:*:project/other"}}
    client("iam").update_assume_role_policy(RoleName=project.name, PolicyDocument=json.dumps(trust))

    assert project.build(responses.url)["buildStatus"] == "FAILED"
    assert project.tags() == []


@pytest.mark.parametrize("buildspec", ["", "buildspec.yml"])
def test_a_buildspec_that_is_not_in_the_project_fails_the_build(buildspec: str) -> None:
    with pytest.raises(AwsError, match="without a buildspec in its project is not rehearsed"):
        commands(buildspec)


def test_the_commands_of_a_buildspec_are_those_of_its_phases_in_their_order() -> None:
    buildspec = "phases: {build: {commands: [make]}, install: {commands: [apt, pip]}, post_build: {commands: [curl]}}"

    assert commands(buildspec) == ["apt", "pip", "make"]
