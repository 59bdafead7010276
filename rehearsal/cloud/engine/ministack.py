"""The engine in this process: services and CloudFormation types are added to it, and what it leaves out is added."""

import asyncio
import contextvars
import json
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config
from ministack import app
from ministack.core import iam_actions, router
from ministack.services import eventbridge, s3, scheduler, stepfunctions
from ministack.services.cloudformation import custom_resource, provisioners, stacks

from rehearsal.cloud import silence
from rehearsal.cloud.api import Build, Created, Credentials, Json, Request, ResourceType, Response, Service
from rehearsal.cloud.engine.cloudwatch import CloudWatch
from rehearsal.cloud.engine.completed_calls import complete_calls
from rehearsal.cloud.engine.conditions import join_in_conditions
from rehearsal.cloud.engine.execution_role import decide_stack_calls
from rehearsal.cloud.engine.failed_functions import fail_with_their_functions
from rehearsal.cloud.engine.function_checks import check_functions
from rehearsal.cloud.engine.functions import use_functions
from rehearsal.cloud.engine.last_used import LastUsed
from rehearsal.cloud.engine.passed_roles import decide_passed_roles
from rehearsal.cloud.engine.polls import poll_as_long_as_on_aws
from rehearsal.cloud.engine.provisioned import ALIAS
from rehearsal.cloud.engine.public_images import publish_machine_images
from rehearsal.cloud.engine.roles import Roles
from rehearsal.cloud.engine.root import accept_one_root_key
from rehearsal.cloud.engine.service_calls import decide_service_calls
from rehearsal.cloud.engine.started_builds import run_builds
from rehearsal.cloud.engine.tagged import Tagged, list_by_tags, list_engine_services_by_tags
from rehearsal.cloud.functions import Functions
from rehearsal.cloud.replacement import REPLACING

SHORTEST_TICK_S = 0.5
"""Between two looks at which schedule is due."""
MOST_CALLS_AT_ONCE = 128


class Ministack(Roles):
    """The engine in this process. It reads its settings from the environment when it is imported (environment.py)."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__()
        self.url = url
        self.folder = folder
        self._root = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], "")
        self._threads = ThreadPoolExecutor(MOST_CALLS_AT_ONCE, thread_name_prefix="service")
        self._services: dict[str, Service] = {}
        self._worker_types: set[str] = set()
        self._sdk = botocore.session.Session()
        self._sdk_lock = threading.Lock()
        accept_one_root_key(self._root.access_key)
        complete_calls()
        poll_as_long_as_on_aws()
        self._decide_calls_of_services()
        self._take_loopback_for_tls()
        self._let_types_wait()
        self._keep_bucket_tags()
        self._end_silence()
        fail_with_their_functions()
        publish_machine_images()
        check_functions(self)
        decide_service_calls(self)
        decide_passed_roles(self)
        self.cloudwatch = CloudWatch(lambda: self.client("cloudwatch", self._root))
        decide_stack_calls(self)
        join_in_conditions()
        list_engine_services_by_tags()
        last_used = LastUsed()
        self.on_decision(last_used)
        last_used.answer()

    def run(self) -> None:
        """Serve until SIGTERM."""
        sys.argv = ["ministack"]  # it reads the command line
        app.main()

    # -- services

    def add_service(self, service: Service) -> None:
        """Route the requests of a service that the engine lacks to it, after authentication and authorisation."""

        async def handle(
            method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
        ) -> tuple[int, dict[str, str], bytes]:
            key = router.extract_access_key_id(headers, query) or ""
            request = Request(method, path, headers, body, key)
            context = contextvars.copy_context()
            loop = asyncio.get_running_loop()
            response: Response = await loop.run_in_executor(self._threads, context.run, service.answer, request)
            return response.status, dict(response.headers), response.body

        self._services[service.name] = service
        app.SERVICE_HANDLERS[service.name] = handle
        router.SERVICE_PATTERNS[service.name] = {"target_prefixes": [service.target + "."], "host_patterns": []}
        iam_actions.SERVICE_TO_IAM_NAMESPACE[service.name] = service.name

    def list_by_tags(self, service: str, tagged: Tagged) -> None:
        """Let the Resource Groups Tagging API list the resources of a service that the engine lacks."""
        list_by_tags(service, tagged)

    def _decide_calls_of_services(self) -> None:
        action_of, resource_of = iam_actions.extract_iam_action, iam_actions.extract_resource_arn

        def action(
            service: str, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
        ) -> str | None:
            if service in self._services:
                return self._services[service].action(Request(method, path, headers, body))
            found: str | None = action_of(service, method, path, headers, body, query)
            return found

        def resource(
            service: str,
            method: str,
            path: str,
            headers: dict[str, str],
            body: bytes,
            query: dict[str, Any],
            region: str,
            account_id: str,
        ) -> str:
            if service in self._services:
                return self._services[service].resource(Request(method, path, headers, body))
            return str(resource_of(service, method, path, headers, body, query, region, account_id))

        iam_actions.extract_iam_action, iam_actions.extract_resource_arn = action, resource

    def run_builds(self, run: Callable[[Build], None]) -> None:
        """Let `run` do what CodeBuild does after StartBuild, in a worker thread. It raises AwsError to fail."""
        run_builds(run, self._threads)

    def run_schedules(self, speed: float) -> None:
        """Let the minutes of `rate()` be minutes of a clock that runs `speed` times as fast as the real one."""
        seconds = eventbridge._parse_rate_seconds

        def faster(expression: str) -> float | None:
            found = seconds(expression)
            return None if found is None else float(found) / speed

        eventbridge._parse_rate_seconds = faster
        scheduler._SCHEDULE_TICK_INTERVAL = max(SHORTEST_TICK_S, scheduler._SCHEDULE_TICK_INTERVAL / speed)

    # -- Lambda

    def use_functions(self, functions: Functions) -> None:
        """Let `functions` run the calls of Python functions, and write the logs and metrics of all functions."""
        self._worker_types.add(ALIAS)
        use_functions(functions)

    # -- CloudFormation

    def add_type(self, name: str, kind: ResourceType) -> None:
        """Let CloudFormation create, change, replace and delete resources of this type, in a worker thread."""

        def pair(created: Created) -> tuple[str, Json]:
            return created.physical_id, created.attributes

        self._worker_types.add(name)
        provisioners._RESOURCE_HANDLERS[name] = {
            "create": lambda logical_id, properties, stack: pair(kind.create(logical_id, properties, stack)),
            "update": lambda physical_id, old, new, stack: pair(kind.update(physical_id, old, new, stack)),
            "delete": kind.delete,
        }
        provisioners._REPLACING_PROPERTIES[name] = REPLACING[name]

    def _let_types_wait(self) -> None:
        """The engine runs most types on its event loop, where a type that waits for a call would wait for itself."""
        waits = stacks._runs_on_worker_thread
        stacks._runs_on_worker_thread = lambda resource_type: (
            resource_type in self._worker_types or waits(resource_type)
        )

    def _keep_bucket_tags(self) -> None:
        """The engine forgets the tags of a bucket, and CDK's function refuses to empty a bucket without its tag."""
        bucket = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
        make = bucket["create"]

        def create(logical_id: str, properties: Json, stack: str) -> tuple[str, Json]:
            name, attributes = make(logical_id, properties, stack)
            s3._bucket_tags[name] = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
            return name, attributes

        provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"] = {**bucket, "create": create}

    def _end_silence(self) -> None:
        """A custom resource gets no longer than it works (silence.py)."""
        register = custom_resource.register_token

        def works() -> bool:
            return any(each["status"] == "RUNNING" for each in list(stepfunctions._executions.values()))

        custom_resource.register_token = lambda token: silence.Response(register(token), works)

    def _take_loopback_for_tls(self) -> None:
        """Bucket policies deny calls without TLS. What comes over the loopback interface counts as TLS here."""
        pin = app.pin_request_origin

        def pinned(source_ip: str, secure_transport: bool) -> None:
            pin(source_ip, secure_transport or source_ip in ("127.0.0.1", "::1"))

        app.pin_request_origin = pinned

    # -- clients

    def put_metrics(self, namespace: str, metrics: list[Json]) -> None:
        """See `Engine`."""
        self.service_client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=metrics)

    def put_event(self, source: str, kind: str, detail: Json, resources: list[str]) -> None:
        """See `Engine`. PutEvents refuses the sources of AWS's own services."""
        entry = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail), "Resources": resources}
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)

    def service_client(self, service: str) -> Any:
        """See `Engine`."""
        return self.client(service, self._root)

    def client(self, service: str, credentials: Credentials) -> Any:
        """See `Engine`."""
        with self._sdk_lock:  # botocore makes one client at a time
            return self._sdk.create_client(
                service,
                region_name=self.region,
                endpoint_url=self.url,
                aws_access_key_id=credentials.access_key,
                aws_secret_access_key=credentials.secret_key,
                aws_session_token=credentials.token or None,
                config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, read_timeout=70),
            )
