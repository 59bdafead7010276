"""Held-out photos that are sent to the Lambda function, and its answers: a table, a picture and the accuracy."""

import base64
import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from contract.text import printable
from ops.rehearse.errors import RehearsalError
from ops.rehearse.plan import Plan
from ops.views.contact_sheet import Answer, contact_sheet
from ops.views.steps import Report
from training.data.dataset import DataSet, Photo

TOP_K = 3
EXPECTED_ACCURACY = 0.9
"""Expected accuracy on the drawn photos. A lower one means that a part of the path is broken."""

Invoke = Callable[[dict[str, Any]], Any]
"""Calls the function with an event, and returns what it returned."""


def event_of(photo: Path) -> dict[str, Any]:
    """The event with which a caller sends a photo."""
    return {"image": base64.b64encode(photo.read_bytes()).decode(), "top_k": TOP_K}


def ask(invoke: Invoke, data: DataSet, photos: Sequence[Photo], report: Report) -> list[Answer]:
    """Send one event for each photo. A refused photo has no predictions.

    Raises RehearsalError for an answer with status 500 or above.
    """
    answers = []
    for done, photo in enumerate(photos, start=1):
        event = event_of(photo.path)
        started = time.perf_counter()
        response = invoke(event)
        milliseconds = (time.perf_counter() - started) * 1000
        body = json.loads(response["body"])
        if response["statusCode"] >= 500:
            raise RehearsalError(f"The function answered {response['statusCode']}: {body['error']['message']}")
        predictions = [(p["breed"], p["probability"]) for p in body.get("predictions", [])]
        answers.append(
            Answer(
                photo=photo.path,
                true_label=data.labels[photo.label],
                predictions=predictions,
                milliseconds=milliseconds,
            )
        )
        report(done, len(photos), "")
    return answers


def show(answers: Sequence[Answer], plan: Plan, console: Console, *, report: Path | None, model: Path) -> None:
    """Print the table and the summary, and draw the picture. report: the training's page, if it was trained here."""
    sheet = plan.folder / "answers.png"
    contact_sheet(answers, sheet, title="Kennel rehearsal: held-out photos and their breeds")
    _print_table(answers, console)
    right = sum(answer.is_right for answer in answers)
    median = statistics.median(answer.milliseconds for answer in answers)
    console.print(
        f"\n[bold]Accuracy {accuracy(answers):.3f}[/bold]: {right} of {len(answers)} held-out photos; "
        f"median {median:.0f} ms from event to answer."
    )
    console.print(f"Pictures of the answers:  {escape(printable(sheet))}")
    if report:
        console.print(f"Report of the training:   {escape(printable(report))}")
    console.print(f"The model artifact:       {escape(printable(model))}")
    console.print("Your own photos:          make rehearse ARGS='--data dogImages'")
    console.print("Review what AWS will get: make synth")


def check_accuracy(answers: Sequence[Answer], plan: Plan) -> None:
    """Raises RehearsalError if the accuracy on the drawn photos is too low after a training of full length."""
    found = accuracy(answers)
    if plan.data is None and plan.epochs is None and plan.model is None and found < EXPECTED_ACCURACY:
        raise RehearsalError(
            f"The accuracy on the drawn photos is {found:.2f}, but at least {EXPECTED_ACCURACY} is expected. "
            f"Read the logs in {plan.folder}."
        )


def accuracy(answers: Sequence[Answer]) -> float:
    """The share of right answers, 0..1."""
    return sum(answer.is_right for answer in answers) / len(answers)


def _print_table(answers: Iterable[Answer], console: Console) -> None:
    table = Table(title="What the Lambda answered", title_justify="left", header_style="bold", box=SIMPLE_HEAD)
    for heading in ("photo", "true breed", *("first", "second", "third")[:TOP_K]):
        table.add_column(heading)  # a narrow terminal shortens these, and keeps the milliseconds
    table.add_column("ms", justify="right", no_wrap=True)
    for answer in answers:
        shown = [_cell(f"{probability:4.0%} {breed}") for breed, probability in answer.predictions]
        if shown:
            shown[0].stylize("green" if answer.is_right else "red")
        else:
            shown = [Text("refused", style="red")]
        shown += [Text("")] * (TOP_K - len(shown))
        name = answer.photo.name if isinstance(answer.photo, Path) else ""
        table.add_row(_cell(name), _cell(answer.true_label), *shown, f"{answer.milliseconds:.0f}")
    console.print()
    console.print(table)


def _cell(content: str) -> Text:
    """One line, which is shortened where it does not fit."""
    return Text(printable(content), no_wrap=True, overflow="ellipsis")
