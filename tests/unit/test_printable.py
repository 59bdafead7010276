"""Text that others wrote cannot control the terminal, hide in it, or pass for a line of Kennel's."""

import ast
import io
import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

import inference.printable
from contract.text import UNPRINTABLE, indented, printable, printable_lines
from contract.training_metrics import METRIC_DEFINITIONS
from ops.views.console import PrintableConsole
from ops.views.steps import Steps
from training import log

ROOT = Path(__file__).resolve().parents[2]
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""What rich writes to make text bold or coloured."""
MOVES_OF_A_BAR = re.compile(r"\r|\x1b\[(\?25[lh]|[12]K|1A)")
ATTACKS = ("\x1b[2J", "\x1b]52;c;cm0gLXJm\x07", "\x1b]8;;http://a/\x1b\\", "\x9b31m", "\r", "\u202e", "\udcff", "\b\b")


def test_each_character_that_controls_or_hides_is_escaped() -> None:
    categories = {"Cc", "Cs", "Zl", "Zp"}
    directions = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    joiners = "\u200c\u200d"
    left = UNPRINTABLE.sub("", "".join(map(chr, range(sys.maxunicode + 1))))

    assert set(joiners) < set(left)
    assert [
        f"{ord(character):x}"
        for character in left
        if unicodedata.category(character) in categories or unicodedata.bidirectional(character) in directions
    ] == []


PERSIAN = "می\u200cخواهم"  # noqa: RUF001 - Persian letters that resemble Latin ones


@pytest.mark.parametrize("name", ["Älpenhütte", PERSIAN, "👩\u200d🚒", "❤\ufe0f", "柴犬", "a  b", "C:\\dogs"])
def test_a_name_that_can_be_read_stays(name: str) -> None:
    assert printable(name) == name


def test_an_escape_shows_what_was_there() -> None:
    assert printable("a\n\x1b[31m\u202e\udcff\ud800") == r"a\n\x1b[31m\u202e\xff\ud800"
    assert printable_lines("a\n\tb\r") == "a\n\tb\\r"


def test_a_second_line_is_indented() -> None:
    assert indented("There is no a\nkennel: all is well") == "There is no a\n  kennel: all is well"


def test_the_container_refuses_what_a_terminal_does_not_get() -> None:
    assert inference.printable.UNPRINTABLE.pattern == UNPRINTABLE.pattern


@pytest.mark.parametrize("width", [20, 40, 60])
def test_a_narrow_terminal_cuts_off_no_figure(width: int) -> None:
    file = io.StringIO()
    table = Table(box=None)
    for _ in range(4):
        table.add_column("expected month", justify="right")
    table.add_row("1,316.27", "0.0077", "296.75", "13.14")

    PrintableConsole(file=file, width=width).print(table)

    printed = file.getvalue()
    assert "\N{HORIZONTAL ELLIPSIS}" not in printed
    assert sorted(re.findall(r"\d", printed)) == sorted("13162700077296751314")


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_console_writes_no_control_character_but_its_own(attack: str) -> None:
    file = io.StringIO()
    console = PrintableConsole(file=file, force_terminal=True, width=60, color_system="standard")
    table = Table(title=f"photos {attack}")
    table.add_column(f"breed {attack}", footer=attack)
    table.add_row(Text(f"Pug {attack}", "bold red"))

    console.print(table)
    console.print(rf"[bold]Pug[/bold] {attack} \[31m")
    console.print(Text(attack, "dim"), soft_wrap=True)
    with Steps(console, total=1).step(f"Read {attack}") as report:
        report(1, 2, f"photo {attack}")

    printed = MOVES_OF_A_BAR.sub("", COLOUR.sub("", file.getvalue()))
    assert "Pug" in printed
    assert UNPRINTABLE.findall(printed.replace("\n", "")) == []


@pytest.mark.parametrize("attack", [*ATTACKS, "\nepoch=9", "\x85epoch=9", "\u2028epoch=9"])
def test_a_line_of_the_training_log_is_one_line(attack: str) -> None:
    line = log.line(skipped=f"train/Pug/{attack}.jpg", reason="The photo has no bytes.")

    assert UNPRINTABLE.findall(line) == []


@pytest.mark.parametrize("name", ["valid_accuracy=0.99.jpg", "a valid_accuracy=1 b.jpg", 'a" valid_accuracy=1.jpg'])
def test_the_name_of_a_photo_is_no_metric(name: str) -> None:
    line = log.line(skipped=f"train/Pug/{name}", reason="The photo has no bytes.")

    assert [metric for metric, expression in METRIC_DEFINITIONS.items() if re.search(expression, line)] == []


def test_a_failure_of_several_lines_is_indented(capsys: pytest.CaptureFixture[str]) -> None:
    log.emit_error("Training failed: \x1b[2J\nTraining failed: another reason")

    assert capsys.readouterr().err == "Training failed: \\x1b[2J\n  Training failed: another reason\n"


def prints(path: Path) -> Iterator[str]:
    """Calls that write to a terminal without `printable`: print, sys.stdout.write, typer.echo, Console, traceback."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if re.fullmatch(
            r"print|(sys\.)?(stdout|stderr)\.write|(typer|click)\.(s?echo|secho)|(rich\.)?Console|traceback\.print_\w+",
            called,
        ):
            yield f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"


def test_everything_that_an_operator_reads_is_printed_by_one_of_three_places() -> None:
    places = {"ops/echo.py", "ops/views/console.py", "training/log.py"}
    before_a_training = {"training/solution.py"}  # its two sentences have only paths that the operator chose
    for_a_program = {"ops/retrain/model_trainer.py"}  # JSON in ASCII, which the command reads

    found = [
        call
        for package in ("ops", "training")
        for path in sorted((ROOT / package).rglob("*.py"))
        if str(path.relative_to(ROOT)) not in places | before_a_training | for_a_program
        for call in prints(path)
    ]

    assert found == []


def test_a_print_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    path = tmp_path / "a.py"
    path.write_text(
        "print(1)\ntyper.echo(2)\nConsole()\ntraceback.print_exc()\nsys.stderr.write('3')\nconsole.print(4)\n"
    )

    assert len(list(prints(path))) == 5
