"""The result of a rehearsed training, as it is printed."""

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape

from contract.text import printable
from ops.views.training_log import TrainingLines

MOST_NAMED = 5
"""Limit of the truncated photos that are printed. The training report names them all."""


def print_training_result(lines: TrainingLines, console: Console) -> None:
    """Print the accuracy of the epoch that was kept, and the photos that could not be used."""
    final = lines.final
    trained, served = float(final["test_accuracy"]), float(final["served_test_accuracy"])
    console.print(
        f"     epoch {final['epoch']} kept; test accuracy {trained:.3f} in training, "
        f"{served:.3f} through the artifact ({final['precision']}, model {final['model']})"
    )
    off, before = (100 * float(final[name]) for name in ("test_ece", "test_ece_before"))
    console.print(f"     its probabilities are {off:.1f} points off on average; {before:.1f} without the temperature")
    for name, reason in lines.skipped.items():
        console.print(f"     [yellow]skipped[/yellow] {escape(printable(name))}: {escape(printable(reason))}")
    if lines.not_read:
        files = escape(printable(lines.not_read))
        console.print(f"     [yellow]not read[/yellow] {files}; save photos among them as JPEG, PNG or WebP")
    _print_truncated(lines.truncated, console)


def _print_truncated(truncated: Mapping[str, str], console: Console) -> None:
    if not truncated:
        return
    many = "1 training photo is" if len(truncated) == 1 else f"{len(truncated)} training photos are"
    console.print(f"     [yellow]{many} cut off[/yellow]:")
    for name, note in list(truncated.items())[:MOST_NAMED]:
        console.print(f"       {escape(printable(name))}: {escape(printable(note))}")
    if len(truncated) > MOST_NAMED:
        console.print(f"       and {len(truncated) - MOST_NAMED} more; the report of the training names them all")
