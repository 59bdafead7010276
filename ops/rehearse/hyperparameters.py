"""The hyperparameters of a rehearsed training on drawn photos, chosen for two cores (docs/decisions/0096).

They are settings of the app too (training.NAME), because a deploy passes them on to the job.
"""

from collections.abc import Mapping

ON_FEATURES: Mapping[str, object] = {
    "image-size": 96,
}
"""With ImageNet's weights: a deploy's, but for the size. Drawn dogs have few details, and a head on the features of 96
pixels is as accurate as on those of 224, in two fifths of the time."""

FROM_SCRATCH: Mapping[str, object] = {
    "pretrained": "none",
    "mode": "full",
    "image-size": 48,
    "epochs": 12,
    "batch-size": 32,
    "learning-rate": 0.002,
    "weight-decay": 0.05,
    "label-smoothing": 0.05,
    "checkpoint-every": 100,
}
"""Without: every weight starts random. More photos in a step, larger photos or fewer epochs cost accuracy or time. One
checkpoint, after the last epoch: each has 400 MB."""
