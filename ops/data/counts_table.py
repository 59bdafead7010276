"""The photos of each breed in each split, as a table for a terminal."""

from collections.abc import Callable, Mapping

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table
from rich.text import Text

from contract.photos import SPLITS
from contract.text import printable

Row = Mapping[str, int]
"""Photos by split."""


def counts_table(counts: Mapping[str, Row], last: Column, cell: Callable[[Row], str | Text]) -> Table:
    """A row for each breed and a footer with the totals. last, cell: the last column, and what it says of a breed."""
    table = Table(header_style="bold", box=SIMPLE_HEAD, show_footer=True)
    table.add_column("breed", footer="1 breed" if len(counts) == 1 else f"{len(counts)} breeds")
    for split in SPLITS:
        table.add_column(split, justify="right", footer=str(sum(row[split] for row in counts.values())))
    table.add_column(last.header, footer=last.footer, justify=last.justify)
    for breed, row in counts.items():
        cells = [Text(str(row[split]), "" if row[split] else "red") for split in SPLITS]
        table.add_row(Text(printable(breed)), *cells, cell(row))
    return table
