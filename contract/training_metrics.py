"""The figures of a training: the key in the log, the metric in CloudWatch, the expression by which SageMaker reads it.

Training prints `key=value` lines: one for each epoch, one at the end. SageMaker applies the expressions to each line
and publishes what it finds; the dashboard and the deploy's output show the metrics by their names.
"""

METRIC_NAMES = {
    "train_loss": "train:loss",
    "valid_loss": "validation:loss",
    "valid_accuracy": "validation:accuracy",
    "test_loss": "test:loss",
    "test_accuracy": "test:accuracy",
    "served_test_accuracy": "test:served_accuracy",
    "served_test_balanced_accuracy": "test:served_balanced_accuracy",
    "served_test_macro_f1": "test:served_macro_f1",
    "served_test_loss": "test:served_loss",
    "test_ece": "test:ece",
    "test_ece_before": "test:ece_before",
    "test_ece_by_chance": "test:ece_by_chance",
    "served_valid_accuracy": "validation:served_accuracy",
    "served_valid_balanced_accuracy": "validation:served_balanced_accuracy",
    "served_valid_macro_f1": "validation:served_macro_f1",
    "served_valid_loss": "validation:served_loss",
    "valid_ece": "validation:ece",
    "valid_ece_before": "validation:ece_before",
    "valid_loss_calibrated": "validation:calibrated_loss",
    "temperature": "temperature",
}
"""Key in the log to the metric's name. SageMaker takes at most 40 metrics of a job."""

_NUMBER = r"([0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)"

METRIC_DEFINITIONS = {name: rf"\b{key}={_NUMBER}" for key, name in METRIC_NAMES.items()}
"""Metric name to the regular expression whose first group is the value: MetricDefinitions of CreateTrainingJob."""
