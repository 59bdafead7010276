"""Turn the log lines of a training job into progress."""

import re
from dataclasses import dataclass, field

from ops.views.steps import Report

_PAIR = re.compile(r'(\w+)=("[^"]*"|\S+)')


def fields_of(line: str) -> dict[str, str]:
    """The `key=value` pairs of a line; none for a line of another kind."""
    return {name: value.strip('"') for name, value in _PAIR.findall(line)}


@dataclass(slots=True)
class TrainingLines:
    """Reads a job's log lines, moves the bar, and keeps the results that are printed at the end."""

    report: Report
    losses: bool = False
    """Whether the bar also shows the training loss."""
    final: dict[str, str] = field(default_factory=dict)
    """The last line: the metrics of the epoch that was kept."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Photos that could not be used, with the reason."""
    not_read: str = ""
    """Files that training did not read, by suffix, such as `.gif:12 .heic:3`."""
    truncated: dict[str, str] = field(default_factory=dict)
    """Truncated training photos that were used, each with its share of pixels."""
    _done: dict[str, int] = field(default_factory=dict)

    def __call__(self, line: str) -> None:
        pairs = fields_of(line)
        if pairs.get("stage") == "features":
            self.report(int(pairs["done"]), int(pairs["total"]), f"features of the {pairs['split']} photos")
        elif "epoch" in pairs and "of" in pairs:
            accuracy = float(pairs["valid_accuracy"])
            note = f"epoch {pairs['epoch']} of {pairs['of']}: {accuracy:.0%} of the validation photos right"
            if self.losses and "train_loss" in pairs:
                note += f", training loss {float(pairs['train_loss']):.3f}"
            self.report(int(pairs["epoch"]), int(pairs["of"]), note)
        elif pairs.get("stage") == "export":
            self.report(1, 1, "exporting to ONNX, trying int8, loading it through the serving code")
        elif "served_test_accuracy" in pairs:
            self.final = pairs
        elif pairs.get("stage") == "photos":
            self.not_read = pairs.get("not_read", "")
        elif "skipped" in pairs and "reason" in pairs:
            self.skipped[pairs["skipped"]] = pairs["reason"]
        elif "truncated" in pairs and "note" in pairs:
            self.truncated[pairs["truncated"]] = pairs["note"]
