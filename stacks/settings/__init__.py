"""Every figure of the deployment, declared once: field, type, default, unit, range and sentence stand together.

There is one file for each section. `parse.load` reads the values from an environment's file and from
`-c <section>.<field>=<value>`; docs/settings.md lists all of them.
"""

from dataclasses import dataclass, field

from stacks.settings.api import ApiSettings
from stacks.settings.delivery import DeliverySettings
from stacks.settings.monitoring import DriftSettings, MonitoringSettings
from stacks.settings.rules import SettingsError, apart, require
from stacks.settings.serving import CaptureSettings, RolloutSettings, ScalingSettings, ServingSettings
from stacks.settings.storage import StorageSettings
from stacks.settings.training import TrainingSettings
from stacks.settings.workbench import WorkbenchSettings

__all__ = [
    "ApiSettings",
    "CaptureSettings",
    "DeliverySettings",
    "DriftSettings",
    "MonitoringSettings",
    "RolloutSettings",
    "ScalingSettings",
    "ServingSettings",
    "Settings",
    "SettingsError",
    "StorageSettings",
    "TrainingSettings",
    "WorkbenchSettings",
]


ENDPOINT_LIMIT_S = 60
"""SageMaker's time limit for a request to an endpoint."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    storage: StorageSettings = field(default_factory=StorageSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    serving: ServingSettings = field(default_factory=ServingSettings)
    api: ApiSettings = field(default_factory=ApiSettings)
    workbench: WorkbenchSettings = field(default_factory=WorkbenchSettings)
    monitoring: MonitoringSettings = field(default_factory=MonitoringSettings)
    delivery: DeliverySettings = field(default_factory=DeliverySettings)

    @property
    def callers_wait_s(self) -> int:
        """How long a caller of the endpoint waits: the function, or at most SageMaker.

        https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
        """
        return min(self.api.timeout_s, ENDPOINT_LIMIT_S)

    def __post_init__(self) -> None:
        for name in ("data_prefix", "artifact_prefix"):
            apart(
                "serving.capture.prefix",
                self.serving.capture.prefix,
                f"storage.{name}",
                getattr(self.storage, name),
                why="because captured requests expire",
            )
        self._check_drift()
        require(
            not self.api.page or self.monitoring.monthly_budget_usd > 0,
            "monitoring.monthly_budget_usd",
            self.monitoring.monthly_budget_usd,
            "more than 0 with api.page: anyone on the internet may then cause costs, and the budget says when they do",
        )

    def _check_drift(self) -> None:
        """The daily check reads what was captured on the day before. S3 deletes it at the end of a day."""
        capture = self.serving.capture
        for name, least in {"percent": 1, "keep_days": 2}.items():
            value = getattr(capture, name)
            require(
                value >= least or not self.monitoring.drift.daily,
                f"serving.capture.{name}",
                value,
                f"at least {least} with monitoring.drift.daily: it compares the captured calls of the day before",
            )
