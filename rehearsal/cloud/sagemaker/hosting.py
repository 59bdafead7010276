"""What every fleet needs, and the time limits of a container that are no property of its endpoint."""

from dataclasses import dataclass, field

from rehearsal.aws.invocation import INVOCATION_TIMEOUT_S
from rehearsal.cloud.api import Engine
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.images import Images, application_python

SHORTEST_HEALTH_CHECK_S = 60.0
"""In real seconds: a process does not start faster because the clock runs faster."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hosting:
    """python: the Python of the application's environment."""

    engine: Engine
    images: Images
    clock: Clock
    shortest_health_check_s: float = SHORTEST_HEALTH_CHECK_S
    invocation_timeout_s: float = INVOCATION_TIMEOUT_S
    python: str = field(default_factory=application_python)
