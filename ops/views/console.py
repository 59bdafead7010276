"""A console for text that others wrote: names of photos and breeds, log lines, and messages of AWS."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table

from contract.text import printable_lines


class PrintableConsole(Console):
    """A console that writes control characters only where rich makes them: colours, and the movements of a bar."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of a text, a table or a bar, each with printable text.

        A cell that is too wide for the terminal continues in the next line: rich would cut off the end of a figure.
        """
        if isinstance(renderable, Table) and renderable.show_header:  # a bar is a table without a header
            for column in renderable.columns:
                column.overflow = "fold" if column.overflow == "ellipsis" else column.overflow
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable_lines(segment.text), segment.style)
