"""The function's entry point. It returns a proxy response for every event, and never raises."""

import os

from lambda_fn import calls, endpoint, photo_store
from lambda_fn.deadline import Deadline, LambdaContext
from lambda_fn.errors import INTERNAL, Response, ServiceError, ok
from lambda_fn.events import Request, is_for_page, parse
from lambda_fn.photo import Photo
from lambda_fn.request_log import RequestLog
from lambda_fn.settings import Settings

# At import, so that a wrong setting fails the deployment, and provisioned concurrency creates the clients in advance.
SETTINGS = Settings.from_env(os.environ)
calls.warm_up(with_s3=bool(SETTINGS.readable_s3_prefixes))
if SETTINGS.allowed_url_hosts:  # every other function starts without this import
    from lambda_fn import remote_photo

    remote_photo.warm_up()


def handler(event: object, context: LambdaContext | None = None) -> Response:
    """Event in, proxy response out."""
    log = RequestLog.of(context)
    code = "ok"
    try:
        if SETTINGS.page and is_for_page(event):
            log.is_page = True
            response = web_page()
        else:
            response = ok(classify(parse(event), Deadline.of(context), log), log.request_id)
    except ServiceError as error:  # one table: errors.py
        code = error.fault.code
        response = error.response(log.request_id)
    except Exception:  # a bug, not the caller's fault
        log.note_bug()
        code = INTERNAL.code
        response = ServiceError(INTERNAL).response(log.request_id)
    log.write(response, code)
    return response


def web_page() -> Response:
    """The page for people, which posts photos to this function."""
    from page import page  # only a function that shows the page has it in its package

    html, headers = page()
    return {"statusCode": 200, "headers": dict(headers), "body": html}


def classify(request: Request, deadline: Deadline, log: RequestLog) -> dict[str, object]:
    """The endpoint's answer for the photo in the request, in S3 or at the URL. Raises ServiceError."""
    data = request.image
    if request.s3 is not None:
        with log.stage("fetch"):
            data = photo_store.fetch(request.s3, settings=SETTINGS, deadline=deadline, log=log)
    elif request.url is not None:
        from lambda_fn import remote_photo

        with log.stage("fetch"):
            data = remote_photo.fetch(request.url, settings=SETTINGS, deadline=deadline, log=log)
    photo = Photo.of(data or b"")
    log.note_photo(request.source, photo)
    with log.stage("endpoint"):
        answer = endpoint.invoke(
            photo, endpoint_name=SETTINGS.endpoint_name, top_k=request.top_k, deadline=deadline, log=log
        )
    log.note_answer(answer)
    return answer
