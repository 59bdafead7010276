"""A stand-in for an AWS account at one local address: CloudFormation, Lambda's Invoke, and moto for the rest.

    with Account() as account:
        subprocess.run(["cdk", "bootstrap"], env={**os.environ, **account.variables})

moto's own CloudFormation has neither Fn::GetStackOutput nor custom resources, on which the templates depend.
"""

import io
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl
from urllib.request import Request, urlopen
from xml.sax.saxutils import escape

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.account.cloudformation import BadRequestError, CloudFormation
from tests.account.functions import Functions
from tests.account.published import answer
from tests.account.resources import Resources

ACCOUNT, REGION = "123456789012", "us-east-1"
_SERVICE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/")
Start = Callable[[str, list[tuple[str, str]]], Any]
_INVOKE = re.compile(r"/2015-03-31/functions/(?:arn:.*:function:)?([^/:]+)(?::[^/]+)?/invocations")
JSON = [("Content-Type", "application/x-amz-json-1.1")]
NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"


class Account:
    """Serves while the `with` block runs. Container: the URL of what every endpoint runs."""

    def __init__(self, container: str = "") -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._application, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        session = boto3.Session(region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing")
        self.resources = Resources(session=session, url=self.url, account=ACCOUNT, region=REGION)
        self.cloudformation = CloudFormation(self.resources)
        self.functions = Functions(self.cloudformation, container)
        self.variables = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        """What a program needs in its environment to find this account."""
        self.calls: list[str] = []
        """Service and, for CloudFormation, the action of each call."""

    def client(self, service: str) -> Any:
        return self.resources.client(service)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        # moto keeps its state in the process, so an earlier account's would still be there
        urlopen(Request(f"{self.url}/moto-api/reset", method="POST")).close()  # noqa: S310 - a local address
        self.calls.clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _application(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        signed = _SERVICE.search(environ.get("HTTP_AUTHORIZATION", ""))
        service = signed[1] if signed else ""
        invoked = _INVOKE.fullmatch(environ.get("PATH_INFO", ""))
        if service == "lambda" and invoked:
            self.calls.append("lambda:Invoke")
            status, returned = self.functions.invoke(invoked[1], _body(environ))
            start(status, [("Content-Type", "application/json")])
            return [returned]
        if service != "cloudformation":
            self.calls.append(service)
            body = _body(environ)
            published = answer(environ.get("HTTP_X_AMZ_TARGET", ""), body, self.resources)
            if published is not None:
                start("200 OK", JSON)
                return [json.dumps(published).encode()]
            environ["wsgi.input"] = io.BytesIO(body)
            try:
                found: Iterable[bytes] = self._moto(environ, start)
            except (
                Exception
            ) as error:  # moto does not have this service or this call; a 500 would be sent again and again
                start("400 Bad Request", JSON)
                return [json.dumps({"__type": "NotImplementedException", "message": repr(error)}).encode()]
            return found
        parameters = dict(parse_qsl(_body(environ).decode(), keep_blank_values=True))
        action = parameters.get("Action", "")
        self.calls.append(f"cloudformation:{action}")
        request = f"<RequestId>{uuid.uuid4()}</RequestId>"
        try:
            result = _xml(self.cloudformation.answer(action, parameters))
            status = "200 OK"
            text = (
                f'<{action}Response xmlns="{NAMESPACE}"><{action}Result>{result}</{action}Result>'
                f"<ResponseMetadata>{request}</ResponseMetadata></{action}Response>"
            )
        except BadRequestError as refused:
            status = "400 Bad Request"
            text = (
                f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type><Code>{refused.code}</Code>'
                f"<Message>{escape(str(refused))}</Message></Error>{request}</ErrorResponse>"
            )
        start(status, [("Content-Type", "text/xml")])
        return [text.encode()]


def _body(environ: dict[str, Any]) -> bytes:
    read: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return read


def _xml(value: Any) -> str:
    """AWS's query protocol: each member is an element, each entry of a list a <member>."""
    if isinstance(value, dict):
        return "".join(f"<{key}>{_xml(one)}</{key}>" for key, one in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_xml(one)}</member>" for one in value)
    return escape(str(value).lower() if isinstance(value, bool) else str(value))
