"""The CDK app: builds the stacks of one environment, without calls to AWS."""

import json
import os
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path

try:
    import aws_cdk as cdk
except ModuleNotFoundError:
    sys.exit(
        f"kennel: {sys.executable} has no package aws_cdk; run `make setup` once, then `source .venv/bin/activate` in "
        "this shell, and the same command again."
    )
from constructs import Construct

import environments
from contract.text import indented
from contract.utf8_mode import start_in_utf8_mode
from environments import Environment, EnvironmentRefusedError
from environments.agreement import check_cdk, chosen
from stacks.api.stack import ALIAS, ApiStack
from stacks.budget.stack import BudgetStack
from stacks.delivery.stack import DeliveryStack
from stacks.monitoring.stack import MonitoringStack
from stacks.serving.stack import VARIANT, ServingStack
from stacks.settings import Settings, SettingsError
from stacks.settings.context import ENVIRONMENT
from stacks.settings.parse import load
from stacks.storage.stack import StorageStack
from stacks.training.stack import TrainingStack
from stacks.workbench.stack import WorkbenchStack

FOLDER = Path(__file__).resolve().parent
PRICED_REGION = "us-east-1"
"""The prices of a warning, where the environment names no region."""


class FlagsMissingError(Exception):
    """The context has not the feature flags of cdk.json. The message is one sentence for the user."""


def build(scope: Construct, environment: Environment, settings: Settings) -> None:
    """Build every stack of one environment, in the order in which they are deployed.

    Alerts and the budget come before everything that can bill, then photos, artifact, endpoint and API, and the
    workbench last: CDK stops at the first stack that fails, and no other stack waits for this one.

    scope: the app, or a stage if one app contains several environments.
    """
    tags = {**environment.tags, "project": environment.project}
    shared = {
        "env": cdk.Environment(account=environment.account or None, region=environment.region or None),
        # Those of the stack itself. CloudFormation also gives them to each resource that it can tag.
        "tags": tags,
        "termination_protection": environment.protection.termination,
    }
    monitoring = MonitoringStack(
        scope,
        "Monitoring",
        stack_name=environment.stack("monitoring"),
        dashboard_prefix=environment.prefix,
        job_prefix=environment.job_prefix,
        function_name=environment.function_name,
        alias=ALIAS,
        variant_name=VARIANT,
        watched_stacks=[environment.stack(kind) for kind in ("training", "serving", "api", "workbench")],
        serving=settings.serving,
        api=settings.api,
        settings=settings.monitoring,
        **shared,
    )
    budget = BudgetStack(
        scope,
        "Budget",
        stack_name=environment.stack("budget"),
        limit_usd=settings.monitoring.monthly_budget_usd,
        alerts=monitoring.alerts,
        **shared,
    )
    storage = StorageStack(
        scope,
        "Storage",
        stack_name=environment.stack("storage"),
        keep_bucket=environment.protection.keep_bucket,
        settings=settings.storage,
        **shared,
    )
    training = TrainingStack(
        scope,
        "Training",
        stack_name=environment.stack("training"),
        job_prefix=environment.job_prefix,
        job_tags=tags,
        endpoint_name=settings.serving.endpoint_name,
        storage=storage.access,
        telemetry=monitoring.telemetry,
        settings=settings.training,
        **shared,
    )
    serving = ServingStack(
        scope,
        "Serving",
        stack_name=environment.stack("serving"),
        job_prefix=environment.job_prefix,
        job_tags=tags,
        artifact=training.artifact,
        storage=storage.access,
        telemetry=monitoring.telemetry,
        callers_wait_s=settings.callers_wait_s,
        drift=settings.monitoring.drift,
        settings=settings.serving,
        **shared,
    )
    api = ApiStack(
        scope,
        "Api",
        stack_name=environment.stack("api"),
        function_name=environment.function_name,
        endpoint_name=settings.serving.endpoint_name,
        storage=storage.access,
        telemetry=monitoring.telemetry,
        settings=settings.api,
        **shared,
    )
    workbench = WorkbenchStack(
        scope,
        "Workbench",
        stack_name=environment.stack("workbench"),
        storage=storage.access,
        endpoint_name=settings.serving.endpoint_name,
        settings=settings.workbench,
        **shared,
    )
    if settings.delivery.repository:
        # It bills nothing and uses no other stack: the roles that deploy the others come before them.
        DeliveryStack(
            scope,
            "Delivery",
            stack_name=environment.stack("delivery"),
            github_environment=environment.name,
            settings=settings.delivery,
            **shared,
        )
    storage.add_stack_dependency(budget, reason="what bills comes after the budget")
    for stack in (training, serving, api):
        stack.add_stack_dependency(storage, reason="what bills comes after the budget")
    for stack in (training, serving, api):
        workbench.add_stack_dependency(stack, reason="a workbench that fails must cost nothing else")
    for key, value in tags.items():
        cdk.Tags.of(scope).add(key, value)


def check_flags(context: Mapping[str, object]) -> None:
    """Compare the context with the feature flags of cdk.json, which change templates.

    Raises FlagsMissingError. CDK reads the cdk.json of the folder in which it is started, and no other.
    """
    flags = json.loads((FOLDER / "cdk.json").read_text(encoding="utf-8"))["context"]
    missing = [flag for flag in flags if flag not in context]
    if missing:
        raise FlagsMissingError(
            f"The CDK context has no {missing[0]}, which {FOLDER / 'cdk.json'} sets, so the templates would be others; "
            f"run cdk in {FOLDER}."
        )


def warnings(settings: Settings, today: date) -> list[str]:
    """Warnings for the person who deploys these settings. `today` is a parameter, so that a test can set the date."""
    training = settings.training
    found = []
    if not training.model_data and today > training.image_end_of_patch:
        found.append(
            f"AWS stopped patching the training image {training.image_tag} on {training.image_end_of_patch}; "
            "name a newer one with training.image_tag and training.image_end_of_patch."
        )
    found += [
        f"api.allowed_url_hosts contains {entry}, below which anyone can have a host, so callers choose what the "
        f"function fetches. List the hosts that you use, such as photos{entry}."
        for entry in settings.api.shared_url_hosts
    ]
    return found


def download_warning(settings: Settings, context: Mapping[str, object]) -> list[str]:
    """The warning for a deploy whose training hosts download their weights.

    `kennel data version --cdk-options` names the weights that the bucket has, beside keys of the context that only it
    writes: a synthesis offline, which cannot know, warns of nothing.
    """
    training = settings.training
    if training.model_data or training.pretrained_uri or "kennel.photos_environment" not in context:
        return []
    return [
        "training.pretrained_uri is empty, so each training host downloads ImageNet's weights while it is billed. Send "
        "them to the bucket once, and every deploy takes them from there: make weights-upload"
    ]


def open_warning(settings: Settings, templates: Path, region: str) -> list[str]:
    """The warning for an HTTP API that everyone on the internet may call: the price of the worst month.

    templates: the folder of the synthesised stacks. region: empty where the credentials choose it.
    """
    api = settings.api
    if not api.is_open:
        return []
    # imported here, because every other synthesis does without the price tables
    from ops.cost import CostError, estimate

    which = region or PRICED_REGION
    try:
        worst = estimate(templates, which).usd("worst")
        price = f"A month at that rate costs up to {worst:,.0f} US dollars in {which}, with everything else at worst"
    except CostError as error:
        price = f"Its price is not known: {error}"
    return [
        f"Anyone on the internet may call the HTTP API, {api.http_requests_per_s} requests a second together "
        f"(api.http_requests_per_s). {price}; the budget warns and stops nothing. `make cost` has the rest."
    ]


def main() -> None:
    app = cdk.App()
    context = app.node.get_all_context()
    try:
        check_flags(context)
        named = str(context[ENVIRONMENT]) if ENVIRONMENT in context else None
        environment = environments.load(chosen(named, os.environ))
        check_cdk(environment, context, os.environ)
        settings = load(environment, context)
        build(app, environment, settings)
    except (EnvironmentRefusedError, FlagsMissingError, SettingsError) as error:
        sys.exit(f"kennel: {indented(error)}")
    for warning in [*warnings(settings, date.today()), *download_warning(settings, context)]:
        print(f"kennel: warning: {indented(warning)}", file=sys.stderr)
    assembly = app.synth()
    for warning in open_warning(settings, Path(assembly.directory), environment.region):
        print(f"kennel: warning: {indented(warning)}", file=sys.stderr)


if __name__ == "__main__":
    start_in_utf8_mode()
    main()
