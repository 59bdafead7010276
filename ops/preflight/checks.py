"""Every check that matters for a deployment, in the order of the table."""

from ops.preflight import (
    artifacts,
    bootstrap,
    budget,
    existing,
    identity,
    images,
    names,
    photos,
    plan,
    quotas,
    roles,
    routes,
    stacks,
    vcpus,
    vpcs,
    zones,
)
from ops.preflight.check import Check
from ops.preflight.service_quotas import ServiceQuotas
from ops.preflight.target import Target


def checks(target: Target) -> list[Check]:
    """The checks that matter for the stacks and settings of this deployment."""
    shared = ServiceQuotas(target)
    return [
        *identity.checks(),
        *plan.checks(target),
        *budget.checks(target),
        *bootstrap.checks(),
        *quotas.checks(target, shared),
        *vcpus.checks(target, shared),
        *vpcs.checks(target, shared),
        *existing.checks(target),
        *routes.checks(target),
        *zones.checks(target),
        *images.checks(target),
        *roles.checks(target),
        *stacks.checks(target),
        *names.checks(target),
        *photos.checks(target),
        *artifacts.checks(target),
    ]
