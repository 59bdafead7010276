"""What the templates do not say: how much the service is used. The command prints each of these below its table."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Assumptions:
    """Idle is a month without a caller, a deploy, a training or a user of the workbench."""

    predictions: int = 10_000
    """Predictions in the expected month."""
    photo_mb: float = 0.3
    """Size of a photo."""
    function_s: float = 0.2
    """Billed duration of the function for one prediction, and of the canary for one call."""
    scaled_out: float = 0.05
    """Share of the expected month in which the endpoint runs at its maximum."""
    deploys: int = 4
    """Deploys in the expected month. Each builds the image and updates the endpoint, which then runs two fleets."""
    worst_deploys: int = 30
    """Deploys in the worst month; each also trains until it is stopped."""
    new_fleet_min: int = 10
    """Minutes until a new fleet of the endpoint is in service."""
    trainings: int = 2
    """Trainings in the expected month."""
    training_min: int = 15
    """Billed minutes of each host in a training: more than decision 31 estimates for `frozen` (4) and `full` (13)."""
    workbench_h: int = 10
    """Hours that the training host runs in the expected month, and the notebook instance as many."""
    drift_min: int = 8
    """Billed minutes of each daily drift check, most of them the start of its instance."""
    photos: int = 8_000
    """Photos to train on."""
    data_gb: float = 1.2
    """Their size."""
    worst_data_gb: float = 50
    """Photos in the worst month."""
    artifact_gb: float = 0.2
    """What one training leaves in the bucket."""
    kept_artifacts: int = 10
    """Artifacts in the bucket."""
    image_gb: float = 0.3
    """Size of the serving image."""
    kept_images: int = 5
    """Serving images in the repository."""
    build_min: int = 6
    """Minutes of one build of the serving image."""
    log_kb: float = 1.5
    """Lines of one prediction in the log of each program that it passes through."""
    deploy_log_mb: float = 5
    """Lines that one deploy writes to each other log group."""
    deploy_function_s: int = 60
    """Billed duration of each function that only a deploy runs, for one deploy."""
    deploy_calls: int = 30
    """Calls of each of those functions in one deploy, and steps of the state machine that waits for a training."""
    bootstrap_gb: float = 0.5
    """Assets in the bucket that `make bootstrap` creates."""

    @property
    def training_h(self) -> float:
        return self.training_min / 60
