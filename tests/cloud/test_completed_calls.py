"""The ARNs and condition keys by which calls to CloudWatch and its logs are decided."""

import json
from pathlib import Path

from tests.cloud.engine_process import run_in_engine

PROGRAM = """
import json, cbor2
from rehearsal.cloud.engine.completed_calls import log_arn, metric_namespace
group = "arn:aws:logs:us-east-1:000000000000:log-group:dogs"
print(json.dumps([
    metric_namespace(cbor2.dumps({"Namespace": "cbor"}), {}),
    metric_namespace(json.dumps({"Namespace": "json"}).encode(), {}),
    metric_namespace(b"Action=PutMetricData&Namespace=query", {"Namespace": ["query"]}),
    metric_namespace(b"", {}),
    log_arn(group, b'{"logGroupName": "dogs"}'),
    log_arn(group, b'{"logGroupName": "dogs", "logStreamName": "rex"}'),
    log_arn("*", b"{}"),
]))
"""


def test_a_call_has_the_namespace_and_the_log_arn_that_aws_uses(tmp_path: Path) -> None:
    group = "arn:aws:logs:us-east-1:000000000000:log-group:dogs:log-stream:"
    found = run_in_engine(PROGRAM, tmp_path)

    assert json.loads(found.stdout) == ["cbor", "json", "query", "", group, f"{group}rex", "*"], found.stderr
