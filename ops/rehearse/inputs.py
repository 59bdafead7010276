"""The files and folders that a rehearsal was given, checked before it draws a photo or starts a process."""

from pathlib import Path

from inference import artifact
from inference.artifact import ArtifactError
from ops.output_path import check_folder
from ops.rehearse.plan import Plan
from ops.smoke.artifact import check
from ops.weights.check import checked
from training.data.dataset import scan


def check_inputs(plan: Plan) -> None:
    """Raises ArtifactError, DataError, OutputPathError or WeightsError for what the rehearsal could not use later."""
    check_folder(plan.folder)
    if plan.model:
        if plan.model.is_file():
            raise ArtifactError(f"{plan.model} is a file. Unpack it, and name the folder: --model FOLDER.")
        check(plan.model)
        artifact.load(plan.model)
    if plan.data:
        scan(plan.data)
    if plan.pretrained not in (None, "imagenet", "none") and plan.weights:
        checked(Path(plan.pretrained or ""))
