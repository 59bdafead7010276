"""A variable that a verb of make would ignore ends make: `make destroy STACK=Api` must not destroy everything."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
VERBS = re.findall(r"^([a-z][a-z-]*):.*## ", MAKEFILE, re.MULTILINE)
VALUES = {
    "ARGS": "--marker",
    "DIR": "marker",
    "DOCS_REPOSITORY": "https://example.org/dogs",
    "ENV": "production",
    "FILE": "marker",
    "SOURCE": "marker",
    "STACKS": "Api",
    "UPGRADE": "1",
    "WORKERS": "7",
    "YES": "1",
}
NEEDED = {"data-split": ("SOURCE=photos", "DIR=dogs"), "data-check": ("DIR=dogs",), "data-upload": ("DIR=dogs",)}


def make(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A dry run in which everything is installed."""
    groups = ("synth", "deploy", "check", "docs", "weights", "rehearse", "test")
    stamps = ["node_modules/.installed", *(f".venv/.installed-{group}" for group in groups)]
    stamps += [
        f".venv-{name}/.installed" for name in ("engine", "audit", "advisories", "links", "torchserve", "toolkit")
    ]
    old = [word for stamp in stamps for word in ("--old-file", stamp)]
    shell = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name not in VALUES}
    return subprocess.run(
        ["make", "--dry-run", *old, *words],
        cwd=ROOT,
        env={**shell, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_reads_the_variables_that_it_takes_and_refuses_all_others(verb: str) -> None:
    read, refused = set(), set()
    for name, value in VALUES.items():
        others = [word for word in NEEDED.get(verb, ()) if not word.startswith(f"{name}=")]
        default = [word for word in NEEDED.get(verb, ()) if word.startswith(f"{name}=")]
        with_it, without = make(verb, *others, f"{name}={value}"), make(verb, *others, *default)
        assert without.returncode == 0, without.stderr
        if with_it.returncode:
            assert f"make {verb} does not take the variable {name}, so nothing was done. It takes" in with_it.stderr
            refused.add(name)
        elif with_it.stdout != without.stdout:
            read.add(name)

    assert read | refused == set(VALUES)


@pytest.mark.parametrize("verb", ["synth", "diff", "deploy", "destroy", "rehearse", "test"])
@pytest.mark.parametrize("word", ["STACK=Api", "stacks=Api", "Env=production", "ARG=-x"])
def test_a_misspelt_variable_is_refused(verb: str, word: str) -> None:
    ended = make(verb, word)

    assert ended.returncode == 2
    assert f"make {verb} does not take the variable {word.partition('=')[0]}" in ended.stderr
    assert ended.stdout == ""


def test_stacks_of_the_shell_limit_each_verb_or_end_it() -> None:
    assert "does not take the variable STACKS" in make("synth", STACKS="Api").stderr
    assert 'cdk" diff Api --exclusively' in make("diff", STACKS="Api").stdout
    assert "destroy Api --exclusively" in make("destroy", STACKS="Api").stdout
    assert "--stacks 'Api'" in make("deploy", STACKS="Api").stdout


def test_other_variables_of_the_shell_are_not_read() -> None:
    assert make("synth", STACK="Api", FOO="bar").returncode == 0


def test_without_stacks_a_diff_is_of_all() -> None:
    assert "--exclusively" not in make("diff").stdout
    assert "diff Api Serving --exclusively" in make("diff", "STACKS=Api Serving").stdout


def test_the_interpreter_can_be_named_for_every_verb() -> None:
    assert make("lint", "PYTHON=python3.12").returncode == 0


def test_make_that_make_starts_takes_every_variable() -> None:
    """The verbs of this file start make for what they need, which then has their variables."""
    assert make("setup", "STACKS=Api", MAKELEVEL="1").returncode == 0
