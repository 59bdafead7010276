"""A rehearsal that is kept: the settings of its page, the line that says where it is, and the file to source."""

import io
import signal
from pathlib import Path

import pytest
from rich.console import Console

import environments
from ops.rehearse.keep import FILE, keep
from ops.rehearse.plan import Plan, named
from stacks.settings.parse import load

ADDRESS = "http://127.0.0.1:4566/_aws/execute-api/0123abcd/"


def test_a_kept_rehearsal_deploys_the_page_and_another_does_not(tmp_path: Path) -> None:
    environment = environments.load(environments.DEFAULT)

    assert load(environment, named(Plan(folder=tmp_path, keep=True).chosen())).api.page
    assert not load(environment, named(Plan(folder=tmp_path).chosen())).api.page


@pytest.mark.parametrize("setting", ["api.page=false", "api.http=false", "api.http_authorization=iam"])
def test_a_setting_of_the_operator_leaves_the_page_out(tmp_path: Path, setting: str) -> None:
    plan = Plan(folder=tmp_path, keep=True, settings=(setting,))

    assert plan.chosen() == [setting]


def ended() -> None:
    raise SystemExit(128 + signal.SIGINT)


@pytest.mark.parametrize("page", [ADDRESS, ""])
def test_the_address_is_printed_where_there_is_a_page(
    tmp_path: Path, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "pause", ended)
    console = Console(file=io.StringIO(), width=60)
    keep(tmp_path, {}, [], console, trains=False, page=page, photos=tmp_path / "photos/test")

    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert (f"\n  {ADDRESS}\n" in printed) == bool(page)
    assert ("open it in a browser" in printed) == bool(page)
    assert (f"are in {tmp_path}/photos/test/\n" in printed) == bool(page)


def test_who_reads_the_file_to_source_sees_all_of_it_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []

    def looked() -> None:
        modes.append((tmp_path / FILE).stat().st_mode & 0o777)
        ended()

    (tmp_path / FILE).write_text("of an earlier rehearsal")
    monkeypatch.setattr(signal, "pause", looked)
    with (tmp_path / FILE).open() as reader:
        keep(tmp_path, {}, [], Console(file=io.StringIO()), trains=False, page="", photos=tmp_path)

        assert reader.read() == "of an earlier rehearsal"
    assert modes == [0o600]
    assert list(tmp_path.iterdir()) == []
