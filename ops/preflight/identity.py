"""The credentials: whether they work, whose account they belong to, and how long they last."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from botocore.tokens import SSOTokenProvider

import ops.session
from environments import Environment
from ops.data.aws_errors import sentence
from ops.preflight.check import Check
from ops.preflight.finding import Finding, error, unknown, warning
from ops.preflight.target import Target, qualifier
from stacks.settings import Settings

SUBJECT = "credentials"

RENEWED = ("iam-role", "container-role", "custom-process", "assume-role", "assume-role-with-web-identity", "login")
"""Sources, as botocore names them, that give new credentials by themselves when the old ones end."""
RENEW = "Get new credentials, for example with `aws sso login`, then try again."
BESIDE_TRAINING = timedelta(minutes=35)
"""What a first deploy takes without the training: building the image, starting the endpoint, the other stacks."""


def checks() -> Iterator[Check]:
    yield Check(subject=SUBJECT, title="the remaining life of the credentials", needs="nothing", find=remaining_life)


def sign_in(
    environment: Environment, settings: Settings, stacks: frozenset[str], context: Mapping[str, object]
) -> Target | Finding:
    """The deployment, with the account of the credentials; a finding if it could not be looked up.

    Raises EnvironmentRefusedError if the shell or the account disagree with the environment's file.
    """
    try:
        session = ops.session.session(environment.name)
        account = ops.session.account(session)
    except RuntimeError as refusal:  # botocore's, for keys whose end has passed
        return error(SUBJECT, "These credentials have expired, so nothing else was checked.", f"{RENEW} ({refusal})")
    except (ClientError, BotoCoreError) as refusal:
        reason = sentence(refusal, "the look-up of the account", needs="sts:GetCallerIdentity")
        return error(SUBJECT, "Your account could not be looked up, so nothing else was checked.", reason)
    return Target(
        environment=environment,
        settings=settings,
        stacks=stacks,
        session=session,
        account=account,
        region=session.region_name,
        qualifier=qualifier(context),
    )


def duration(target: Target) -> timedelta:
    """The longest that the deploy of these stacks takes."""
    return BESIDE_TRAINING + timedelta(minutes=target.settings.training.WAIT_CEILING_MIN if target.trains else 0)


def remaining_life(target: Target) -> Iterator[Finding]:
    """Temporary credentials that end during the deploy, unless their source renews them."""
    takes = duration(target)
    minutes = f"{takes.total_seconds() / 60:.0f} minutes"
    left = life(target.session)
    if left is None:
        credentials: Any = target.session.get_credentials()
        if credentials.token and credentials.method not in (*RENEWED, "sso"):
            yield unknown(
                SUBJECT,
                f"These are temporary credentials that do not say when they end; the deploy takes up to {minutes}.",
                "If they are older than a few minutes, get new ones before the deploy.",
            )
    elif left < takes:
        minutes_left = max(0, left.total_seconds() / 60)
        yield (error if left < timedelta(minutes=5) else warning)(
            SUBJECT,
            f"These credentials end in {minutes_left:.0f} minutes; the deploy takes up to {minutes}, and stops between "
            "two stacks if they end before it.",
            RENEW,
        )


def life(session: boto3.Session) -> timedelta | None:
    """How long the credentials still last. None if they do not end, are renewed by their source, or do not say it."""
    credentials: Any = session.get_credentials()
    if not credentials.token or credentials.method in RENEWED:
        return None
    # botocore has no public attribute for the end of other credentials
    ends = _end_of_sign_in(session) if credentials.method == "sso" else getattr(credentials, "_expiry_time", None)
    return None if ends is None else ends - datetime.now(UTC)


def _end_of_sign_in(session: boto3.Session) -> datetime | None:
    """When IAM Identity Center gives no more keys: when its token ends. None if that is renewed too, or not known.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-sso-credentials.html has the names of the files.
    """
    profile = session._session.get_scoped_config()
    name = profile.get("sso_session") or profile.get("sso_start_url", "")
    digest = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
    cache = Path(SSOTokenProvider._SSO_TOKEN_CACHE_DIR)  # type: ignore[attr-defined]
    try:
        token = json.loads((cache / f"{digest}.json").read_text(encoding="utf-8"))
        return None if token.get("refreshToken") else datetime.fromisoformat(token["expiresAt"].replace("Z", "+00:00"))
    except (OSError, ValueError, KeyError):
        return None
