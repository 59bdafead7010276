"""The CloudWatch metrics of dashboard and alarms, including the rollout alarms, each defined once."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

MINUTE = Duration.minutes(1)


class EndpointMetrics:
    """Metrics of one endpoint variant, referred to by name: monitoring does not depend on the serving stack."""

    def __init__(self, *, endpoint_name: str, variant_name: str) -> None:
        self._dimensions = {"EndpointName": endpoint_name, "VariantName": variant_name}

    def total(self, name: str) -> cloudwatch.Metric:
        """The sum per minute."""
        return self._metric("AWS/SageMaker", name, "Sum")

    def microseconds(self, name: str, statistic: str) -> cloudwatch.Metric:
        """A latency in the unit that SageMaker publishes."""
        return self._metric("AWS/SageMaker", name, statistic)

    def milliseconds(self, name: str, statistic: str) -> cloudwatch.MathExpression:
        """A latency in milliseconds; SageMaker publishes microseconds."""
        variable = f"{name[0].lower()}{name[1:]}_{statistic}"  # ids must be unique within a graph
        return cloudwatch.MathExpression(
            expression=f"{variable} / 1000",
            using_metrics={variable: self.microseconds(name, statistic)},
            label=f"{name} {statistic}",
            period=MINUTE,
        )

    def instances(self) -> cloudwatch.MathExpression:
        """The number of instances: all invocations divided by those per instance. SageMaker publishes no such count.

        https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html, InvocationsPerInstance
        """
        return cloudwatch.MathExpression(
            expression="all / each",
            using_metrics={"all": self.total("Invocations"), "each": self.total("InvocationsPerInstance")},
            label="instances",
            period=MINUTE,
        )

    def utilisation(self, name: str) -> cloudwatch.Metric:
        """Percent, of the busiest instance of the fleet."""
        return self._metric("/aws/sagemaker/Endpoints", name, "Maximum")

    def _metric(self, namespace: str, name: str, statistic: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=namespace,
            metric_name=name,
            dimensions_map=self._dimensions,
            statistic=statistic,
            period=MINUTE,
        )


class FunctionMetrics:
    """Metrics of a function, or of one of its aliases."""

    namespace = "AWS/Lambda"

    def __init__(self, *, function_name: str, alias: str = "") -> None:
        self._dimensions = {"FunctionName": function_name}
        if alias:
            self._dimensions["Resource"] = f"{function_name}:{alias}"

    def total(self, name: str) -> cloudwatch.Metric:
        """The sum per minute."""
        return self.of(name, "Sum")

    def of(self, name: str, statistic: str) -> cloudwatch.Metric:
        """A statistic of each minute."""
        return cloudwatch.Metric(
            namespace=self.namespace,
            metric_name=name,
            dimensions_map=self._dimensions,
            statistic=statistic,
            period=MINUTE,
        )


class RequestMetrics(FunctionMetrics):
    """What the API's function says of each request, in lines of its log that CloudWatch reads (lambda_fn/metrics.py).

    `Answered`, `Refused` and `Failed` are counts; `FetchTime`, `EndpointTime` and `OwnTime` are in ms, `TopProbability`
    is 0 to 1. A test compares the names, the namespace and the dimension with the function's.
    """

    namespace = "Kennel"


class DriftMetrics:
    """What the daily drift check says of a day's calls, in a line of the job's log (inference/drift).

    `Drift` is how far the calls differ from the test photos beyond what chance allows: 0 is no drift. The distances
    are those of each figure, chance included; `Photos` is the number of photos compared. A test compares the names with
    those that the job writes.
    """

    namespace = "Kennel"
    distances = ("DriftOfConfidence", "DriftOfBreeds", "DriftOfBrightness", "DriftOfSize")

    def __init__(self, *, endpoint_name: str) -> None:
        self._dimensions = {"Endpoint": endpoint_name}

    def of(self, name: str) -> cloudwatch.Metric:
        """The day's figure: a check that is run again replaces none, and the largest counts."""
        return cloudwatch.Metric(
            namespace=self.namespace,
            metric_name=name,
            dimensions_map=self._dimensions,
            statistic="Maximum",
            period=Duration.days(1),
        )


def failed_events(*, queue_name: str) -> cloudwatch.Metric:
    """The number of messages in the dead-letter queue."""
    return cloudwatch.Metric(
        namespace="AWS/SQS",
        metric_name="ApproximateNumberOfMessagesVisible",
        dimensions_map={"QueueName": queue_name},
        statistic="Maximum",
        period=MINUTE,
    )


def cpu_utilization(*, instance_id: str) -> cloudwatch.Metric:
    """Percent, the maximum of each five minutes of an EC2 instance."""
    return cloudwatch.Metric(
        namespace="AWS/EC2",
        metric_name="CPUUtilization",
        dimensions_map={"InstanceId": instance_id},
        statistic="Maximum",
        period=Duration.minutes(5),
    )


def training(name: str, *, job_prefix: str) -> cloudwatch.MathExpression:
    """One metric of every training job of the environment. A search expression, as job names are not known at synth."""
    # a search splits words at hyphens, and rejects a hyphen within an unquoted word
    words = job_prefix.replace("-", " ")
    namespace = "/aws/sagemaker/TrainingJobs"
    return cloudwatch.MathExpression(
        expression=f"""SEARCH('{{{namespace},TrainingJobName}} MetricName="{name}" {words}', 'Average', 60)""",
        using_metrics={},
        label=name,
        period=MINUTE,
    )
