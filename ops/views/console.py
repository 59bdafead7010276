"""A console for text that others wrote: names of photos and breeds, log lines, and messages of AWS."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from contract.text import printable_lines


class PrintableConsole(Console):
    """A console that writes control characters only where rich makes them: colours, and the movements of a bar."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of a text, a table or a bar, each with printable text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable_lines(segment.text), segment.style)
