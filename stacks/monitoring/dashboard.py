"""The CloudWatch dashboard: model quality, endpoint latency and errors, API calls."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from contract.training_metrics import METRIC_NAMES
from stacks.common.metrics import DriftMetrics, EndpointMetrics, FunctionMetrics, RequestMetrics, training
from stacks.settings import ApiSettings, ServingSettings

PERCENTILES = ("p50", "p95", "p99")
FAULTS = ("Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors")


class ServiceDashboard(Construct):
    """A row of graphs each for training, endpoint, function, requests and the drift check, and one of the alarms."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        job_prefix: str,
        endpoint: EndpointMetrics,
        function: FunctionMetrics,
        requests: RequestMetrics,
        drift: DriftMetrics | None,
        alarms: list[cloudwatch.Alarm],
        serving: ServingSettings,
        api: ApiSettings,
    ) -> None:
        super().__init__(scope, id)
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=name,
            default_interval=Duration.hours(3),
            widgets=[
                self._training(job_prefix),
                self._endpoint(endpoint, serving),
                self._function(function, api),
                self._requests(requests),
                *([self._drift(drift)] if drift else []),
                [cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=24)],
            ],
        )

    def _training(self, job_prefix: str) -> list[cloudwatch.IWidget]:
        def of(*log_keys: str) -> list[cloudwatch.IMetric]:
            return [training(METRIC_NAMES[key], job_prefix=job_prefix) for key in log_keys]

        return [
            _graph("Training: loss on the training split", of("train_loss")),
            _graph(
                "Training: loss on the other splits, of the network and as served",
                of(
                    "valid_loss",
                    "valid_loss_calibrated",
                    "served_valid_loss",
                    "test_loss",
                    "served_test_loss",
                ),
            ),
            _graph(
                "Training: accuracy, of the network and as served",
                of("valid_accuracy", "served_valid_accuracy", "test_accuracy", "served_test_accuracy"),
            ),
            _graph(
                "Training: balanced accuracy and macro F1, as served",
                of(
                    "served_valid_balanced_accuracy",
                    "served_test_balanced_accuracy",
                    "served_valid_macro_f1",
                    "served_test_macro_f1",
                ),
            ),
            _graph(
                "Training: calibration error (left), temperature (right)",
                of("valid_ece_before", "valid_ece", "test_ece_before", "test_ece", "test_ece_by_chance"),
                right=of("temperature"),
            ),
        ]

    def _endpoint(self, metrics: EndpointMetrics, settings: ServingSettings) -> list[cloudwatch.IWidget]:
        model = [metrics.milliseconds("ModelLatency", percentile) for percentile in PERCENTILES]
        overhead = [metrics.milliseconds("OverheadLatency", percentile) for percentile in PERCENTILES]
        return [
            _graph(
                "Endpoint: latency of the model and overhead of SageMaker (ms)",
                [*model, *overhead],
                line=(settings.rollout.max_latency_ms, "rollback limit"),
            ),
            _graph("Endpoint: errors", [metrics.total(name) for name in FAULTS]),
            _graph(
                "Endpoint: invocations, also per instance (left), instances (right)",
                [metrics.total("Invocations"), metrics.total("InvocationsPerInstance")],
                right=[metrics.instances()],
                line=(settings.scaling.target_invocations_per_min, "autoscaling target"),
            ),
        ]

    def _function(self, metrics: FunctionMetrics, settings: ApiSettings) -> list[cloudwatch.IWidget]:
        concurrency = ("ConcurrentExecutions", "ProvisionedConcurrentExecutions")
        spilled = "ProvisionedConcurrencySpilloverInvocations"
        return [
            _graph(
                "Function: calls (left), errors and throttles (right)",
                [metrics.total("Invocations")],
                right=[metrics.total("Errors"), metrics.total("Throttles")],
            ),
            _graph(
                "Function: concurrency (left), spill-over of provisioned concurrency (right)",
                [metrics.of(name, "Maximum") for name in concurrency],
                right=[metrics.total(spilled)],
                line=(settings.provisioned_concurrency, "provisioned"),
            ),
            _graph(
                "Function: duration (ms)",
                [metrics.of("Duration", percentile) for percentile in PERCENTILES],
                line=(settings.timeout_s * 1000, "timeout"),
            ),
        ]

    def _requests(self, metrics: RequestMetrics) -> list[cloudwatch.IWidget]:
        return [
            _graph(
                "Requests: time of the endpoint, of the fetch and of the function itself (ms)",
                [
                    *(metrics.of("EndpointTime", percentile) for percentile in PERCENTILES),
                    metrics.of("FetchTime", "p95"),
                    *(metrics.of("OwnTime", percentile) for percentile in ("p50", "p99")),
                ],
            ),
            _graph(
                "Requests: answered (left), refused and failed (right)",
                [metrics.total("Answered")],
                right=[metrics.total("Refused"), metrics.total("Failed")],
            ),
            _graph(
                "Requests: probability of the likeliest breed",
                [metrics.of("TopProbability", statistic) for statistic in ("p10", "p50", "Average")],
            ),
        ]

    def _drift(self, metrics: DriftMetrics) -> list[cloudwatch.IWidget]:
        return [
            _graph("Drift: how far a day's calls differ beyond chance", [metrics.of("Drift")]),
            _graph("Drift: distances, chance included", [metrics.of(name) for name in metrics.distances]),
            _graph("Drift: photos that were compared", [metrics.of("Photos")]),
        ]


def _graph(
    title: str,
    left: list[cloudwatch.IMetric],
    *,
    right: list[cloudwatch.IMetric] | None = None,
    line: tuple[float, str] | None = None,
) -> cloudwatch.GraphWidget:
    marks = [cloudwatch.HorizontalAnnotation(value=line[0], label=line[1])] if line else []
    return cloudwatch.GraphWidget(title=title, width=8, height=6, left=left, right=right or [], left_annotations=marks)
