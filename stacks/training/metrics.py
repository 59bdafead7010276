"""The metric definitions of the training job: names, and regular expressions that find the values in its log.

The script logs one `key=value` line per epoch and one at the end; tests/rehearsal checks this table on a real log.
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
"""Metric name, as in CloudWatch, to the expression whose first group is the value."""
