"""Changes outside a deploy, made to real resources of moto: each is found, and put back it is found no longer."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ops.operate.account import Account as Credentials
from ops.operate.answers import Answers
from ops.operate.changed.declared import Change
from ops.operate.changed.look import READERS, changes
from ops.operate.deployed import Deployed
from tests.operate.deployment import FUNCTION_LOG, GOLDEN, REGION, Deployment, flat, kennel
from tests.preflight.account import ACCOUNT, RefusedCallError, denied

NAME, ROLE, GROUP, RULE, BUCKET = "kennel-api", "role", "logs", "rule", "kennel-storage-bucket"
TARGET = {
    "ServiceNamespace": "sagemaker",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    "ResourceId": "endpoint/dogs/variant/AllTraffic",
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
LOGS = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": {"Fn::GetAtt": ["Logs", "Arn"]}}
SECURE = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": {"Fn::Join": ["", [{"Fn::GetAtt": ["Bucket", "Arn"]}, "/*"]]},
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
TEMPLATE: dict[str, tuple[str, dict[str, Any]]] = {
    "Logs": ("AWS::Logs::LogGroup", {}),
    "Role": ("AWS::IAM::Role", {"AssumeRolePolicyDocument": TRUST}),
    "Policy": (
        "AWS::IAM::Policy",
        {
            "PolicyName": "Rights",
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [LOGS]},
            "Roles": [{"Ref": "Role"}],
        },
    ),
    "Bucket": ("AWS::S3::Bucket", {"VersioningConfiguration": {"Status": "Enabled"}}),
    "BucketPolicy": (
        "AWS::S3::BucketPolicy",
        {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": {"Version": "2012-10-17", "Statement": [SECURE]}},
    ),
    "Key": ("AWS::KMS::Key", {}),
    "Topic": ("AWS::SNS::Topic", {}),
    "Rule": ("AWS::Events::Rule", {"EventPattern": {"source": ["aws.sagemaker"]}}),
    "Target": ("AWS::ApplicationAutoScaling::ScalableTarget", {**TARGET, "MinCapacity": 1, "MaxCapacity": 3}),
    "Alarm": ("AWS::CloudWatch::Alarm", {"MetricName": "Errors", "Threshold": 0, "AlarmActions": [{"Ref": "Topic"}]}),
    "Queue": ("AWS::SQS::Queue", {}),
    "Parameter": ("AWS::SSM::Parameter", {"Type": "String", "Value": "code"}),
    "Repository": ("AWS::ECR::Repository", {}),
    "Schedule": ("AWS::Scheduler::Schedule", {"ScheduleExpression": "rate(1 minute)"}),
}


class Made:
    """The resources of TEMPLATE in the account, as kennel-api has deployed them."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.client = deployment.client
        document = json.dumps({"Version": "2012-10-17", "Statement": [self.resolved(LOGS)]})
        iam, s3 = self.client("iam"), self.client("s3")
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.put_role_policy(RoleName=ROLE, PolicyName="Rights", PolicyDocument=document)
        self.client("logs").create_log_group(logGroupName=GROUP)
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self.put_bucket_policy()
        self.key = self.client("kms").create_key()["KeyMetadata"]["KeyId"]
        self.topic = self.client("sns").create_topic(Name="alerts")["TopicArn"]
        self.client("events").put_rule(Name=RULE, EventPattern='{"source": ["aws.sagemaker"]}')
        self.client("application-autoscaling").register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=3)
        self.put_alarm()
        self.queue = self.client("sqs").create_queue(QueueName="dead-letters")["QueueUrl"]
        self.client("ssm").put_parameter(Name="parameter", Type="String", Value="code")
        self.client("ecr").create_repository(repositoryName="images")
        self.put_schedule("ENABLED")
        physical = {
            "Logs": GROUP,
            "Role": ROLE,
            "Policy": "policy",
            "Bucket": BUCKET,
            "BucketPolicy": f"{BUCKET}-policy",
            "Key": self.key,
            "Topic": self.topic,
            "Rule": RULE,
            "Target": "|".join(TARGET[key] for key in ("ResourceId", "ScalableDimension", "ServiceNamespace")),
            "Alarm": "alarm",
            "Queue": self.queue,
            "Parameter": "parameter",
            "Repository": "images",
            "Schedule": "schedule",
        }
        deployment.listed["api"] = [(key, TEMPLATE[key][0], physical[key]) for key in TEMPLATE]
        template = {"Resources": {key: {"Type": each[0], "Properties": each[1]} for key, each in TEMPLATE.items()}}
        self.template = template
        passed = deployment.account
        passed.answer("cloudformation.GetTemplate", lambda call: {"TemplateBody": json.dumps(self._of(call))})

    def _of(self, call: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.template if call["StackName"] == "kennel-api" else {"Resources": {}}

    @staticmethod
    def resolved(statement: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**statement, "Resource": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}:*"}

    def put_alarm(self) -> None:
        self.client("cloudwatch").put_metric_alarm(
            AlarmName="alarm",
            AlarmActions=[self.topic],
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=1,
            MetricName="Errors",
            Namespace="AWS/Lambda",
            Period=60,
            Statistic="Sum",
            Threshold=0,
        )

    def put_bucket_policy(self, *more: Mapping[str, Any]) -> None:
        secure = {**SECURE, "Resource": f"arn:aws:s3:::{BUCKET}/*"}
        policy = {"Version": "2012-10-17", "Statement": [secure, *more]}
        self.client("s3").put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))

    def put_schedule(self, state: str, *, change: bool = False) -> None:
        call = self.client("scheduler").update_schedule if change else self.client("scheduler").create_schedule
        target = {"Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:canary", "RoleArn": "arn:aws:iam::1:role/x"}
        call(
            Name="schedule",
            ScheduleExpression="rate(1 minute)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=target,
            State=state,
        )

    def scaling(self, **fields: Any) -> None:
        self.client("application-autoscaling").register_scalable_target(**TARGET, **fields)

    def looked(self) -> tuple[list[Change], tuple[str, ...]]:
        """What was changed, and what AWS did not say."""
        answers = Answers()
        found = changes(Deployed.of(Credentials.of("development")), answers)
        return found, answers.unknown


@pytest.fixture
def made(deployment: Deployment) -> Made:
    return Made(deployment)


DENY = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
QUARANTINE = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}'
BOUNDARY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
SUSPENDED = {"DynamicScalingOutSuspended": True}

FAULTS: dict[str, tuple[Callable[[Made], Any], str, str, str]] = {
    "a policy is gone": (
        lambda made: made.client("iam").delete_role_policy(RoleName=ROLE, PolicyName="Rights"),
        "role",
        "The inline policy Rights of the template is not in the account",
        "aws iam put-role-policy --role-name role --policy-name Rights --policy-document",
    ),
    "a policy that denies": (
        lambda made: made.client("iam").put_role_policy(
            RoleName=ROLE, PolicyName="Quarantine", PolicyDocument=QUARANTINE
        ),
        "role",
        "Quarantine is not in the template. It denies * on *",
        "aws iam delete-role-policy --role-name role --policy-name Quarantine",
    ),
    "a permissions boundary": (
        lambda made: made.client("iam").put_role_permissions_boundary(RoleName=ROLE, PermissionsBoundary=BOUNDARY),
        "role",
        f"its permissions boundary is {BOUNDARY}, and the template has none",
        "aws iam delete-role-permissions-boundary --role-name role",
    ),
    "a log group is gone": (
        lambda made: made.client("logs").delete_log_group(logGroupName=GROUP),
        "deleted",
        "The log group logs of kennel-api does not exist",
        "aws logs create-log-group --log-group-name logs",
    ),
    "versioning is off": (
        lambda made: made.client("s3").put_bucket_versioning(
            Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"}
        ),
        "changed",
        "its versioning is Suspended, and the template has Enabled",
        f"aws s3api put-bucket-versioning --bucket {BUCKET} --versioning-configuration Status=Enabled",
    ),
    "the bucket's policy denies": (
        lambda made: made.put_bucket_policy(DENY),
        "changed",
        "it denies s3:GetObject, which the template does not",
        f"aws s3api put-bucket-policy --bucket {BUCKET} --policy",
    ),
    "the bucket's policy is gone": (
        lambda made: made.client("s3").delete_bucket_policy(Bucket=BUCKET),
        "changed",
        "it does not exist",
        f"aws s3api put-bucket-policy --bucket {BUCKET} --policy",
    ),
    "a key is disabled": (
        lambda made: made.client("kms").disable_key(KeyId=made.key),
        "key",
        "is Disabled, so AWS refuses whatever is encrypted with it",
        "aws kms enable-key --key-id",
    ),
    "a key will be deleted": (
        lambda made: made.client("kms").schedule_key_deletion(KeyId=made.key),
        "key",
        "is PendingDeletion",
        "aws kms cancel-key-deletion --key-id",
    ),
    "the topic is gone": (
        lambda made: made.client("sns").delete_topic(TopicArn=made.topic),
        "alerts",
        "The topic alerts of kennel-api does not exist",
        "make deploy STACKS=Api ARGS=--revert-drift",
    ),
    "a rule is disabled": (
        lambda made: made.client("events").disable_rule(Name=RULE),
        "alerts",
        "its state is DISABLED, and the template has ENABLED",
        "aws events enable-rule --name rule",
    ),
    "scaling is suspended": (
        lambda made: made.scaling(SuspendedState=SUSPENDED),
        "scaling",
        "its scaling is suspended (DynamicScalingOutSuspended)",
        "aws application-autoscaling register-scalable-target",
    ),
    "the fleet may not grow": (
        lambda made: made.scaling(MinCapacity=1, MaxCapacity=1),
        "scaling",
        "its MaxCapacity is 1, and the template has 3",
        "--min-capacity 1 --max-capacity 3",
    ),
    "the fleet is not registered": (
        lambda made: made.client("application-autoscaling").deregister_scalable_target(**TARGET),
        "scaling",
        "is not registered for autoscaling",
        "--min-capacity 1 --max-capacity 3",
    ),
    "an alarm is silent": (
        lambda made: made.client("cloudwatch").disable_alarm_actions(AlarmNames=["alarm"]),
        "alerts",
        "its ActionsEnabled is False, and the template has True",
        "aws cloudwatch enable-alarm-actions --alarm-names alarm",
    ),
    "an alarm is gone": (
        lambda made: made.client("cloudwatch").delete_alarms(AlarmNames=["alarm"]),
        "alerts",
        "The alarm alarm of kennel-api does not exist",
        "make deploy STACKS=Api ARGS=--revert-drift",
    ),
    "the queue is gone": (
        lambda made: made.client("sqs").delete_queue(QueueUrl=made.queue),
        "alerts",
        "dead-letters of kennel-api does not exist",
        "make deploy STACKS=Api ARGS=--revert-drift",
    ),
    "a parameter is another one": (
        lambda made: made.client("ssm").put_parameter(Name="parameter", Value="old", Overwrite=True),
        "changed",
        "its value is old, and the template has code",
        "aws ssm put-parameter --overwrite --type String --name parameter --value code",
    ),
    "the images are gone": (
        lambda made: made.client("ecr").delete_repository(repositoryName="images"),
        "deleted",
        "The image repository images of kennel-api does not exist",
        "make deploy STACKS=Api ARGS=--revert-drift",
    ),
    "the canary is off": (
        lambda made: made.put_schedule("DISABLED", change=True),
        "alerts",
        "its state is DISABLED, and the template has ENABLED",
        "make deploy ARGS=--revert-drift",
    ),
}
"""What is done, and then the kind of the change, a part of its sentence, and of the command that puts it back."""
OTHER_FORM = ("the bucket's policy is gone", "a key will be deleted", "the fleet is not registered", "an alarm is gone")
"""What excludes another fault of the same resource."""


def test_what_is_as_it_was_deployed_is_no_change(made: Made) -> None:
    assert made.looked() == ([], ())


TOGETHER = [
    [each for each in FAULTS if each not in OTHER_FORM],
    [*OTHER_FORM],
]
"""Two groups, because a resource that is gone cannot also be changed. One account for each fault takes too long."""


@pytest.mark.parametrize("faults", TOGETHER, ids=["first", "other"])
def test_each_change_is_found_with_the_command_that_puts_it_back(made: Made, faults: list[str]) -> None:
    for fault in faults:
        FAULTS[fault][0](made)

    found, unknown = made.looked()

    assert (len(found), unknown) == (len(faults), ())
    for fault in faults:
        _, kind, said, put_back = FAULTS[fault]
        (change,) = [each for each in found if said in each.what and put_back in each.put_back]
        assert change.kind == kind, fault


def test_the_printed_policy_is_the_one_that_was_there(made: Made) -> None:
    iam = made.client("iam")
    before = iam.get_role_policy(RoleName=ROLE, PolicyName="Rights")["PolicyDocument"]
    iam.delete_role_policy(RoleName=ROLE, PolicyName="Rights")

    (found,), _ = made.looked()
    printed = found.put_back.partition("--policy-document ")[2].strip("'")
    iam.put_role_policy(RoleName=ROLE, PolicyName="Rights", PolicyDocument=printed)

    assert json.loads(printed) == before
    assert made.looked() == ([], ())


def test_a_subscription_that_is_not_confirmed_gets_no_alert(made: Made) -> None:
    pending = {"SubscriptionArn": "PendingConfirmation", "Protocol": "email", "Endpoint": "on@call.example"}
    made.deployment.account.answer("sns.ListSubscriptionsByTopic", {"Subscriptions": [pending]})

    (found,), _ = made.looked()

    assert found.what.startswith("The subscription of on@call.example to the alerts of kennel-api is not confirmed")
    assert f"--topic-arn {made.topic} --protocol email --notification-endpoint on@call.example" in found.put_back


def test_a_stack_that_is_being_changed_is_not_compared(made: Made) -> None:
    made.client("logs").delete_log_group(logGroupName=GROUP)
    made.deployment.failed("api", "UPDATE_IN_PROGRESS")

    assert made.looked() == ([], ())


def test_what_aws_refuses_to_say_is_said_once_and_the_rest_is_compared(made: Made) -> None:
    made.deployment.account.refuse("iam.GetRole", denied("iam:GetRole"))
    made.client("logs").delete_log_group(logGroupName=GROUP)

    (found,), (unknown,) = made.looked()

    assert "log group" in found.what
    assert "These credentials need iam:GetRole" in unknown


def function_lives(deployment: Deployment, *, concurrency: dict[str, int], **live: str) -> None:
    """The function of the template, with a reserved concurrency and what else Lambda says about it."""
    properties = json.loads((GOLDEN / "Api.json").read_text())["Resources"]["Function76856677"]["Properties"]
    configuration = {key: properties[key] for key in ("Timeout", "MemorySize", "Handler", "Runtime", "Environment")}
    role = f"arn:aws:iam::{ACCOUNT}:role/any"
    deployment.listed["api"] = [
        ("Function76856677", "AWS::Lambda::Function", NAME),
        ("FunctionRole111A5701", "AWS::Other::Role", "any"),
        ("Logs6819BB44", "AWS::Other::LogGroup", FUNCTION_LOG),
    ]
    deployment.account.answer(
        "lambda.GetFunctionConfiguration",
        {"FunctionName": NAME, "Role": role, "LoggingConfig": {"LogGroup": FUNCTION_LOG}, **configuration, **live},
    )
    deployment.account.answer("lambda.GetFunctionConcurrency", concurrency)


def test_a_concurrency_of_zero_is_the_first_failure_and_leads_to_its_entry(deployment: Deployment) -> None:
    function_lives(deployment, concurrency={"ReservedConcurrentExecutions": 0})
    deployment.ring()

    shown = flat(kennel("why").stdout)

    assert shown.startswith(
        "The function kennel-api of kennel-api was changed outside the deploy: its reserved concurrency is 0, so "
        "Lambda throttles every call; the template has none."
    )
    assert "Put back: aws lambda delete-function-concurrency --function-name kennel-api" in shown
    assert "docs/runbook.md#the-function-is-throttled" in shown
    assert "its reserved concurrency is 0" in flat(kennel("status").stdout)


@pytest.mark.parametrize(("state", "said"), [("Failed", True), ("Inactive", False), ("Pending", False)])
def test_a_function_that_lambda_has_put_to_rest_is_no_change(deployment: Deployment, state: str, said: bool) -> None:
    function_lives(deployment, concurrency={}, State=state)
    deployment.ring()

    assert ("Lambda cannot start it" in flat(kennel("why").stdout)) == said


def test_every_type_of_the_templates_that_a_reader_has_no_word_for_is_known() -> None:
    types = {
        each["Type"]
        for path in GOLDEN.parent.glob("*/*.json")
        for each in json.loads(path.read_text()).get("Resources", {}).values()
    }
    unread = types - set(READERS)

    assert unread == NOT_READ & types


NOT_READ = {
    "AWS::Budgets::Budget",  # ops/operate/signals.py
    "AWS::CloudWatch::Dashboard",
    "AWS::CodeBuild::Project",
    "AWS::EC2::FlowLog",
    "AWS::EC2::Instance",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::LaunchTemplate",
    "AWS::EC2::Route",
    "AWS::EC2::RouteTable",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::Subnet",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPC",
    "AWS::EC2::VPCEndpoint",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::ManagedPolicy",  # that it is attached is read with its role
    "AWS::IAM::OIDCProvider",
    "AWS::IAM::Policy",  # with its role
    "AWS::Lambda::Version",  # with its alias; nothing can change a version
    "AWS::S3::BucketPolicyStatus",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SSM::Document",
    "AWS::SageMaker::Endpoint",  # ops/operate/endpoint.py
    "AWS::SageMaker::NotebookInstance",  # ops/operate/signals.py
    "AWS::SageMaker::NotebookInstanceLifecycleConfig",
    "AWS::StepFunctions::StateMachine",
    "Custom::CDKContainerImageBuild",
    "Custom::EmptiedModelGroup",
    "Custom::EndpointCheck",
    "Custom::S3AutoDeleteObjects",
    "Custom::TrainingJob",
}
"""A new type of the templates gets a reader, or a line here."""


def test_a_refusal_that_is_no_permission_is_a_line_too(made: Made) -> None:
    made.deployment.account.refuse("kms.DescribeKey", RefusedCallError("InternalException", "Later.", 500))

    found, (unknown,) = made.looked()

    assert found == []
    assert "Later." in unknown
