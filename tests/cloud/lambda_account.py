"""Roles and functions in a local AWS, as a test needs them."""

import base64
import io
import itertools
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
ROLE = "arn:aws:iam::000000000000:role"
_numbers = itertools.count(1)


def zipped(source: str, name: str = "function.py") -> bytes:
    """An archive with one file."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr(name, source)
    return archive.getvalue()


@dataclass(frozen=True)
class Answer:
    """What Invoke returned."""

    payload: Any
    error: str
    log: str
    version: str


@dataclass(frozen=True)
class LambdaAccount:
    """client: makes a client of a service, with the account's root key."""

    client: Callable[[str], Any]

    def role(self, *actions: str) -> str:
        """A new role that Lambda may assume, with the right to do these actions to everything. Returns its ARN."""
        name = f"role-{next(_numbers)}"
        statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        arn = self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        if actions:
            rights = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
            document = json.dumps({"Version": "2012-10-17", "Statement": [rights]})
            self.client("iam").put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=document)
        return str(arn)

    def function(
        self,
        source: str,
        *,
        runtime: str = "python3.13",
        handler: str = "function.handler",
        file: str = "function.py",
        rights: Sequence[str] = LOGS,
        memory_mib: int = 256,
        timeout_s: int = 60,
        variables: Mapping[str, str] | None = None,
        **configuration: Any,
    ) -> str:
        """A new function. Returns its name."""
        name = f"function-{next(_numbers)}"
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime=runtime,
            Role=self.role(*rights),
            Handler=handler,
            Code={"ZipFile": zipped(source, file)},
            MemorySize=memory_mib,
            Timeout=timeout_s,
            Environment={"Variables": dict(variables or {})},
            **configuration,
        )
        return name

    def invoke(self, name: str, event: object = None, qualifier: str = "$LATEST") -> Answer:
        """Invoke a function and wait for its response."""
        found = self.client("lambda").invoke(
            FunctionName=name, Payload=json.dumps(event or {}), LogType="Tail", Qualifier=qualifier
        )
        return Answer(
            json.loads(found["Payload"].read()),
            found.get("FunctionError", ""),
            base64.b64decode(found.get("LogResult", "")).decode(),
            found["ExecutedVersion"],
        )

    def logged(self, name: str) -> list[str]:
        """The lines of all log streams of a function."""
        logs, group = self.client("logs"), f"/aws/lambda/{name}"
        groups = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        if not any(each["logGroupName"] == group for each in groups):
            return []
        return [
            event["message"]
            for stream in logs.describe_log_streams(logGroupName=group)["logStreams"]
            for event in logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]
