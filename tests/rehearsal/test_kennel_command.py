"""The `kennel` command, run as a process, with real photos."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest

from contract.training_metrics import METRIC_DEFINITIONS
from sample_dogs.breeds import BREEDS
from sample_dogs.dataset import write_sample
from tests.builders import write_artifact
from tests.patience import PATIENCE_S, wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
KENNEL = [sys.executable, "-c", "from ops.cli import main; main()"]
WITHOUT_ML_PACKAGES = "import sys; sys.modules.update(dict.fromkeys(('numpy', 'PIL', 'torch', 'moto', 'openvino')))"
"""Makes these imports fail, since an installation for `make deploy` lacks them."""
NO_CREDENTIALS = {
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_REGION": "us-east-1",
}


def kennel(
    *arguments: str,
    timeout_s: float = 240,
    environment: Mapping[str, str] = MappingProxyType({}),
    command: Sequence[str] = KENNEL,
) -> subprocess.CompletedProcess[str]:
    """Run the command with this process's environment, but only the given AWS variables."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [*command, *arguments],
        cwd=REPOSITORY,
        env={**own, **environment},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos") / "sample"
    write_sample(folder, counts={"train": 6, "valid": 2, "test": 2}, breeds=BREEDS[:3])
    return folder


@pytest.fixture(scope="module")
def rehearsed(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """One short rehearsal without a deployment: its folder and its output."""
    (photos / "train" / BREEDS[0].name / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a photo")
    whole = next((photos / "train" / BREEDS[1].name).iterdir())
    whole.with_name("cut off.jpg").write_bytes(whole.read_bytes()[:-400])
    folder = tmp_path_factory.mktemp("rehearsal")
    short = ["--without-aws", "--pretrained", "none", "--epochs", "1"]
    run = kennel("rehearse", "--folder", str(folder), "--data", str(photos), *short)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder, run.stdout


def test_every_test_photo_gets_three_breeds(rehearsed: tuple[Path, str], photos: Path) -> None:
    _, printed = rehearsed

    for photo in (photos / "test").rglob("*.jpg"):
        (row,) = [line for line in printed.splitlines() if photo.name in line]
        assert row.count("%") == 3
    assert "Accuracy " in printed


def test_a_rehearsal_without_a_deployment_says_in_one_line_what_it_leaves_out(rehearsed: tuple[Path, str]) -> None:
    _, printed = rehearsed

    assert printed.splitlines()[0] == (
        "Left out: cdk deploy and all that it makes (IAM, alarms, updates, scaling), as --without-aws asks."
    )


def test_the_predictions_are_also_written_as_a_picture(rehearsed: tuple[Path, str]) -> None:
    folder, printed = rehearsed

    assert (folder / "answers.png").read_bytes().startswith(b"\x89PNG")
    assert str(folder / "answers.png") in printed.replace("\n", "")


def test_each_of_the_five_steps_has_a_line(rehearsed: tuple[Path, str]) -> None:
    _, printed = rehearsed

    for number in range(1, 6):
        assert f"ok {number}/5" in printed


def test_readme_shows_the_steps_of_a_rehearsal() -> None:
    """tests/rehearsal/test_deployment.py compares the other lines with those of a whole rehearsal."""
    (block,) = re.findall(r"```\n(1/7  .*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    shown = re.findall(r"^(\d)/7  (.*) \.\.\.$", block, re.MULTILINE)
    source = "".join(path.read_text() for path in (REPOSITORY / "ops" / "rehearse").glob("*.py"))

    assert [number for number, _ in shown] == list("1234567")
    for _, title in shown:
        assert title in source


def test_a_broken_photo_is_named_and_skipped(rehearsed: tuple[Path, str]) -> None:
    _, printed = rehearsed

    assert f"skipped train/{BREEDS[0].name}/broken.jpg" in printed.replace("\n", " ")


def test_a_truncated_photo_is_named(rehearsed: tuple[Path, str]) -> None:
    _, printed = rehearsed

    assert "1 training photo is cut off:" in printed
    assert re.search(rf"train/{BREEDS[1].name}/cut off.jpg: \d+% of the photo is present", printed)


@pytest.mark.parametrize(("metric", "expression"), METRIC_DEFINITIONS.items())
def test_sagemaker_finds_every_metric_in_the_log_of_a_real_job(
    metric: str, expression: str, rehearsed: tuple[Path, str]
) -> None:
    folder, _ = rehearsed
    log = (folder / "job" / "logs" / "algo-1.log").read_text()

    found = re.findall(expression, log)

    # once for its only epoch; validation again for the best epoch
    evaluated_twice = ("validation:loss", "validation:accuracy", "validation:calibrated_loss")
    assert len(found) == (2 if metric in evaluated_twice else 1)
    assert all(float(value) >= 0 for value in found)


def test_predict_uses_the_artifact_of_the_rehearsal(rehearsed: tuple[Path, str], photos: Path) -> None:
    folder, _ = rehearsed
    photo = next((photos / "test").rglob("*.jpg"))

    run = kennel("predict", str(photo), "--model-dir", str(folder / "job" / "model"), "--top-k", "2")

    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(f"{photo}: ")
    assert run.stdout.count("%") == 2


def test_predict_continues_after_a_file_that_is_not_a_photo(
    rehearsed: tuple[Path, str], photos: Path, tmp_path: Path
) -> None:
    folder, _ = rehearsed
    bad, good = tmp_path / "notes.txt", next((photos / "test").rglob("*.jpg"))
    bad.write_text("not a dog")

    run = kennel("predict", str(bad), str(good), "--model-dir", str(folder / "job" / "model"))

    assert run.returncode == 1
    assert "The file is text" in run.stderr
    assert str(good) in run.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["predict", "a.jpg", "--model", "/nowhere.tar.gz"], "There is no /nowhere.tar.gz. Name a job's model.tar.gz"),
        (["predict", "a.jpg", "--model-dir", "/nowhere"], "model folder (--model); `make rehearse` makes one."),
        (["rehearse", "--data", "/nowhere", "--folder", "{tmp}"], "The data folder /nowhere does not exist"),
        (["data", "sample", "{foreign}"], "is not empty"),
        (["data", "sample", "{tmp}", "--train", "0", "--valid", "0", "--test", "0"], "counts is 0 for every split"),
        (["rehearse", "--folder", "/proc/nowhere"], "/proc/nowhere"),
        (["rehearse", "--folder", "{tmp}", "-c", "serving.scaling.max_instances=0"], "serving.scaling.max_instances"),
        (["rehearse", "--folder", "{tmp}", "-c", "serving.max_instance=2"], "There is no setting"),
        (["--env", "nowhere", "rehearse"], "nowhere"),
    ],
)
def test_a_user_error_gives_a_sentence_and_no_traceback(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")

    run = kennel(*[word.format(tmp=tmp_path / "out", foreign=foreign) for word in arguments])

    assert run.returncode == 1
    assert run.stderr.startswith("kennel: ")
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr
    assert (foreign / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("nowhere", "name a folder that contains train/, valid/ and test/.\n"),
        ("foreign", "has no train and no valid and no test folder"),
    ],
)
def test_a_check_of_no_photo_folder_is_a_finding_like_any_other(folder: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.txt").write_text("mine")

    run = kennel("data", "check", str(tmp_path / folder), "--sheet", str(tmp_path / "sheet.png"))

    assert run.returncode == 1
    assert sentence in run.stdout
    assert run.stderr == ""
    assert (tmp_path / "foreign" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "words",
    [["data", "upload", "{photos}"], ["data", "upload", "{photos}", "s3://b-1/data"], ["data", "version"], ["report"]],
)
@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"AWS_PROFILE": "unknown"}, "There is no AWS profile 'unknown'"),
        ({"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE"}, "is incomplete: AWS_SECRET_ACCESS_KEY is missing"),
        ({}, "There are no AWS credentials"),
    ],
)
def test_an_aws_configuration_error_gives_a_sentence_and_no_traceback(
    words: list[str], environment: dict[str, str], sentence: str, photos: Path
) -> None:
    words = [word.format(photos=photos) for word in words]

    run = kennel(*words, environment={**NO_CREDENTIALS, **environment})

    assert run.returncode == 1
    assert run.stderr.startswith("kennel: ")
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["data", "version"], "There are no AWS credentials"),
        (["report"], "There are no AWS credentials"),
        (["report", "job-7"], "'job-7' is not a training job's output"),
    ],
)
def test_commands_of_a_deploy_need_only_the_packages_of_a_deploy(words: list[str], sentence: str) -> None:
    without_ml_packages = [KENNEL[0], KENNEL[1], f"{WITHOUT_ML_PACKAGES}; {KENNEL[2]}"]

    run = kennel(*words, environment=NO_CREDENTIALS, command=without_ml_packages)

    assert run.returncode == 1
    assert run.stderr.startswith("kennel: ")
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr


def test_a_photo_folder_without_test_is_refused_before_any_training(photos: Path, tmp_path: Path) -> None:
    halves = tmp_path / "halves"
    halves.mkdir()
    for split in ("train", "valid"):
        shutil.copytree(photos / split, halves / split)

    run = kennel("rehearse", "--data", str(halves), "--folder", str(tmp_path / "out"))

    assert run.returncode == 1
    assert "has no test folder" in run.stderr
    assert not (tmp_path / "out" / "job").exists()


def test_a_rehearsal_of_a_folder_without_an_artifact_is_refused_before_it_starts(tmp_path: Path) -> None:
    run = kennel("rehearse", "--model", str(tmp_path / "none"), "--folder", str(tmp_path / "out"))

    assert run.returncode == 1
    assert f"There is no model in {tmp_path / 'none'}. Run `make rehearse`" in run.stderr
    assert "1/" not in run.stdout


def test_a_folder_in_which_aws_is_of_something_else_is_refused_with_a_sentence(photos: Path, tmp_path: Path) -> None:
    """AWS's installer of its command line, for example, is unpacked into a folder `aws`."""
    write_artifact(tmp_path / "model")
    (tmp_path / "aws").mkdir()
    (tmp_path / "aws" / "install").touch()
    run = kennel("rehearse", "--folder", str(tmp_path), "--data", str(photos), "--model", str(tmp_path / "model"))

    assert run.returncode == 1
    assert run.stderr.startswith(f"kennel: {tmp_path / 'aws'} has other files")
    assert (tmp_path / "aws" / "install").exists()


def test_file_names_are_printed_unchanged(tmp_path: Path) -> None:
    folder = tmp_path / "dogs [bold]x[1]"

    run = kennel("data", "sample", str(folder), "--train", "1", "--valid", "0", "--test", "0")

    assert run.returncode == 0, run.stderr
    assert str(folder) in run.stdout.replace("\n", "")


def test_a_file_name_that_is_not_utf8_is_printed_escaped(photos: Path, tmp_path: Path) -> None:
    shutil.copytree(photos, tmp_path / "photos")
    odd = os.fsencode(tmp_path / "photos" / "train" / BREEDS[0].name) + b"/caf\xe9.heic"
    with open(odd, "wb") as file:  # noqa: PTH123 - pathlib takes no bytes
        file.write(b"x")

    sheet = ["--sheet", str(tmp_path / "sheet.png")]
    run = kennel("data", "check", str(tmp_path / "photos"), *sheet, environment={"PYTHONIOENCODING": "utf-8:strict"})

    assert run.returncode in (0, 1)
    assert r"caf\xe9.heic" in run.stdout
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["rehearse"],
        ["predict"],
        ["data", "sample"],
        ["data", "check"],
        ["data", "upload"],
        ["data", "version"],
        ["report"],
    ],
)
def test_help_shows_how_to_call_it(words: list[str]) -> None:
    run = kennel(*words, "--help")

    assert run.returncode == 0
    assert "Usage" in run.stdout
    assert not words or "Example" in run.stdout


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_an_interrupted_rehearsal_leaves_no_process_behind(
    number: signal.Signals, code: int, photos: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "rehearsal"
    words = ["--without-aws", "--folder", str(folder), "--data", str(photos), "--pretrained", "none"]
    command = [*KENNEL, "rehearse", *words]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        # Network namespaces hide the folder from the hosts, so they are known by their parents, not by its path.
        hosts: set[Process] = set()

        def training() -> bool:
            log = folder / "job" / "logs" / "algo-2.log"
            hosts.update(descendants(run.pid))
            return log.is_file() and log.stat().st_size > 0 and len(descendants(run.pid)) >= 2

        wait_for(training, run)
        run.send_signal(number)
        printed, _ = run.communicate(timeout=PATIENCE_S)

    assert run.returncode == code, printed
    assert "Traceback" not in printed
    sentence = "Interrupted. No process is left. The same command begins a new rehearsal"
    assert (sentence in printed) == (number == signal.SIGINT)
    wait_until_gone(hosts)  # the reaper ends a moment after the process that it watches


def wait_for(condition: Callable[[], bool], run: "subprocess.Popen[str]") -> None:
    happened = wait_until(condition, running=lambda: run.poll() is None)
    assert happened, "the rehearsal ended before it was interrupted, or did not come so far"


def wait_until_gone(ended: "set[Process]") -> None:
    gone = wait_until(lambda: not ended & set(processes()))
    assert gone, f"still running: {ended & set(processes())}"


@dataclass(frozen=True)
class Process:
    id: int
    started: int
    """In clock ticks since the machine started: tells a process from a later one with the same id."""


def processes() -> dict[Process, int]:
    """Each process that runs, and the id of its parent. A process that has ended and waits to be reaped is left out."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if fields[0] != "Z":
                found[Process(int(folder.name), int(fields[19]))] = int(fields[1])
    return found


def descendants(pid: int) -> set[Process]:
    """The children of a process, their children, and so on."""
    parents, found, ids = processes(), set[Process](), {pid}
    while children := {process for process, parent in parents.items() if parent in ids} - found:
        found |= children
        ids = {process.id for process in children}
    return found


@pytest.mark.slow
def test_a_rehearsal_with_sample_photos_reaches_an_accuracy_of_90_percent(tmp_path: Path) -> None:
    run = kennel("rehearse", "--without-aws", "--folder", str(tmp_path), timeout_s=900)

    assert run.returncode == 0, run.stdout + run.stderr
    accuracy = float(run.stdout.split("Accuracy ")[1].split(":")[0])
    assert accuracy >= 0.9
