"""The metrics that the dashboard shows and the alarms watch, each defined once."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

MINUTE = Duration.minutes(1)


class EndpointMetrics:
    """One variant of the endpoint, by its text: these metrics exist whether or not the endpoint does."""

    def __init__(self, *, endpoint_name: str, variant_name: str) -> None:
        self._dimensions = {"EndpointName": endpoint_name, "VariantName": variant_name}

    def total(self, name: str) -> cloudwatch.Metric:
        """So many a minute."""
        return self._metric("AWS/SageMaker", name, "Sum")

    def milliseconds(self, name: str, statistic: str) -> cloudwatch.MathExpression:
        """A latency. SageMaker counts in microseconds."""
        microseconds = f"{name[0].lower()}{name[1:]}_{statistic}"  # of its own: a graph holds several
        return cloudwatch.MathExpression(
            expression=f"{microseconds} / 1000",
            using_metrics={microseconds: self._metric("AWS/SageMaker", name, statistic)},
            label=f"{name} {statistic}",
            period=MINUTE,
        )

    def instances(self) -> cloudwatch.MathExpression:
        """How many instances answered. SageMaker publishes no count, but each call divided by it: the two give it back.

        https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html, InvocationsPerInstance
        """
        return cloudwatch.MathExpression(
            expression="all / each",
            using_metrics={"all": self.total("Invocations"), "each": self.total("InvocationsPerInstance")},
            label="instances",
            period=MINUTE,
        )

    def utilisation(self, name: str) -> cloudwatch.Metric:
        """Percent of an instance, the busiest of the fleet."""
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
    """The function's alias that callers use."""

    def __init__(self, *, function_name: str, alias: str) -> None:
        self._dimensions = {"FunctionName": function_name, "Resource": f"{function_name}:{alias}"}

    def total(self, name: str) -> cloudwatch.Metric:
        """So many a minute."""
        return self.of(name, "Sum")

    def of(self, name: str, statistic: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/Lambda",
            metric_name=name,
            dimensions_map=self._dimensions,
            statistic=statistic,
            period=MINUTE,
        )


def failed_events(*, queue_name: str) -> cloudwatch.Metric:
    """How many events wait in the queue of those that nobody could handle."""
    return cloudwatch.Metric(
        namespace="AWS/SQS",
        metric_name="ApproximateNumberOfMessagesVisible",
        dimensions_map={"QueueName": queue_name},
        statistic="Maximum",
        period=MINUTE,
    )


def training(name: str, *, project: str) -> cloudwatch.MathExpression:
    """A metric of each of the project's jobs. A search, because a job's name is known only when it runs."""
    # hyphens part words in a search, and inside an unquoted word are an error
    words = project.replace("-", " ")
    namespace = "/aws/sagemaker/TrainingJobs"
    return cloudwatch.MathExpression(
        expression=f"""SEARCH('{{{namespace},TrainingJobName}} MetricName="{name}" {words}', 'Average', 60)""",
        using_metrics={},
        label=name,
        period=MINUTE,
    )
