"""The options of a run. An impossible value is refused with the name of its option."""

from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.declarations import declarations
from contract.options import TrainingOptions, option_name
from training.config import Config

PATHS = ["--data", "photos", "--model-dir", "model", "--pretrained", "weights.safetensors"]


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        Config.from_command_line([*PATHS, *arguments])
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--epochs", "0"),
        ("--epochs", "2.5"),
        ("--epochs", "many"),
        ("--batch-size", "0"),
        ("--batch-size", "65537"),
        ("--learning-rate", "0"),
        ("--learning-rate", "nan"),
        ("--learning-rate", "inf"),
        ("--learning-rate", "1.5"),
        ("--weight-decay", "-0.1"),
        ("--label-smoothing", "1"),
        ("--image-size", "31"),
        ("--checkpoint-every", "0"),
        ("--seed", "-1"),
        ("--workers", "0"),
        ("--photo-memory-gib", "-1"),
        ("--photo-memory-gib", "nan"),
        ("--mode", "half"),
        ("--precision", "int8"),
    ],
)
def test_an_impossible_value_is_refused_with_its_option(
    capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    sentence = refusal(capsys, option, value)
    assert option in sentence
    assert value in sentence


def test_a_misspelt_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--epoch" in refusal(capsys, "--epoch", "3")


def test_a_frozen_backbone_without_weights_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--mode full" in refusal(capsys, "--mode", "frozen", "--pretrained", "none")


def test_a_refusal_is_the_failure_reason_of_the_job(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SM_OUTPUT_DIR", str(tmp_path / "output"))
    refusal(capsys, "--epochs", "0")
    assert (tmp_path / "output" / "failure").read_text() == "--epochs is 0, but must be between 1 and 10000."


def test_hyperparameters_are_strings_and_folders_are_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "SM_HOSTS": '["algo-1"]',
        "SM_CHANNEL_DATA": "/opt/ml/input/data/data",
        "SM_CHANNEL_PRETRAINED": "/opt/ml/input/data/pretrained",
        "SM_MODEL_DIR": "/opt/ml/model",
        "SM_OUTPUT_DIR": "/opt/ml/output",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SAGEMAKER_BASE_DIR", raising=False)
    config = Config.from_command_line(["--batch-size", "32", "--learning-rate", "1e-3", "--seed", "4"])

    # exact: the option is parsed from its text or is a default, not computed
    assert (config.batch_size, config.learning_rate, config.seed) == (32, 0.001, 4)
    assert config.data == Path("/opt/ml/input/data/data")
    assert config.pretrained == "/opt/ml/input/data/pretrained"
    assert config.model_dir == Path("/opt/ml/model")
    assert config.output_dir == Path("/opt/ml/output")
    assert config.checkpoint_dir == Path("/opt/ml/checkpoints")


def test_outside_sagemaker_no_checkpoint_is_saved_by_default() -> None:
    config = Config.from_command_line(PATHS)
    assert (config.checkpoint_dir, config.output_dir) == (None, None)


RECIPES = {
    ("frozen", "weights.safetensors"): (0.001, 1.0, 0.0),
    ("full", "weights.safetensors"): (0.00005, 0.05, 0.0),
    ("full", "none"): (0.001, 0.05, 0.1),
}
"""Rate, decay and smoothing by mode and weights."""


@pytest.mark.parametrize(("mode", "pretrained"), list(RECIPES))
def test_each_mode_has_its_own_recipe_which_is_in_the_manifest(mode: str, pretrained: str) -> None:
    paths = [*PATHS, "--mode", mode, "--pretrained", pretrained]
    config = Config.from_command_line(paths)
    recipe = config.recipe
    # exact: the option is parsed from its text or is a default, not computed
    assert (recipe.learning_rate, recipe.weight_decay, recipe.label_smoothing) == RECIPES[mode, pretrained]
    manifest = config.hyperparameters()
    assert (manifest["learning_rate"], manifest["weight_decay"]) == RECIPES[mode, pretrained][:2]
    given = Config.from_command_line([*paths, "--learning-rate", "0.5", "--weight-decay", "0"])
    # exact: the option is parsed from its text or is a default, not computed
    assert (given.recipe.learning_rate, given.recipe.weight_decay) == (0.5, 0.0)
    smoothed = Config.from_command_line([*paths, "--label-smoothing", "0.3"])
    # exact: the option is parsed from its text or is a default, not computed
    assert smoothed.recipe.label_smoothing == 0.3


@given(st.sampled_from(["data", "model_dir", "output_dir", "checkpoint_dir"]), st.text("abc", min_size=1))
def test_no_folder_is_a_hyperparameter(name: str, folder: str) -> None:
    one = Config(data=Path("d"), model_dir=Path("m"), pretrained="w.safetensors")
    values = {"data": Path("d"), "model_dir": Path("m"), "pretrained": f"{folder}/w.safetensors", name: Path(folder)}
    assert Config(**values).hyperparameters() == one.hyperparameters()  # type: ignore[arg-type]


def test_the_manifest_names_the_file_in_a_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def name(pretrained: str) -> object:
        return Config(data=Path("d"), model_dir=Path("m"), pretrained=pretrained).hyperparameters()["pretrained"]

    monkeypatch.chdir(tmp_path)
    assert name("imagenet") == "imagenet"
    Path("imagenet").mkdir()
    Path("imagenet/resnet50-0123456789abcdef.safetensors").touch()
    assert name("imagenet") == "imagenet"  # the folder of that name is not read
    assert name(str(tmp_path / "imagenet")) == "resnet50-0123456789abcdef.safetensors"


def test_every_declared_option_is_on_the_command_line_with_its_range_default_and_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        Config.from_command_line(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for name, declared in declarations(Config).items():
        assert f"--{option_name(name)} " in shown
        assert declared.doc
        assert declared.doc in shown


def test_every_option_is_accepted_by_the_command_line() -> None:
    """The hyperparameters of a job are these arguments."""
    options = TrainingOptions(learning_rate=0.25, weight_decay=0.5, label_smoothing=0.125, mode="full", seed=7)
    words = [word for name, value in options.arguments().items() for word in (f"--{name}", value)]
    config = Config.from_command_line([*PATHS, *words])
    assert {name: getattr(config, name) for name in declarations(TrainingOptions)} == asdict(options)
