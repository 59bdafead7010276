"""The page and the model's server on one address: GET / and POST /predict in front of SageMaker's two routes.

/predict takes what the HTTP API of AWS takes from the page: the bytes of one photo, and `?top_k=N`.
"""

from starlette.applications import Starlette
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from inference.server.app import application
from inference.server.headers import ATTRIBUTES
from inference.server.service import Service
from page import page

HOSTS = ["127.0.0.1", "localhost"]
"""Names in the Host header. A web site whose name resolves to this machine may not read what the model answers."""


def with_page(service: Service) -> ASGIApp:
    """The ASGI application over `service`."""
    model = application(service)
    routes = [Route("/", _page), Route("/predict", _Predict(model)), Mount("/", model)]
    return TrustedHostMiddleware(Starlette(routes=routes), allowed_hosts=HOSTS, www_redirect=False)


async def _page(_: Request) -> Response:
    html, headers = page()
    return Response(html, headers=dict(headers))


class _Predict:
    """/invocations under the name and with the query of the HTTP API."""

    def __init__(self, model: ASGIApp) -> None:
        self._model = model

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        top_k = Request(scope).query_params.get("top_k")
        headers = [(name, value) for name, value in scope["headers"] if name != ATTRIBUTES.lower().encode()]
        if top_k is not None:
            headers.append((ATTRIBUTES.lower().encode(), f"top_k={top_k}".encode("latin-1", "replace")))
        path = {"path": "/invocations", "raw_path": b"/invocations", "query_string": b""}
        await self._model({**scope, **path, "headers": headers}, receive, send)
