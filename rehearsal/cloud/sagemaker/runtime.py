"""SageMaker Runtime's InvokeEndpoint, in front of the fleets of the endpoints.

The rules are those of rehearsal/aws/invocation.py.
"""

import http.client
import time
from datetime import UTC, datetime

from rehearsal.aws import invocation
from rehearsal.aws.invocation import Answer
from rehearsal.cloud.api import Engine, Request, Response
from rehearsal.cloud.sagemaker.capture import Exchange
from rehearsal.cloud.sagemaker.endpoint import SERVING, Endpoint
from rehearsal.cloud.sagemaker.endpoints import Endpoints
from rehearsal.cloud.sagemaker.fleet import VariantFleet
from rehearsal.cloud.sagemaker.server import Server

TRIES = 5
"""A fleet may be closed between the choice of a variant and that of an instance; the next choice sees its successor."""
TARGET_VARIANT = "x-amzn-sagemaker-target-variant"


class Runtime:
    """Responds to InvokeEndpoint."""

    def __init__(self, engine: Engine, endpoints: Endpoints) -> None:
        self._engine = engine
        self._endpoints = endpoints

    def invoke(self, name: str, request: Request) -> Response:
        """The response of the endpoint `name`."""
        answer = self._invoke(name, request)
        return Response(answer.status, answer.body, answer.headers)

    def _invoke(self, name: str, request: Request) -> Answer:
        began = time.perf_counter()
        shown = invocation.Endpoint(name, self._engine.region, self._engine.account)
        if len(request.body) > invocation.MAX_BODY_BYTES:
            return invocation.too_large()
        endpoint = self._endpoints.find(name)
        if endpoint is None or endpoint.status not in SERVING:
            return shown.not_found()
        target = request.headers.get(TARGET_VARIANT, "")
        chosen = _acquire(endpoint, target)
        if chosen is None and target:
            return invocation.invalid(f"Variant {target} of endpoint {name} is not in service.")
        if chosen is None:
            return invocation.unavailable()
        variant, server = chosen
        status = 0
        called = time.perf_counter()
        try:
            found = server.invoke(request.headers.items(), request.body)
            status = found.status
            answer = shown.answer(found, variant=variant.name)
            endpoint.capture(variant, _exchange(variant, request, found))
        except TimeoutError:
            answer = shown.timed_out()
        except (OSError, http.client.HTTPException):
            answer = invocation.unavailable()
        finally:
            returned = time.perf_counter()
            variant.release(server)
        model_s = returned - called
        usage = self._endpoints.usages.of(name, variant.name)
        usage.record(status, model_s=model_s, overhead_s=time.perf_counter() - began - model_s)
        return answer


def _exchange(variant: VariantFleet, request: Request, found: Answer) -> Exchange:
    types = {name.lower(): value for name, value in found.headers.items()}
    return Exchange(
        variant=variant.name,
        at=datetime.now(UTC),
        request_type=request.headers.get("content-type", ""),
        request=request.body,
        response_type=types.get("content-type", ""),
        response=found.body,
    )


def _acquire(endpoint: Endpoint, target: str) -> tuple[VariantFleet, Server] | None:
    for _ in range(TRIES):
        variant = endpoint.traffic.choose(target)
        server = variant.acquire() if variant is not None else None
        if variant is not None and server is not None:
            return variant, server
    return None
