"""How the training container is started: by the job's CreateTrainingJob, and by a rehearsal in the same way.

docs/decisions/0070-how-the-job-starts.md
"""

ENTRY_POINT = ("/bin/bash",)
ARGUMENTS = ("-c", "exec train")
"""Instead of the image's own start script: `train`, the command of SageMaker's training toolkit, found in the image's
PATH."""

CHECKPOINT_EVERY = "checkpoint-every"
"""The hyperparameter with the number of epochs between two checkpoints. It changes no result, so it is left out of the
job's name."""

HOST_NAME = "aws"
"""What gethostname() returns in every training container. `algo-1`, `algo-2` and so on are names that resolve."""
