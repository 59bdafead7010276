"""The names of the engine that are used."""

import inspect
from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator, lambda_runtime, responses, router
from ministack.services import codebuild, iam, s3, sts
from ministack.services.cloudformation import custom_resource, provisioners, stacks

VERSION = "1.5.33"


def seams() -> dict[str, Any]:
    """Each name of the engine that this module uses."""
    return {
        "app.AUTH": app.AUTH,
        "app.main": app.main,
        "app.pin_request_origin": app.pin_request_origin,
        "app.SERVICE_HANDLERS": app.SERVICE_HANDLERS,
        "core.iam_actions.SERVICE_TO_IAM_NAMESPACE": iam_actions.SERVICE_TO_IAM_NAMESPACE,
        "core.iam_actions.extract_iam_action": iam_actions.extract_iam_action,
        "core.iam_actions.extract_resource_arn": iam_actions.extract_resource_arn,
        "core.iam_evaluator.EvalContext": iam_evaluator.EvalContext,
        "core.iam_evaluator.enforce": iam_evaluator.enforce,
        "core.iam_evaluator.evaluate": iam_evaluator.evaluate,
        "core.iam_evaluator.parse_policy_document": iam_evaluator.parse_policy_document,
        "core.iam_evaluator.resolve_principal": iam_evaluator.resolve_principal,
        "core.lambda_runtime._worker_class_for": lambda_runtime._worker_class_for,
        "core.responses.get_account_id": responses.get_account_id,
        "core.responses.get_region": responses.get_region,
        "core.router.SERVICE_PATTERNS": router.SERVICE_PATTERNS,
        "core.router.extract_access_key_id": router.extract_access_key_id,
        "services.cloudformation.custom_resource.invoke_custom_resource": custom_resource.invoke_custom_resource,
        "services.cloudformation.provisioners._RESOURCE_HANDLERS": provisioners._RESOURCE_HANDLERS,
        "services.cloudformation.stacks._runs_on_worker_thread": stacks._runs_on_worker_thread,
        "services.codebuild.handle_request": codebuild.handle_request,
        "services.iam._roles": iam._roles,
        "services.s3._bucket_tags": s3._bucket_tags,
        "services.sts.register_session": sts.register_session,
    }


def signatures() -> dict[str, str]:
    """The signature of each seam that is called, the type of each that is not."""
    found = seams()
    return {
        name: str(inspect.signature(seam)) if callable(seam) else type(seam).__name__ for name, seam in found.items()
    }
