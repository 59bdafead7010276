"""Why a deploy does not start."""


class DeployRefusedError(Exception):
    """Nothing was deployed. The message is one sentence for the user."""
