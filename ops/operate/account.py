"""The account of an environment, and AWS's errors as one sentence with the remedy."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.parsers import ResponseParserError

import environments
import ops.session
from environments import Environment
from ops.data.aws_errors import code_and_message, is_denied, sentence
from ops.preflight.target import PATIENCE
from stacks.settings import Settings
from stacks.settings.parse import load

MISSING = ("ResourceNotFoundException", "ResourceNotFound")
_TRANSIENT_CODES = ("Throttling", "ThrottlingException", "TooManyRequestsException", "ServiceUnavailable")


class AccountError(Exception):
    """AWS did not say what was asked. The message has the reason and the remedy.

    passing: whether the same call may succeed soon: a throttle, a fault of AWS, or a connection that failed.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The credentials of an environment, which work."""

    environment: Environment
    settings: Settings
    """Those of the environment's file."""
    session: boto3.Session
    number: str
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, name: str) -> "Account":
        """The account of environments/NAME.toml.

        Raises AccountError if AWS does not accept the credentials, and EnvironmentRefusedError or SettingsError if the
        file, the shell and the credentials disagree.
        """
        environment = environments.load(name)
        settings = load(environment, {})
        try:
            session = ops.session.session(name)
            number = ops.session.account(session)
        except RuntimeError as error:
            raise _expired(error) from error
        except (ClientError, BotoCoreError) as error:
            raise _error(error, "the look-up of the account", "sts:GetCallerIdentity") from error
        return cls(environment=environment, settings=settings, session=session, number=number)

    @property
    def region(self) -> str:
        found: str = self.session.region_name
        return found

    @property
    def option(self) -> str:
        """What a command of `kennel` needs to mean this environment, such as ` --env production`."""
        return "" if self.environment.name == environments.DEFAULT else f" --env {self.environment.name}"

    def client(self, service: str) -> Any:
        """The boto3 client of a service."""
        if service not in self._clients:
            make: Any = self.session.client  # its types name every service
            self._clients[service] = make(service, config=PATIENCE)
        return self._clients[service]


@contextmanager
def asking(doing: str, *, needs: str) -> Iterator[None]:
    """Turn boto3's exceptions in the block into AccountError, and a field that the answer lacks.

    doing: the block's work. needs: its permission.
    """
    try:
        yield
    except (ResponseParserError, KeyError) as error:  # such as the page of a proxy
        raise AccountError(
            f"The answer to {doing} is not AWS's. Check HTTPS_PROXY and AWS_ENDPOINT_URL, then try again. ({error})"
        ) from error
    except (ClientError, BotoCoreError) as error:
        raise _error(error, doing, needs) from error
    except RuntimeError as error:
        if "expired" not in str(error):
            raise
        raise _expired(error) from error


def is_missing(error: ClientError) -> bool:
    """Whether AWS says that what was asked for does not exist."""
    code, message = code_and_message(error)
    return code in MISSING or any(words in message for words in ("does not exist", "Could not find", "not found"))


def _error(error: ClientError | BotoCoreError, doing: str, needs: str) -> AccountError:
    passing = isinstance(error, NoConnectionError | HTTPClientError)  # not a session that has expired
    if isinstance(error, ClientError):
        metadata: dict[str, Any] = dict(error.response.get("ResponseMetadata", {}))
        passing = int(metadata.get("HTTPStatusCode") or 0) >= 500 or code_and_message(error)[0] in _TRANSIENT_CODES
        passing = passing and not is_denied(error)
    return AccountError(sentence(error, doing, needs=needs), passing=passing)


def _expired(error: RuntimeError) -> AccountError:
    """For botocore's error about keys whose end has passed, which has no class of its own."""
    return AccountError(f"These credentials have expired. Run `aws sso login`, then try again. ({error})")
