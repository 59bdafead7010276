"""The names of the engine that are used."""

import importlib
import inspect
import re

VERSION = "1.5.33"

SEAMS = (
    "app.main",
    "app.pin_request_origin",
    "app.SERVICE_HANDLERS",
    "app.SERVICE_HANDLERS[cloudformation]",
    "app.SERVICE_HANDLERS[lambda]",
    "core.iam_actions.access_denied_response",
    "core.iam_actions.extract_iam_action",
    "core.iam_actions.extract_resource_arn",
    "core.iam_actions.identity_denial_message",
    "core.iam_actions.request_tag_context",
    "core.iam_actions.SERVICE_TO_IAM_NAMESPACE",
    "core.iam_evaluator.AuthError",
    "core.iam_evaluator.enforce",
    "core.iam_evaluator.EvalContext",
    "core.iam_evaluator.evaluate_resource_policy",
    "core.iam_evaluator.evaluate_trust_policy",
    "core.iam_evaluator.is_root_access_key",
    "core.iam_evaluator.PrincipalInfo",
    "core.iam_evaluator.resolve_principal",
    "core.iam_evaluator._resource_policy",
    "core.iam_evaluator._service_principal_matches",
    "core.lambda_runtime.invalidate_worker",
    "core.lambda_runtime.subprocess",
    "core.node_pool.subprocess",
    "core.responses.get_account_id",
    "core.responses.get_region",
    "core.router.extract_access_key_id",
    "core.router.SERVICE_PATTERNS",
    "services.apigateway._invoke_lambda_proxy",
    "services.cloudformation.changesets._evaluate_conditions",
    "services.cloudformation.custom_resource._pending",
    "services.cloudformation.custom_resource.deliver_response",
    "services.cloudformation.custom_resource.register_token",
    "services.cloudformation.engine._evaluate_conditions",
    "services.cloudformation.handlers._evaluate_conditions",
    "services.cloudformation.provisioners._lambda_function_for_cfn_ref",
    "services.cloudformation.provisioners._REPLACING_PROPERTIES",
    "services.cloudformation.provisioners._RESOURCE_HANDLERS",
    "services.cloudformation.provisioners._RESOURCE_HANDLERS[AWS::Lambda::Alias][create]",
    "services.cloudformation.provisioners._RESOURCE_HANDLERS[AWS::Lambda::Alias][delete]",
    "services.cloudformation.provisioners._RESOURCE_HANDLERS[AWS::Lambda::Alias][update]",
    "services.cloudformation.provisioners._RESOURCE_HANDLERS[AWS::Lambda::Function][create]",
    "services.cloudformation.provisioners._RESOURCE_HANDLERS[AWS::Lambda::Function][delete]",
    "services.cloudformation.provisioners._RESOURCE_HANDLERS[AWS::Lambda::Function][update]",
    "services.cloudformation.provisioners._RESOURCE_HANDLERS[AWS::Lambda::Version][delete]",
    "services.cloudformation.provisioners._RESOURCE_HANDLERS[AWS::S3::Bucket][create]",
    "services.cloudformation.stacks._delete_resource",
    "services.cloudformation.stacks._evaluate_conditions",
    "services.cloudformation.stacks._provision_resource",
    "services.cloudformation.stacks._runs_on_worker_thread",
    "services.cloudformation.stacks._update_resource",
    "services.cloudwatch._alarms",
    "services.cloudwatch._dims_key",
    "services.cloudwatch._dispatch_alarm_actions",
    "services.cloudwatch._evaluate_alarm",
    "services.cloudwatch._evict_old_metrics",
    "services.cloudwatch._metrics",
    "services.cloudwatch._resource_tags",
    "services.cloudwatch_logs._log_groups",
    "services.codebuild._builds",
    "services.codebuild.handle_request",
    "services.codebuild._projects",
    "services.ec2._tags",
    "services.eventbridge._invoke_target",
    "services.eventbridge._parse_rate_seconds",
    "services.eventbridge._put_events",
    "services.iam._IAM_HANDLERS",
    "services.iam._IAM_HANDLERS[GetAccessKeyLastUsed]",
    "services.iam._IAM_HANDLERS[GetServiceLastAccessedDetails]",
    "services.iam._lookup_policy",
    "services.iam._p",
    "services.iam._role_xml",
    "services.iam._roles",
    "services.iam._sla_jobs",
    "services.lambda_svc._execute_function_with_config_scope",
    "services.lambda_svc._delete_provisioned_concurrency",
    "services.lambda_svc._effective_func_record_for_qualifier",
    "services.lambda_svc._emit_lambda_logs",
    "services.lambda_svc._emit_lambda_metrics",
    "services.lambda_svc._execute_function_dispatch",
    "services.lambda_svc._functions",
    "services.lambda_svc.invalidate_worker",
    "services.lambda_svc._invoke",
    "services.lambda_svc._put_provisioned_concurrency",
    "services.lambda_svc._reserved_concurrency",
    "services.lambda_svc._route_async_failure",
    "services.lambda_svc.subprocess",
    "services.lambda_svc._update_alias",
    "services.lambda_svc._xray_trace_id_for_invocation",
    "services.s3._bucket_tags",
    "services.scheduler._SCHEDULE_TICK_INTERVAL",
    "services.sns._deliver_to_lambda",
    "services.sns._topic_by_arn_any_scope",
    "services.ssm._PUBLIC_AMI_PARAMETERS",
    "services.stepfunctions._call_lambda",
    "services.stepfunctions._ExecutionError",
    "services.stepfunctions._executions",
    "services.stepfunctions._find_matching_retrier",
    "services.stepfunctions._run_execution",
    "services.stepfunctions._SFN_WAIT_SCALE",
    "services.stepfunctions._state_machines",
    "services.sts.register_session",
    "services.tagging._COLLECTORS",
    "services.tagging._matches_type_filters",
)
"""Each name of the engine that this package uses, below `ministack`. `[key]` is an entry of a dictionary."""


def signatures() -> dict[str, str]:
    """The parameters of each seam that is called, the type of each that is not, "missing" for one that is gone."""
    return {name: _signature(name) for name in SEAMS}


def _signature(name: str) -> str:
    module, _, attribute = name.partition("[")[0].rpartition(".")
    try:
        found = getattr(importlib.import_module(f"ministack.{module}"), attribute)
        for key in re.findall(r"\[(.+?)\]", name):
            found = found[key]
    except (ImportError, AttributeError, KeyError):
        return "missing"
    if not callable(found):
        return type(found).__name__
    signature = inspect.signature(found)  # without annotations, which Python's releases print differently
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))
