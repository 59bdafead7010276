"""What SageMaker writes into /opt/ml/input/config of each host.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal.hosts.network import Host, Network

Json = dict[str, Any]
GROUP = "homogeneousCluster"
FILE_CHANNEL: Json = {
    "TrainingInputMode": "File",
    "S3DistributionType": "FullyReplicated",
    "RecordWrapperType": "None",
}
"""What inputdataconfig.json says of a channel whose files all hosts have."""


def resource_config(hosts: Sequence[Host], host: Host, network: Network, instance_type: str = "local") -> Json:
    """resourceconfig.json: the names of all hosts, the host's own, and the interface between them."""
    names = [network.name(each) for each in hosts]
    # The toolkit starts torchrun only if the current group is among the groups.
    group = {"instance_group_name": GROUP, "instance_type": instance_type, "hosts": names}
    return {
        "current_host": network.name(host),
        "current_instance_type": instance_type,
        "current_group_name": GROUP,
        "hosts": names,
        "instance_groups": [group],
        "network_interface_name": network.interface,
    }


def write_configuration(
    host: Host, *, resources: Json, channels: Mapping[str, Json], hyperparameters: Mapping[str, str]
) -> None:
    """Write the files. channels: by name, as in inputdataconfig.json (FILE_CHANNEL)."""
    for file, content in (
        ("resourceconfig.json", resources),
        ("inputdataconfig.json", dict(channels)),
        ("hyperparameters.json", dict(hyperparameters)),
    ):
        (host.config / file).write_text(json.dumps(content))
