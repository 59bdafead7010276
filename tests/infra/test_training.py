"""The training stack: the properties of its job, its image and its metrics."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contract.training_metrics import METRIC_DEFINITIONS
from contract.weights import object_key
from stacks.settings import SettingsError
from stacks.training.registries import REGISTRIES
from tests.infra.conftest import DEVELOPMENT, Assembly, Synthesise
from tests.infra.iam import rights
from training.config import Config
from training.data.dataset import Photo
from training.evaluation.predictions import Predictions, served_metrics
from training.log import line


def test_the_job_is_two_g4dn_xlarge_hosts_with_the_designs_limits(development: Assembly) -> None:
    job = development.only("Custom::TrainingJob")
    assert (job["InstanceType"], job["InstanceCount"]) == ("ml.g4dn.xlarge", "2")
    assert (job["VolumeGiB"], job["MaxRuntimeSeconds"]) == ("100", "2700")
    assert (job["DataPrefix"], job["ArtifactPrefix"]) == ("data/", "training/")


def test_the_job_starts_after_its_role_has_its_rights(development: Assembly) -> None:
    """A reference to a role waits for the role, not for its policy: the job would fail to read its photos."""
    ((_, _, job),) = development.resources("Custom::TrainingJob")
    before = {name[:-8] for name in development.raw("Training")["Resources"] if name in job["DependsOn"]}
    assert {name for name in before if not name.startswith("Registry")} == {"JobRole", "JobRoleDefaultPolicy"}
    assert "RegistryGroup" in before, "its artifact is registered in the group"


def test_each_function_is_created_after_the_rights_of_its_role(development: Assembly) -> None:
    """A right that is attached after the function is seconds old when CloudFormation calls the function."""
    resources = development.raw("Training")["Resources"]
    policies = {name: found for name, found in resources.items() if found["Type"] == "AWS::IAM::Policy"}
    functions = [found for found in resources.values() if found["Type"] == "AWS::Lambda::Function"]
    assert len(functions) == 6
    for function in functions:
        role = function["Properties"]["Role"]["Fn::GetAtt"][0]
        held = [name for name, policy in policies.items() if {"Ref": role} in policy["Properties"]["Roles"]]
        assert len(held) == 1, role
        assert held[0] in function["DependsOn"]


def test_cdks_functions_may_only_call_the_handlers_and_start_the_state_machine(development: Assembly) -> None:
    """The handlers may create jobs and pass the job's role; nothing else of the stack may."""
    resources = development.raw("Training")["Resources"]
    roles = {
        name: found["Properties"]["Role"]["Fn::GetAtt"][0]
        for name, found in resources.items()
        if "Role" in found.get("Properties", {})
    }
    held = {
        name: {
            action
            for right in rights(development)
            if right.stack == "Training" and right.holder.startswith(role[:-8])
            for action in right.actions
        }
        for name, role in roles.items()
        if "framework" in name
    }
    call = {"lambda:GetFunction", "lambda:InvokeFunction", "logs:CreateLogStream", "logs:PutLogEvents"}
    assert {name.partition("framework")[2][:-8]: actions for name, actions in held.items()} == {
        "onEvent": {*call, "states:StartExecution"},
        "isComplete": call,
        "onTimeout": call,
    }


def test_the_toolkit_starts_one_distributed_training(development: Assembly) -> None:
    assert development.only("Custom::TrainingJob")["HyperParameters"]["sagemaker_torch_distributed_enabled"] == "true"


def test_the_script_and_its_options_are_passed_as_text(development: Assembly) -> None:
    options = dict(development.only("Custom::TrainingJob")["HyperParameters"])
    assert options.pop("sagemaker_region") == {"Ref": "AWS::Region"}
    source = options.pop("sagemaker_submit_directory")["Fn::Sub"]
    assert re.fullmatch(r"s3://cdk-hnb659fds-assets-\$\{AWS::AccountId\}-\$\{AWS::Region\}/[0-9a-f]{64}\.gz", source)
    assert options == {
        "sagemaker_program": "training/train.py",
        "sagemaker_torch_distributed_enabled": "true",
        "sagemaker_container_log_level": "20",
        "mode": "frozen",
        "epochs": "20",
        "batch-size": "64",
        "seed": "0",
        "image-size": "224",
        "precision": "auto",
    }


def test_every_option_of_the_job_is_one_that_the_script_accepts(development: Assembly, tmp_path: Path) -> None:
    """SageMaker's toolkit passes hyperparameters on as `--name value`, but for its own."""
    options = {
        name: value
        for name, value in development.only("Custom::TrainingJob")["HyperParameters"].items()
        if not name.startswith("sagemaker_")
    }
    command = [part for name, value in options.items() for part in (f"--{name}", value)]
    config = Config.from_command_line([*command, "--data", str(tmp_path), "--model-dir", str(tmp_path)])
    assert (config.mode, config.epochs, config.batch_size, config.seed) == ("frozen", 20, 64, 0)
    # exact: the setting is copied or parsed from its text, not computed
    assert (config.recipe.learning_rate, config.image_size) == (0.001, 224)


def test_hyperparameter_settings_reach_the_script(synthesise: Synthesise, tmp_path: Path) -> None:
    assembly = synthesise(("training.mode", "full"), ("training.weight_decay", 0.0), ("training.label_smoothing", 0.1))
    options = assembly.only("Custom::TrainingJob")["HyperParameters"]
    command = [part for name in ("mode", "weight-decay", "label-smoothing") for part in (f"--{name}", options[name])]
    config = Config.from_command_line([*command, "--data", str(tmp_path), "--model-dir", str(tmp_path)])
    # exact: the setting is copied or parsed from its text, not computed
    assert (config.recipe.weight_decay, config.recipe.label_smoothing) == (0.0, 0.1)
    assert "learning-rate" not in options  # its default depends on the mode, and is in the script


def test_the_image_comes_from_the_regions_aws_registry(development: Assembly) -> None:
    mapping = development.raw("Training")["Mappings"]
    (table,) = mapping.values()
    assert {region: entry["Account"] for region, entry in table.items()} == REGISTRIES
    parts = development.only("Custom::TrainingJob")["Image"]["Fn::Join"][1]
    assert parts[-1] == "/pytorch:2.14-cu133-amzn2023-sagemaker"


def test_a_region_without_the_image_is_rejected_at_synth(synthesise: Synthesise) -> None:
    with pytest.raises(SettingsError, match=r"region is 'cn-north-1'.*eu-west-1"):
        synthesise(environment=replace(DEVELOPMENT, region="cn-north-1"))


def test_the_deploy_polls_every_30_seconds_for_55_minutes(development: Assembly) -> None:
    text = str(development.only("AWS::StepFunctions::StateMachine")["DefinitionString"])
    assert '"IntervalSeconds":30,"MaxAttempts":110,"BackoffRate":1' in text


@pytest.mark.parametrize(
    ("printed", "metric", "value"),
    [
        ("epoch=3 train_loss=0.1234 valid_loss=0.2345 valid_accuracy=0.9100", "train:loss", "0.1234"),
        ("epoch=3 train_loss=0.1234 valid_loss=0.2345 valid_accuracy=0.9100", "validation:loss", "0.2345"),
        ("epoch=3 train_loss=0.1234 valid_loss=0.2345 valid_accuracy=0.9100", "validation:accuracy", "0.9100"),
        ("test_accuracy=0.9300 test_loss=0.31", "test:accuracy", "0.9300"),
        ("test_accuracy=0.9300 test_loss=3.1e-05", "test:loss", "3.1e-05"),
    ],
)
def test_each_metric_is_found_in_the_scripts_lines(printed: str, metric: str, value: str) -> None:
    assert re.findall(METRIC_DEFINITIONS[metric], printed) == [value]


def test_a_metric_does_not_match_a_longer_name() -> None:
    assert not re.findall(METRIC_DEFINITIONS["test:loss"], "latest_loss=0.5")


def test_every_figure_of_the_last_line_is_the_metric_of_its_name_and_no_other() -> None:
    photos = [Photo(path=Path("1.jpg"), label=0), Photo(path=Path("2.jpg"), label=1)]
    logits = np.array([[2.0, 1.0], [0.5, 0.1]], np.float32)
    predictions = Predictions(photos=photos, logits=logits, temperature=1.25)
    kept = ("valid_loss", "valid_accuracy", "test_loss", "test_accuracy")
    named = {name: 0.5 + place / 100 for place, name in enumerate([*kept, *served_metrics(predictions, predictions)])}
    printed = line(epoch=3, **named, precision="int8", model="0123", elapsed_s=43.7)
    found = {name: re.findall(expression, printed) for name, expression in METRIC_DEFINITIONS.items()}
    expected = {metric_of(name): [f"{value:.4f}"] for name, value in named.items()}
    assert {name: values for name, values in found.items() if values} == expected


def metric_of(figure: str) -> str:
    """Such as validation:served_loss of served_valid_loss."""
    words = figure.split("_")
    for split, name in (("valid", "validation"), ("test", "test")):
        if split in words:
            words.remove(split)
            return f"{name}:{'_'.join(words)}"
    return figure


def test_there_are_at_most_40_metrics_sagemakers_limit() -> None:
    assert len(METRIC_DEFINITIONS) <= 40


def test_with_model_data_nothing_is_trained_and_that_artifact_is_served(synthesise: Synthesise) -> None:
    assembly = synthesise(("training.model_data", "s3://models/dogs/model.tar.gz"))
    types = {resource["Type"] for resource in assembly.raw("Training")["Resources"].values()}
    assert "Custom::TrainingJob" not in types
    # otherwise a rollback to an earlier model would delete every version
    assert "AWS::SageMaker::ModelPackageGroup" in types
    assert assembly.only("AWS::SageMaker::Model")["PrimaryContainer"]["ModelDataUrl"] == "s3://models/dogs/model.tar.gz"
    policy = str(assembly.raw("Serving")["Resources"]["ModelRoleDefaultPolicy65B3542C"])
    assert ":s3:::models/dogs/model.tar.gz" in policy


def test_the_job_may_read_its_weights_and_nothing_beside_them(synthesise: Synthesise) -> None:
    """As `kennel data version --cdk-options` names them: an object in the storage stack's bucket, by its real name."""
    key = object_key("0" * 64)
    assembly = synthesise(("training.pretrained_uri", f"s3://kennel-storage-bucket-1/{key}"))
    assert assembly.only("Custom::TrainingJob")["Pretrained"] == f"s3://kennel-storage-bucket-1/{key}"
    held = {
        (action, str(resource).rpartition(":::")[2].rstrip("]}'"), str(right.conditions))
        for right in rights(assembly)
        for resource in right.resources
        if ":::kennel-storage-bucket-1" in str(resource)
        for action in right.actions
    }
    assert held == {
        ("s3:GetObject", f"kennel-storage-bucket-1/{key}", "{}"),
        ("s3:ListBucket", "kennel-storage-bucket-1", f"{{'StringEquals': {{'s3:prefix': '{key}'}}}}"),
    }


def test_without_weights_in_the_bucket_the_job_has_no_right_to_any(development: Assembly) -> None:
    assert development.only("Custom::TrainingJob")["Pretrained"] == ""
    assert not [right for right in rights(development) if "weights/" in str(right.resources)]


def test_a_job_without_pretrained_weights_has_no_channel_for_any(synthesise: Synthesise) -> None:
    assembly = synthesise(("training.pretrained_uri", "none"), ("training.mode", "full"))
    job = assembly.only("Custom::TrainingJob")
    assert (job["Pretrained"], job["HyperParameters"]["pretrained"]) == ("", "none")
    assert not [right for right in rights(assembly) if "none" in str(right.resources)]


def test_a_given_artifact_needs_no_weights(synthesise: Synthesise) -> None:
    assembly = synthesise(
        ("training.model_data", "s3://models/model.tar.gz"),
        ("training.pretrained_uri", f"s3://kennel-storage-bucket-1/{object_key('0' * 64)}"),
    )
    assert "kennel-storage-bucket-1" not in str([assembly.raw(stack) for stack in assembly.names])


def test_photos_of_another_bucket_are_read_under_their_prefix_alone(synthesise: Synthesise) -> None:
    assembly = synthesise(("training.data_uri", "s3://theirs/dogs/"))
    job = assembly.only("Custom::TrainingJob")
    assert (job["DataBucket"], job["DataPrefix"]) == ("theirs", "dogs/")
    assert job["Bucket"] != "theirs"

    def seen(role: str) -> set[tuple[str, str, str]]:
        """Action, resource within `theirs`, and the prefix that may be listed; no role names `data/` any more."""
        (policy,) = [
            resource["Properties"]["PolicyDocument"]["Statement"]
            for name, resource in assembly.raw("Training")["Resources"].items()
            if name.startswith(f"{role}DefaultPolicy")
        ]
        assert "data/" not in str(policy)
        return {
            (action, str(statement["Resource"]).rpartition(":::")[2].rstrip("]}'"), str(statement.get("Condition", "")))
            for statement in policy
            if ":::theirs" in str(statement["Resource"])
            for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        }

    listing = ("s3:ListBucket", "theirs", "{'StringLike': {'s3:prefix': ['dogs/*']}}")
    one_listing = ("s3:ListBucket", "theirs", "{'StringLike': {'s3:prefix': 'dogs/*'}}")
    assert seen("JobRole") == {("s3:GetObject", "theirs/dogs/*", ""), one_listing}
    assert seen("TrainingJobRole") == {listing}


def test_the_handlers_package_can_be_imported(development: Assembly) -> None:
    """As on Lambda, with the package and without the rest of this repository on Python's path."""
    (asset,) = [path for path in development.folder.glob("asset.*") if (path / "stacks/training/handler").is_dir()]
    packed = {path.relative_to(asset).as_posix() for path in asset.rglob("*") if path.is_file()}
    assert packed == {
        *(
            f"contract/{name}.py"
            for name in ("__init__", "names", "photos", "training_container", "training_metrics", "weights")
        ),
        *("stacks/__init__.py", "stacks/training/__init__.py"),
        *(
            f"stacks/training/handler/{name}.py"
            for name in ("__init__", "aws_errors", "description", "emptied_group", "events", "jobs", "model_version")
        ),
        *(f"stacks/training/handler/{name}.py" for name in ("network", "photos", "registry", "request")),
    }
    named = {
        function["Properties"]["Handler"]
        for stack, logical_id, function in development.resources("AWS::Lambda::Function")
        if stack == "Training" and "framework" not in logical_id
    }
    events, emptied = "stacks.training.handler.events", "stacks.training.handler.emptied_group"
    assert named == {f"{events}.on_event", f"{events}.is_complete", f"{emptied}.on_event"}
    load = f"import {events} as e, {emptied} as g; e.on_event; e.is_complete; g.on_event"
    subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, '{asset}'); {load}"], check=True)
