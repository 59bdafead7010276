"""`kennel rehearse`: the real CDK command line deploys Kennel to a local AWS. Each test takes minutes."""

import re
from pathlib import Path

import pytest

from tests.patience import wait_until
from tests.rehearsal.deployments import (
    REPOSITORY,
    SHORT,
    check_nothing_is_left,
    few_photos,
    rehearse,
    started,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few_photos(tmp_path_factory.mktemp("photos") / "sample")


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """One rehearsal with all its changes: its folder and its output."""
    folder = tmp_path_factory.mktemp("whole") / "rehearsal"
    run = rehearse(folder, "--data", str(photos), *SHORT, "--full")
    assert run.returncode == 0, run.stdout + run.stderr
    return folder, run.stdout


def test_each_step_succeeds_and_has_a_line_with_its_time(whole: tuple[Path, str]) -> None:
    _, printed = whole
    assert [int(number) for number in re.findall(r"^ok (\d+)/11 .* \d+ s$", printed, re.MULTILINE)] == list(
        range(1, 12)
    )


def test_the_training_of_a_deploy_shows_its_epochs(whole: tuple[Path, str]) -> None:
    _, printed = whole
    assert "epoch 1 of 1: " in printed
    assert "epoch 1 kept; test accuracy" in printed


def test_no_call_fails_during_an_update(whole: tuple[Path, str]) -> None:
    _, printed = whole
    (count,) = re.findall(r"(\d+) calls meanwhile, each answered with 200", printed)
    assert int(count) > 10


def test_a_model_that_fails_is_rolled_back_by_its_alarm(whole: tuple[Path, str]) -> None:
    _, printed = whole
    assert re.search(r"calls meanwhile: \d+ with 200, \d+ with 5\d\d; now the model of before answers again", printed)


def test_nothing_is_left_in_the_account_and_on_the_machine(whole: tuple[Path, str]) -> None:
    folder, printed = whole
    assert "nothing else is left in the account" in printed
    check_nothing_is_left(folder, folder.parent / "tmp")


def test_records_are_listed(whole: tuple[Path, str]) -> None:
    _, printed = whole
    assert "AWS::SageMaker::NotebookInstance: no notebook starts" in printed.partition("Declared, not rehearsed")[2]


def test_predict_and_report_find_what_was_trained(whole: tuple[Path, str]) -> None:
    folder, printed = whole
    assert (folder / "job" / "model" / "model.onnx").is_file()
    assert Path(re.findall(r"Report of the training: +(\S+)", printed)[0]).read_text().startswith("<!")
    assert (folder / "answers.png").read_bytes().startswith(b"\x89PNG")


def test_readme_shows_lines_that_a_rehearsal_prints(whole: tuple[Path, str]) -> None:
    _, printed = whole
    (block,) = re.findall(r"```\n(1/7  .*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    drawn = r"1/7|photos of|\.jpg|^ *\.\.\.$"  # this rehearsal reads photos instead; the rest is left out
    lines = [line for line in block.splitlines() if line.strip() and not re.search(drawn, line)]

    assert len(lines) > 8
    for line in lines:
        words = line.partition("build/")[0].split()
        expected = " ".join(r"\S+" if re.search(r"\d", word) else re.escape(word) for word in words)
        assert re.search(expected, " ".join(printed.split())), line


def test_a_second_rehearsal_in_the_folder_is_refused_and_one_in_another_folder_works(
    photos: Path, tmp_path: Path
) -> None:
    with started(tmp_path / "first", "--data", str(photos), *SHORT) as first:
        assert wait_until((tmp_path / "first" / "aws" / "logs").is_dir, running=lambda: first.poll() is None)
        refused = rehearse(tmp_path / "first", "--data", str(photos), *SHORT)
        other = rehearse(tmp_path / "second", "--data", str(photos), *SHORT)
        printed, _ = first.communicate()

    assert refused.returncode == 1
    assert f"Another rehearsal (process {first.pid}) uses the folder" in refused.stderr
    assert (first.returncode, other.returncode) == (0, 0), printed + other.stdout + other.stderr
