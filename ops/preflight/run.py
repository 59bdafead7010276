"""Run every check at once, and gather what they find."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import environments
from environments import EnvironmentRefusedError
from ops.preflight import identity
from ops.preflight.checks import checks
from ops.preflight.finding import Finding
from ops.preflight.target import ALL, Target, with_needed
from stacks.settings.context import ENVIRONMENT
from stacks.settings.parse import load

THREADS = 12
"""Checks at a time: the whole takes seconds, and AWS does not throttle it."""

SEVERITIES = ("error", "warning", "unknown")


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What stands in the way of a deploy."""

    account: str
    """Empty if the credentials do not work."""
    region: str
    subjects: Sequence[str]
    """What was checked, in the order of the table."""
    findings: Sequence[Finding]
    """Errors first."""

    @property
    def passed(self) -> bool:
        """Whether the deploy would not fail, as far as these credentials can see. Warnings are allowed."""
        return all(finding.severity != "error" for finding in self.findings)


def preflight(
    environment: str = environments.DEFAULT,
    context: Mapping[str, object] | None = None,
    *,
    stacks: Sequence[str] = (ALL,),
    exclusively: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> Report:
    """Find out what would stop a deploy. It creates and changes nothing.

    context: overrides as CDK's option -c has them, such as {"serving.scaling.max_instances": "5"}.
    stacks: what CDK gets, such as ["Serving"]; the stacks that come before them are deployed too, unless exclusively.
    progress: called in this thread with the number of checks that are done, of all, and the title of the last
    one; at the end, how many there were.

    Raises EnvironmentRefusedError, and SettingsError for an invalid setting.
    """
    context = context or {}
    if context.get(ENVIRONMENT, environment) != environment:
        raise EnvironmentRefusedError(
            f"-c {ENVIRONMENT}={context[ENVIRONMENT]} names another environment than {environment!r}; leave it out, "
            "and name the environment with --env."
        )
    chosen = environments.load(environment)
    settings = load(chosen, context)
    found = identity.sign_in(chosen, settings, with_needed(stacks, exclusively=exclusively), context)
    if not isinstance(found, Target):
        return Report(account="", region="", subjects=["credentials"], findings=[found])
    planned = checks(found)
    findings: list[Finding] = []
    with ThreadPoolExecutor(THREADS) as pool:
        running = {pool.submit(check.run, found): check for check in planned}
        try:
            for done, future in enumerate(as_completed(running), start=1):
                findings += future.result()
                if progress:
                    title = running[future].title if done < len(planned) else f"{done} checks"
                    progress(done, len(planned), title)
        finally:
            pool.shutdown(cancel_futures=True)
    subjects = list(dict.fromkeys(check.subject for check in planned))
    return Report(
        account=found.account,
        region=found.region,
        subjects=subjects,
        findings=sorted(
            findings, key=lambda each: (SEVERITIES.index(each.severity), subjects.index(each.subject), each.summary)
        ),
    )
