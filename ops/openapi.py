"""Write docs/openapi.json: the function's requests and responses, from the code that reads and writes them.

python -m ops.openapi
"""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contract.http_api import PAGE_ROUTE, PREDICT_ROUTE
from contract.utf8_mode import start_in_utf8_mode
from inference.photo.file_types import JPEG, PNG, WEBP
from lambda_fn import errors
from lambda_fn.errors import Fault, ServiceError
from lambda_fn.events import MAX_TOP_K
from lambda_fn.photo_url import MAX_CHARACTERS
from ops.api_remedies import OF_FAULT, OF_GATEWAY

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "openapi.json"

GATEWAY = {
    403: "API Gateway does not accept the signature, or the caller's policy does not allow the route.",
    404: "API Gateway has no such route.",
    413: "API Gateway takes at most 10 MB, and the function an event of 6 MB.",
    429: "API Gateway throttles: more requests than api.http_requests_per_s and api.http_burst allow.",
    500: "API Gateway could not call the function.",
    503: "API Gateway got no answer of the function.",
    504: "API Gateway did not get the function's answer in time.",
}
"""What API Gateway itself answers, with a body of its own and without Retry-After.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html
"""

GATEWAY_MESSAGES = {
    403: "Forbidden",
    404: "Not Found",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
    504: "Endpoint request timed out",
}
REQUEST_ID = "8f507c67-5ef3-4a3e-9d0f-2f6e3c1a7b94"
"""Of the examples."""
PHOTO = "/9j/4AAQSkZJRg=="
"""The first bytes of a JPEG file in base64."""
_TOP_K_TEXT = "^0*([1-9][0-9]{0,2}|1000)$"


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Kennel",
            "version": project["version"],
            "summary": "Predicts the breed of the dog in a photo.",
            "description": "The HTTP API of the Api stack. Its body is also the event of a direct call of the Lambda "
            "function, which returns status, headers and body of these responses as a proxy response. Written by "
            "`make reference`.",
            "license": {"name": project["license"], "identifier": project["license"]},
        },
        "servers": [
            {
                "url": "https://{api}.execute-api.{region}.amazonaws.com",
                "description": "The Api stack's output HttpUrl has the address.",
                "variables": {"api": {"default": "api-id"}, "region": {"default": "us-east-1"}},
            }
        ],
        "paths": dict((_operation(PREDICT_ROUTE, _predict()), _operation(PAGE_ROUTE, _page()))),
        "components": {
            "schemas": {
                "Request": _request(),
                "Answer": _answer(),
                "GatewayError": {
                    **_object(message={"type": "string"}),
                    "description": "The sentence is API Gateway's, and AWS may change it: decide by the status.",
                },
            },
            "securitySchemes": {
                "sigv4": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "AWS Signature Version 4 of the service execute-api, unless "
                    "api.http_authorization is none.",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                }
            },
        },
    }


def faults() -> list[Fault]:
    """Every fault of the function's table, by its code."""
    found = {fault.code: fault for fault in vars(errors).values() if isinstance(fault, Fault)}
    return [found[code] for code in sorted(found)]


def _operation(route: str, operation: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    method, path = route.split(" ")
    return path, {method.lower(): operation}


def _predict() -> dict[str, Any]:
    photos: dict[str, Any] = {kind.media_type: {"schema": {}} for kind in (JPEG, PNG, WEBP)}
    return {
        "operationId": "predict",
        "summary": "Predict the breed of the dog in a photo",
        "security": [{"sigv4": []}, {}],
        "parameters": [
            {
                "name": "top_k",
                "in": "query",
                "description": "How many breeds. A top_k in the body comes first, unless it is null.",
                "schema": _top_k(),
            }
        ],
        "requestBody": {
            "required": True,
            "description": "JSON, or the bytes of a photo. They decide what it is, and not the content type.",
            "content": {"application/json": {"schema": _reference("Request")}, **photos},
        },
        "responses": dict(_responses()),
    }


def _responses() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "200", {"description": "The likeliest breeds.", **_json(_reference("Answer"), answer=_example_answer())}
    by_status: dict[int, list[Fault]] = {}
    for fault in faults():
        by_status.setdefault(fault.status, []).append(fault)
    for status in sorted({*by_status, *GATEWAY}):
        own = by_status.get(status, [])
        schemas = [_error(own)] if own else []
        sentences = [f"`{fault.code}`: {fault.message}" for fault in own]
        if status in GATEWAY:
            schemas.append(_reference("GatewayError"))
            sentences.append(GATEWAY[status])
        response = {
            "description": "\n\n".join(sentences),
            **_json(schemas[0] if len(schemas) == 1 else {"oneOf": schemas}, **_examples(status, own)),
        }
        if headers := dict(_headers(own)):
            response["headers"] = headers
        yield str(status), response


def _examples(status: int, own: list[Fault]) -> dict[str, Any]:
    """The body of each error with this status, and what the caller does about it."""
    found = {
        fault.code: {
            "summary": fault.message,
            "description": OF_FAULT[fault.code],
            "value": json.loads(ServiceError(fault).response(REQUEST_ID)["body"]),
        }
        for fault in own
    }
    return {**found, **({"gateway": _example_of_gateway(status)} if status in GATEWAY else {})}


def _example_of_gateway(status: int) -> dict[str, Any]:
    return {
        "summary": GATEWAY[status],
        "description": OF_GATEWAY[status],
        "value": {"message": GATEWAY_MESSAGES[status]},
    }


def _example_answer() -> dict[str, Any]:
    breeds = {"Beagle": 0.92, "Border_collie": 0.06, "Samoyed": 0.01}
    predictions = [{"breed": breed, "probability": probability} for breed, probability in breeds.items()]
    return {"value": {"predictions": predictions, "model": "0f4c1d9be2a75386", "request_id": REQUEST_ID}}


def _headers(own: list[Fault]) -> Iterator[tuple[str, dict[str, Any]]]:
    if any(fault.retry_after_s is not None for fault in own):
        description = "Whole seconds, the same as retry_after_s. A caller that comes back sooner is refused again."
        yield "Retry-After", {"description": description, "schema": {"type": "integer", "minimum": 1}}
    if errors.METHOD_NOT_ALLOWED in own:
        yield "Allow", {"schema": {"const": "POST"}}


def _error(own: list[Fault]) -> dict[str, Any]:
    error = _object(
        code={"enum": [fault.code for fault in own]},
        message={"type": "string", "minLength": 1},
        request_id={"type": "string"},
    )
    waits = [fault for fault in own if fault.retry_after_s is not None]
    if waits:
        error["properties"]["retry_after_s"] = {"type": "integer", "minimum": 1}
    if waits == own:
        error["required"].append("retry_after_s")
    return _object(error=error)


def _request() -> dict[str, Any]:
    image = {
        "type": ["string", "null"],
        "contentEncoding": "base64",
        "minLength": 1,
        "description": "The photo. Line breaks, the alphabet for URLs and a data: URL are accepted.",
    }
    s3 = {
        "type": ["object", "null"],
        "properties": {
            "bucket": {"type": "string", "minLength": 1, "maxLength": 63},
            "key": {"type": "string", "minLength": 1, "maxLength": 1024},
        },
        "required": ["bucket", "key"],
        "description": "An object under a prefix of api.readable_s3_prefixes. Other fields have no effect.",
    }
    url = {
        "type": ["string", "null"],
        "format": "uri",
        "pattern": "^[Hh][Tt][Tt][Pp][Ss]://",
        "maxLength": MAX_CHARACTERS,
        "description": "The address of a photo, on a host that api.allowed_url_hosts lists.",
    }
    top_k = {
        "anyOf": [_top_k(), {"type": "string", "pattern": _TOP_K_TEXT, "maxLength": 4}, {"type": "null"}],
        "description": "How many breeds.",
    }
    return {
        "type": "object",
        "description": "Exactly one of image, s3 and url. A field that is null counts as left out.",
        "properties": {"image": image, "s3": s3, "url": url, "top_k": top_k},
        "oneOf": [
            {"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in ("image", "s3", "url")
        ],
        "examples": [
            {"image": PHOTO, "top_k": 3},
            {"s3": {"bucket": "my-photos", "key": "dogs/rex.jpg"}},
            {"url": "https://photos.example.org/rex.jpg"},
        ],
    }


def _answer() -> dict[str, Any]:
    prediction = _object(breed={"type": "string"}, probability={"type": "number", "minimum": 0, "maximum": 1})
    return _object(
        predictions={"type": "array", "minItems": 1, "items": prediction, "description": "The likeliest first."},
        model={"type": "string", "description": "The id in the manifest of the model."},
        request_id={"type": "string"},
    )


def _page() -> dict[str, Any]:
    missing = _example_of_gateway(404) | {
        "summary": "api.page is false.",
        "description": "Set `api.page` to true and deploy, or send `POST /predict`.",
    }
    return {
        "operationId": "page",
        "summary": "The web page, with api.page",
        "security": [],
        "responses": {
            "200": {
                "description": "The page.",
                "content": {"text/html; charset=utf-8": {"schema": {"type": "string"}}},
            },
            **{
                str(status): {
                    "description": example["summary"],
                    **_json(_reference("GatewayError"), gateway=example),
                }
                for status, example in ((404, missing), *((s, _example_of_gateway(s)) for s in (429, 500, 503, 504)))
            },
        },
    }


def _top_k() -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": MAX_TOP_K}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    """All are required, and no other is allowed."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: dict[str, Any], **examples: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema, "examples": examples}}}


def text() -> str:
    """The file."""
    return json.dumps(document(), indent=2) + "\n"


if __name__ == "__main__":
    start_in_utf8_mode()
    PAGE.write_text(text(), encoding="utf-8")
