"""The event rules of the monitoring stack, and where their notifications go."""

import json
import re

from stacks.settings import Settings
from tests.infra.conftest import Assembly, Synthesise
from tests.infra.monitoring import alarms, rules


def test_the_alarms_of_other_stacks_match_an_event_rule_by_name(development: Assembly) -> None:
    """Generated alarm names start with the stack's name; an alarm with an explicit name would not match."""
    rule = rules(development)["AlarmOfAnotherStack"]
    prefixes = [entry["prefix"] for entry in rule["EventPattern"]["detail"]["alarmName"]]
    for stack, logical_id, alarm in alarms(development):
        if stack != "Monitoring":
            assert "AlarmName" not in alarm, logical_id
            assert f"kennel-{stack.lower()}-" in prefixes, logical_id


def test_failed_trainings_and_rollbacks_notify_the_topic(development: Assembly) -> None:
    found = rules(development)
    assert found["TrainingFailed"]["EventPattern"]["detail"] == {
        "TrainingJobName": [{"prefix": "kennel-development-"}],
        "TrainingJobStatus": ["Failed", "Stopped"],
    }
    rolled_back = found["RolledBack"]["EventPattern"]["detail"]
    assert rolled_back["EndpointName"] == [Settings().serving.endpoint_name]
    assert "ROLLING_BACK" in rolled_back["EndpointStatus"]


def test_each_notification_is_one_json_string(development: Assembly) -> None:
    for rule in rules(development).values():
        (target,) = rule["Targets"]
        transformer = target["InputTransformer"]
        text = json.loads(transformer["InputTemplate"])
        assert set(re.findall("<([a-z]+)>", text)) == set(transformer["InputPathsMap"])


def test_undelivered_notifications_go_to_the_dead_letter_queue(development: Assembly, synthesise: Synthesise) -> None:
    """Both those of the event rules and those of the e-mail subscription."""
    assert development.only("AWS::SQS::Queue")["SqsManagedSseEnabled"] is True
    ((_, queue, _),) = development.resources("AWS::SQS::Queue")
    for rule in rules(development).values():
        assert rule["Targets"][0]["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": [queue, "Arn"]}
    mail = synthesise(("monitoring.email", "team@example.org")).only("AWS::SNS::Subscription")
    assert "DeadLetters" in str(mail["RedrivePolicy"])
    senders = [
        statement["Principal"]["Service"]
        for statement in development.only("AWS::SQS::QueuePolicy")["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    assert sorted(senders) == ["events.amazonaws.com", "sns.amazonaws.com"]
