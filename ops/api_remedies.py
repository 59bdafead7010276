"""What a caller of the HTTP API does about each error. The sentences of the errors themselves say what is wrong."""

from typing import Final

_AGAIN = "Wait as long as `Retry-After` says, then send the same request again."
_SEND_THE_PHOTO = (
    "Open the URL in a browser without being logged in. If the photo is there, send it as base64 in `image`."
)

OF_FAULT: Final = {
    "bad_request": "Correct what the message names. Most messages show a request that works.",
    "busy": f"{_AGAIN} If it happens often, raise `serving.scaling.max_instances`.",
    "endpoint_failed": "Send the request again. If it fails again, `kennel why` finds the cause.",
    "internal": "Search the function's log for the `request_id`: `kennel logs lambda`.",
    "method_not_allowed": "Send `POST /predict`.",
    "model_failed": "Try another photo. If every photo fails, `kennel why` finds the cause in the log of the endpoint.",
    "refused": "Compare the request with this page. The log of the endpoint has the reason: `kennel logs endpoint`.",
    "s3_denied": "Check the bucket and the key, and whether the bucket's policy and its KMS key let the role of the "
    "function read the object.",
    "s3_forbidden": "Put the photo under a prefix that `api.readable_s3_prefixes` lists, or add its prefix to that "
    "setting and deploy.",
    "s3_not_found": "Check the bucket and the key. Upper and lower case differ in a key.",
    "s3_timed_out": "Send the request again, or send the photo itself as base64 in `image`.",
    "s3_unavailable": _AGAIN,
    "timed_out": "Send the request again. If it happens often, `kennel status` shows the load of the endpoint.",
    "too_large": "Scale the photo down. 1,000 pixels on the longer side are more than the model uses.",
    "unavailable": f"{_AGAIN} `kennel status` shows the state of the endpoint.",
    "unreachable": f"{_AGAIN} If it fails again, `kennel why` finds the cause.",
    "unreadable": "Open the photo in an image program and save it as a new JPEG.",
    "unsupported_type": "Convert the file to JPEG, PNG or WebP. The message names what the file is.",
    "url_denied": "Send a URL that everyone can read, such as a presigned one, or send the photo as base64 in `image`.",
    "url_failed": _SEND_THE_PHOTO,
    "url_forbidden": "Add the host to `api.allowed_url_hosts` and deploy, or send the photo as base64 in `image`.",
    "url_invalid": "Correct what the message names: a URL has `https`, a host name, no port but 443, and no user name.",
    "url_not_fetched": "Add the host to `api.allowed_url_hosts` and deploy, or send the photo as base64 in `image`.",
    "url_not_found": "Check the URL: open it in a browser without being logged in.",
    "url_timed_out": "Send the photo itself as base64 in `image`.",
}
"""By the code of an error of the function (lambda_fn/errors.py)."""

OF_GATEWAY: Final = {
    403: "Sign the request with Signature Version 4 for the service `execute-api` and the API's region. The policy of "
    "the caller needs `execute-api:Invoke` on the stack's output `HttpRouteArn`.",
    404: "Send `POST /predict`. `GET /` exists only with `api.page`.",
    413: "Scale the photo down, or send it by its place in S3 or its URL.",
    429: "Wait a second, and twice as long after each further 429. The limits are the settings "
    "`api.http_requests_per_s` and `api.http_burst`.",
    500: "Send the request again. If it fails again, `kennel why` finds the cause.",
    503: "Send the request again. If it fails again, `kennel why` finds the cause.",
    504: "Send the request again. If it happens often, `kennel status` shows the load of the endpoint.",
}
"""By the status of an error that API Gateway itself answers."""
