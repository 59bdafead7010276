"""What an endpoint's instances use, measured on real processes."""

import os
import sys
from pathlib import Path

import pytest

from rehearsal.cloud.sagemaker.instance_metrics import InstanceMetrics, use_of
from tests.cloud.hosted import ROLE, hosted

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")


@needs_proc
def test_the_use_of_a_process_group_grows_with_its_work() -> None:
    before = use_of(os.getpgrp())
    sum(number * number for number in range(3_000_000))
    after = use_of(os.getpgrp())

    assert before is not None
    assert after is not None
    assert after.processor_s > before.processor_s
    assert after.memory_bytes > 10_000_000


@needs_proc
def test_the_processors_use_is_known_from_the_second_measurement_on(tmp_path: Path) -> None:
    metrics = InstanceMetrics(tmp_path)
    first = [each["MetricName"] for each in metrics.measure([os.getpgrp()])]
    second = {each["MetricName"]: each["Value"] for each in metrics.measure([os.getpgrp()])}

    assert first == ["DiskUtilization", "MemoryUtilization"]
    assert set(second) == {"CPUUtilization", "DiskUtilization", "MemoryUtilization"}
    assert 0 < second["MemoryUtilization"] < 100


def test_a_group_without_processes_has_no_use() -> None:
    assert use_of(2**30) is None


@needs_proc
def test_an_endpoint_publishes_the_use_of_its_instances_as_the_models_role(tmp_path: Path) -> None:
    with hosted(tmp_path) as cloud:
        cloud.model("first")
        cloud.deployed("Dogs")
        cloud.serving.publish_metrics()
        ((namespace, data),) = cloud.world.published
        assert namespace == "/aws/sagemaker/Endpoints"
        assert data[0]["Dimensions"][0] == {"Name": "EndpointName", "Value": "Dogs"}
        assert (ROLE, "cloudwatch:PutMetricData") in cloud.world.calls

        cloud.world.denied.add("cloudwatch:PutMetricData")
        cloud.serving.publish_metrics()
        assert len(cloud.world.published) == 1
