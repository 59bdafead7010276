"""AWS's errors as one sentence with the remedy, for whatever `kennel` does with a bucket. It imports only botocore."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.session import get_session

_ENDED = "The session of these credentials has expired. Run `aws sso login`, or set new temporary keys, then try again."
_UNKNOWN_KEY = (
    "AWS does not recognise this access key. Set AWS_PROFILE, or set both keys again (temporary keys also need "
    "AWS_SESSION_TOKEN), then try again."
)
_REMEDIES = {
    "ExpiredToken": _ENDED,
    "ExpiredTokenException": _ENDED,
    "TokenRefreshRequired": _ENDED,
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "InvalidToken": _UNKNOWN_KEY,
    "UnrecognizedClientException": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": (
        "The secret key does not belong to this access key. Copy both again (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)."
    ),
    "RequestTimeTooSkewed": "This machine's clock is wrong. Set it, then try again.",
    "NoSuchBucket": (
        "That bucket does not exist. Correct its name, or create it first. Without a name, `kennel` uses the bucket of "
        "the environment, which `make deploy STACKS=Storage` creates."
    ),
}


_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException", "403")
"""403 is the code of a refused HeadObject, whose answer has no body."""
_ACTION = re.compile(r"not authorized to perform:? ([\w-]+:\w+)")
"""The action that AWS names where it refuses one. https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html"""
_EXPLICIT_DENY = "explicit deny"


class BucketError(Exception):
    """Photos in S3 cannot be listed or written. The message says why, and what to do."""


@contextmanager
def explained(doing: str, *, needs: str) -> Iterator[None]:
    """Turn boto3's exceptions in the block into BucketError. doing: the block's work. needs: its permissions.

    Create the client in the block too: boto3 looks up the profile and the keys at that moment.
    """
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise BucketError(sentence(error, doing, needs=needs)) from error


def sentence(error: ClientError | BotoCoreError, doing: str, *, needs: str) -> str:
    """What went wrong, and the remedy. doing: the work that failed. needs: the permissions of that work."""
    if isinstance(error, BotoCoreError):
        return _without_answer(error, doing)
    code, message = code_and_message(error)
    remedy = denied_remedy(message, needs) if is_denied(error) else _REMEDIES.get(code, "Correct that, then try again.")
    return f"AWS refused {doing} ({code}). {remedy} AWS says: {message}"


def code_and_message(error: ClientError) -> tuple[str, str]:
    """AWS's code, such as AccessDenied, and its message in one line."""
    details = error.response.get("Error", {})
    return details.get("Code", "unknown"), _one_line(details.get("Message") or "nothing")


def is_denied(error: Exception) -> bool:
    """Whether AWS refused the call because a permission is missing."""
    return isinstance(error, ClientError) and code_and_message(error)[0] in _DENIED


def denied_remedy(message: str, needs: str) -> str:
    """The remedy for a missing permission: the one that AWS names, which may be another than the request's own."""
    named = _ACTION.search(message)
    action = named[1] if named else needs
    if _EXPLICIT_DENY in message:
        return f"A policy denies {action} to these credentials; change that policy or use other credentials."
    if action.startswith("kms:"):
        return f"These credentials need {action} on the bucket's key, in their own policies and in the key's."
    return f"These credentials need {action}."


def _without_answer(error: BotoCoreError, doing: str) -> str:
    match error:
        case NoCredentialsError():
            return "There are no AWS credentials. Run `aws configure sso` or set AWS_PROFILE, then try again."
        case ProfileNotFound():
            missing = error.kwargs["profile"]
            return f"There is no AWS profile {missing!r}. Set AWS_PROFILE to one of `aws configure list-profiles`."
        case PartialCredentialsError():
            missing = error.kwargs["cred_var"]
            return f"The AWS key pair is incomplete: {missing} is missing. Set it, or set AWS_PROFILE, then try again."
        case NoRegionError():
            return "There is no AWS region. Set AWS_REGION or the profile's region, then try again."
        case SSOError() | TokenRetrievalError() | CredentialRetrievalError():
            return f"AWS gave no credentials ({_one_line(error)}). Run `aws sso login` or correct the profile."
        case SSLError():
            return f"{_tls_sentence(_one_line(error))} ({doing}: {_one_line(error)})"
        case ProxyConnectionError():
            return (
                f"The proxy {error.kwargs['proxy_url']} let nothing through to AWS for {doing} "
                f"({_one_line(error.kwargs['error'])}). Correct or unset HTTPS_PROXY and HTTP_PROXY, then try again."
            )
        case NoConnectionError() | HTTPClientError():
            return (
                f"AWS could not be reached for {doing} ({_one_line(error)}). Check the network and the name of the "
                "region, then run the same command again."
            )
        case _:
            return f"The AWS client failed in {doing} ({_one_line(error)}). Correct that, then try again."


def _tls_sentence(reason: str) -> str:
    bundle = get_session().get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE", "")
    if bundle and not Path(bundle).is_file():
        return (
            f"The file of trusted certificates {bundle} does not exist. Correct AWS_CA_BUNDLE (or ca_bundle in "
            "~/.aws/config, or REQUESTS_CA_BUNDLE), then try again."
        )
    if "CERTIFICATE_VERIFY_FAILED" not in reason:
        if bundle and "X509" in reason:
            return f"{bundle} contains no certificate. Set AWS_CA_BUNDLE to a PEM file, then try again."
        return "No TLS connection to AWS could be made. Check HTTPS_PROXY and AWS_ENDPOINT_URL, then try again."
    return (
        "The server's TLS certificate is not signed by an authority that "
        f"{bundle or 'this machine'} has. If a proxy of your network inspects TLS, ask its administrator for the "
        "certificate of its authority, and set AWS_CA_BUNDLE to a PEM file that has it."
    )


def _one_line(message: object) -> str:
    return " ".join(str(message).split())
