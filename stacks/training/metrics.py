"""What the training script logs and SageMaker reads: names and regular expressions, in one place.

The script writes one `key=value` line an epoch and one at the end; tests/rehearsal holds a real log to this table.
"""

NUMBER = r"([0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)"

METRICS = {
    "train:loss": rf"\btrain_loss={NUMBER}",
    "validation:loss": rf"\bvalid_loss={NUMBER}",
    "validation:accuracy": rf"\bvalid_accuracy={NUMBER}",
    "test:loss": rf"\btest_loss={NUMBER}",
    "test:accuracy": rf"\btest_accuracy={NUMBER}",
    "test:served_accuracy": rf"\bserved_test_accuracy={NUMBER}",
    "test:served_loss": rf"\bserved_test_loss={NUMBER}",
    "test:ece": rf"\btest_ece={NUMBER}",
    "test:ece_before": rf"\btest_ece_before={NUMBER}",
    "test:ece_by_chance": rf"\btest_ece_by_chance={NUMBER}",
    "validation:served_accuracy": rf"\bserved_valid_accuracy={NUMBER}",
    "validation:served_loss": rf"\bserved_valid_loss={NUMBER}",
    "validation:ece": rf"\bvalid_ece={NUMBER}",
    "validation:ece_before": rf"\bvalid_ece_before={NUMBER}",
    "validation:calibrated_loss": rf"\bvalid_loss_calibrated={NUMBER}",
    "temperature": rf"\btemperature={NUMBER}",
}
"""Metric name, as CloudWatch shows it, to the expression whose first group is its value."""
