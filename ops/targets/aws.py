"""The clients with which photos are sent to AWS, and their exceptions as sentences."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, ReadTimeoutError

import environments
from ops.data.aws_errors import code_and_message, is_denied, sentence
from ops.data.bucket import output_of
from ops.session import session
from ops.targets.reply import BUSY, LONGEST_SENTENCE, BusyError, RefusedError, TargetError, seconds

AT_ONCE = 4
"""Photos in flight. By default a function has three provisioned environments, and an endpoint two cores."""
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10, 70
"""SageMaker ends a prediction after 60 s."""
MAX_REQUEST_BYTES = 6_291_456
"""Of an InvokeEndpoint, and of the event of a Lambda function, which contains a photo as base64."""


def client(service: str, *, environment: str, region: str | None = None) -> Any:
    """A boto3 client with the credentials of an environment. It repeats no call: ops/targets/patience.py does.

    region: instead of the environment's. Raises TargetError.
    """
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"total_max_attempts": 1},
        max_pool_connections=AT_ONCE,
    )
    with explained(f"the client of {service}", needs=""):
        factory: Any = session(environment).client  # its type has an overload for each service's name
        return factory(service, region_name=region, config=config)


def deployed(stack: str, output: str, *, environment: str, kind: str, option: str) -> str:
    """The name of what an environment's stack has deployed, from this output of the stack.

    Raises TargetError if there is no such output, and BucketError if AWS returns an error for it.
    """
    name = output_of(stack, output, environment=environment)
    if not name:
        raise TargetError(
            f"The stack {environments.load(environment).stack(stack)} has no output {output}, so there is no {kind} to "
            f"ask. Deploy it (make deploy ENV={environment}), name another environment (kennel --env NAME), or name "
            f"the {kind}: {option}=NAME."
        )
    return name


@contextmanager
def explained(doing: str, *, needs: str) -> Iterator[None]:
    """Turn boto3's exceptions in the block into TargetError, or RefusedError and BusyError if others may succeed.

    doing: the block's work. needs: the permission of that work.
    """
    try:
        yield
    except ReadTimeoutError as error:
        raise RefusedError(f"AWS did not answer {doing} within {READ_TIMEOUT_S} s; try again.") from error
    except ConnectionClosedError as error:
        raise BusyError(f"AWS closed the connection during {doing}; try again.") from error
    except BotoCoreError as error:
        raise TargetError(sentence(error, doing, needs=needs)) from error
    except ClientError as error:
        raise _refusal(error, doing, needs) from error


def _refusal(error: ClientError, doing: str, needs: str) -> Exception:
    code, message = code_and_message(error)
    metadata: dict[str, Any] = dict(error.response.get("ResponseMetadata", {}))
    status = int(metadata.get("HTTPStatusCode") or 0)
    text = f"AWS refused {doing} ({code}): {message[:LONGEST_SENTENCE]}"
    if not is_denied(error) and (status in BUSY or status >= 500 or "Throttl" in code):
        return BusyError(text, seconds(dict(metadata.get("HTTPHeaders", {})).get("retry-after")))
    if status == 413:
        return RefusedError(text)
    return TargetError(sentence(error, doing, needs=needs))
