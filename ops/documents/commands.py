"""The page of the commands, from the parser of the `kennel` command itself."""

import re
from collections.abc import Iterator
from typing import Any

HEAD = """# Commands

Every command of `kennel`, as `-h` prints it. This page is written from the command's own parser when the site is built.
In a fresh clone the command is `.venv/bin/kennel`.
"""

_STYLED = re.compile(r"\[bold\](.*?)\[/bold\]", re.DOTALL)
_EXAMPLE = re.compile(r"^Example: (.*)$", re.DOTALL)


def markdown(command: Any) -> str:
    """The page. command: the parser, `typer.main.get_command(app)`."""
    context = command.make_context("kennel", ["--help"], resilient_parsing=True)
    parts = [HEAD, *_described(command, context), "\n"]
    for name, child in _leaves(command, context):
        parts += [f"\n## {name}\n", *_described(*child)]
    return "".join(parts)


def _leaves(group: Any, context: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Each command below a group, by its full name, in the order of `--help`."""
    for name, command in group.commands.items():
        if command.hidden:
            continue
        child = command.make_context(name, [], parent=context, resilient_parsing=True)
        if hasattr(command, "commands"):
            yield from _leaves(command, child)
        else:
            yield child.command_path, (command, child)


def _described(command: Any, context: Any) -> Iterator[str]:
    """What the command does, its usage, its examples and its options."""
    examples = []
    for paragraph in (command.help or "").split("\n\n"):
        if found := _EXAMPLE.match(paragraph.strip()):
            examples.append(found[1])
        else:
            yield f"\n{_sentence(paragraph)}\n"
    yield f"\n```\n{command.get_usage(context).removeprefix('Usage: ')}\n```\n"
    if examples:
        yield f"\nExample{'s' if len(examples) > 1 else ''}:\n\n```\n"
        yield "".join(f"{_command(example)}\n" for example in examples)
        yield "```\n"
    records = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
    if records:
        yield "\n| argument or option | what it is |\n|---|---|\n"
        for names, text in records:
            yield f"| `{names}` | {_sentence(text).replace('|', chr(92) + '|')} |\n"


def _sentence(text: str) -> str:
    """One paragraph on one line. What is bold on a terminal is code here, and a word in angle brackets is no tag."""
    line = " ".join(text.split())
    return _STYLED.sub(r"`\1`", line).replace("<", r"\<")


def _command(example: str) -> str:
    """`[bold]kennel ...[/bold], when`, as a line of a shell."""
    line = " ".join(example.split())
    found = _STYLED.match(line)
    rest = line[found.end() :].strip(" ,.") if found else ""
    return f"{found[1]}{f'  # {rest}' if rest else ''}" if found else line
