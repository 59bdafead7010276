"""What `kennel data split` prints: a table of breeds and splits, what is left out, and the same as JSON."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from contract.photos import SPLITS
from contract.text import printable
from ops.data.counts_table import counts_table
from ops.data.split.plan import Plan

_SHOWN = 3
"""Photos that are printed with a reason; --json prints all."""


def print_plan(plan: Plan, console: Console) -> None:
    """Print the layout, the counts, and a sentence for whatever the reader should know."""
    _say(console, f"Layout of {printable(plan.source.folder)}: {plan.source.layout}")
    console.print(_counts(plan))
    _say(console, _drawn(plan))
    if plan.kept_together:
        number = "1 group" if plan.kept_together == 1 else f"{plan.kept_together} groups"
        _say(console, f"{number} of photos that show the same: each group is in one split.")
    for note in plan.source.notes:
        _say(console, note)
    if small := plan.too_small():
        listed = ", ".join(small[:10]) + (f" and {len(small) - 10} more" if len(small) > 10 else "")
        what = "1 breed is" if len(small) == 1 else f"{len(small)} breeds are"
        _say(console, f"{what} too small to have a photo in each split: {listed}.")
    for reason, names in sorted(plan.source.left_out.items()):
        _say(console, f"Left out, {reason}: {len(names)}, such as")
        for name in names[:_SHOWN]:
            console.print(Text(f"          {printable(name)}", "dim"), soft_wrap=True)


def as_json(plan: Plan, folder: Path) -> str:
    """The whole plan, with the name of every photo."""
    document = {
        "source": str(plan.source.folder),
        "folder": str(folder),
        "layout": str(plan.source.layout),
        "seed": plan.seed,
        "shares": {split: str(share) for split, share in plan.shares.of.items()},
        "drawn": list(plan.drawn),
        "counts": plan.counts(),
        "kept_together": plan.kept_together,
        "too_small": plan.too_small(),
        "notes": plan.source.notes,
        "left_out": dict(sorted(plan.source.left_out.items())),
        "photos": {name: photo.name for name, photo in sorted(plan.targets.items())},
    }
    return json.dumps(document, indent=2, ensure_ascii=True)  # a file's name may contain bytes that are not UTF-8


def _drawn(plan: Plan) -> str:
    if not plan.drawn:
        return "The source has all three splits, which are kept."
    shares = "/".join(str(float(plan.shares.of[split])).removesuffix(".0") for split in SPLITS)
    if set(plan.drawn) == set(SPLITS):
        return f"Drawn with the shares {shares} (train/valid/test) and the seed {plan.seed}."
    (made,) = set(plan.drawn) - {"train"}
    return (
        f"{made}/ is drawn from the source's training photos (shares {shares}, seed {plan.seed}); the others are kept."
    )


def _counts(plan: Plan) -> Table:
    counts = plan.counts()
    photos = sum(sum(row.values()) for row in counts.values())
    last = Column("all", footer=str(photos), justify="right")
    return counts_table(counts, last, lambda row: str(sum(row.values())))


def _say(console: Console, sentence: str) -> None:
    console.print(Text(sentence), soft_wrap=True)
