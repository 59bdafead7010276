"""How long CloudFormation waits for a custom resource that gives no response."""

import threading
from pathlib import Path

import pytest

from rehearsal.cloud.silence import Response
from tests.cloud.engine_process import run_in_engine

PROGRAM = """
import threading
from pathlib import Path
from ministack.services import stepfunctions
from ministack.services.cloudformation import custom_resource
from rehearsal.cloud import silence
from rehearsal.cloud.engine import Ministack
Ministack("http://127.0.0.1:1", Path())
def response():
    found = custom_resource.register_token("a")
    return silence.Response(found.arrived, found.works, silence_s=0.1)
stepfunctions._executions["provider"] = {"status": "RUNNING"}
threading.Timer(0.5, lambda: custom_resource.deliver_response("a", {"Status": "SUCCESS"})).start()
print(response().wait(3600))
stepfunctions._executions["provider"] = {"status": "FAILED"}
try:
    response().wait(3600)
except TimeoutError as error:
    print(error)
"""


def test_a_custom_resource_is_waited_for_while_its_provider_works() -> None:
    arrived, looks = threading.Event(), []

    def works() -> bool:
        looks.append(1)
        if len(looks) == 5:  # far more than `silence_s` has passed
            arrived.set()
        return True

    assert Response(arrived, works, silence_s=0.01).wait(3600)


def test_a_custom_resource_is_given_up_when_nothing_works_on_it() -> None:
    with pytest.raises(TimeoutError, match=r"no response for 0\.01 seconds in which no state machine ran"):
        Response(threading.Event(), lambda: False, silence_s=0.01).wait(3600)


def test_a_custom_resource_gets_no_more_than_its_own_timeout() -> None:
    assert not Response(threading.Event(), lambda: True, silence_s=300).wait(0.01)


def test_a_state_machine_that_runs_is_work(tmp_path: Path) -> None:
    found = run_in_engine(PROGRAM, tmp_path)

    first, second = found.stdout.splitlines()
    assert first == "True", found.stderr
    assert second.startswith("The custom resource gave no response for 0.1 seconds")
