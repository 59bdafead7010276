"""The variables that SageMaker's training toolkit sets for a program, and those that torchrun sets.

https://github.com/aws/sagemaker-training-toolkit/blob/master/ENVIRONMENT_VARIABLES.md
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def toolkit_variables(
    base: Path, resources: Mapping[str, Any], channels: Mapping[str, Path], parameters: Mapping[str, str]
) -> dict[str, str]:
    """The SM_* variables. base: the folder that is /opt/ml. resources: resourceconfig.json. channels: their folders."""
    return {
        "SM_HOSTS": json.dumps(resources["hosts"]),
        "SM_CURRENT_HOST": resources["current_host"],
        "SM_NETWORK_INTERFACE_NAME": resources["network_interface_name"],
        "SM_RESOURCE_CONFIG": json.dumps(resources),
        "SM_NUM_GPUS": "0",
        "SM_NUM_CPUS": str(os.cpu_count() or 1),
        "SM_MODEL_DIR": str(base / "model"),
        "SM_OUTPUT_DIR": str(base / "output"),
        "SM_OUTPUT_DATA_DIR": str(base / "output" / "data"),
        "SM_INPUT_DIR": str(base / "input"),
        "SM_INPUT_CONFIG_DIR": str(base / "input" / "config"),
        "SM_CHANNELS": json.dumps(sorted(channels)),
        "SM_HPS": json.dumps(dict(parameters)),
        **{f"SM_CHANNEL_{_variable(name)}": str(folder) for name, folder in channels.items()},
        **{f"SM_HP_{_variable(name)}": value for name, value in parameters.items()},
    }


def torchrun_variables(*, rank: int, hosts: int, master: str, port: int) -> dict[str, str]:
    """The variables of the only process of a host. master: the first host's name or address."""
    return {
        "MASTER_ADDR": master,
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(hosts),
        "RANK": str(rank),
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        "OMP_NUM_THREADS": threads_of_each(hosts),
    }


def threads_of_each(hosts: int) -> str:
    """OMP_NUM_THREADS: each host gets its share of this machine's cores."""
    return str(max(1, (os.cpu_count() or 1) // hosts))


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")
