"""Every check: what it is about, when it applies, and the permissions that it needs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from ops.preflight import bootstrap, identity, quotas
from ops.preflight.finding import Finding
from ops.preflight.service_quotas import ServiceQuotas
from ops.preflight.target import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One question to AWS, small enough that a refused call leaves nothing else unanswered."""

    subject: str
    """The row of the table."""
    title: str
    """What is looked up, for the line of a check that AWS refused."""
    needs: str
    """The permissions, in IAM's notation."""
    find: Callable[[Target], Iterable[Finding]]


def checks(target: Target) -> list[Check]:
    """The checks that matter for the stacks and settings of this deployment."""
    found = [
        Check(
            subject="credentials",
            title="the remaining life of the credentials",
            needs="none",
            find=identity.remaining_life,
        ),
        Check(
            subject="bootstrap",
            title="the version of CDK's bootstrap stack",
            needs="ssm:GetParameter",
            find=bootstrap.version,
        ),
        Check(
            subject="bootstrap",
            title="CDK's bucket for assets",
            needs="s3:ListBucket",
            find=bootstrap.asset_bucket,
        ),
        Check(
            subject="bootstrap",
            title="the key of CDK's bucket for assets",
            needs="s3:GetEncryptionConfiguration, kms:DescribeKey and kms:GetKeyPolicy",
            find=bootstrap.asset_key,
        ),
    ]
    shared = ServiceQuotas(target)
    found += [
        Check(
            subject=quotas.SUBJECT,
            title=f"the quota {need.name!r}",
            needs=quotas.PERMISSIONS,
            find=partial(quotas.check, need, shared),
        )
        for need in quotas.needs(target)
    ]
    if "api" in target.stacks and target.settings.api.provisioned_concurrency:
        found.append(
            Check(
                subject=quotas.SUBJECT,
                title="the account's concurrency of Lambda",
                needs="lambda:GetAccountSettings",
                find=quotas.concurrency,
            )
        )
    return found
