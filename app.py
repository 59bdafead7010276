"""The CDK app: settings in, stacks out. No boto3, no look-ups, no clock but for one warning."""

import sys
from datetime import date

import aws_cdk as cdk

from stacks.api.stack import ALIAS, ApiStack
from stacks.monitoring.stack import MonitoringStack
from stacks.overrides import load
from stacks.serving.stack import VARIANT, ServingStack
from stacks.settings import Settings, SettingsError
from stacks.storage.stack import StorageStack
from stacks.training.stack import TrainingStack
from stacks.workbench.stack import WorkbenchStack


def build(app: cdk.App, settings: Settings) -> None:
    """Every stack, in the order of their data: photos, artifact, endpoint, api."""
    name = settings.project.name
    shared = {
        "env": cdk.Environment(region=settings.project.region or None),
        "termination_protection": settings.project.termination_protection,
    }
    storage = StorageStack(app, "Storage", stack_name=f"{name}-storage", settings=settings.storage, **shared)
    training = TrainingStack(
        app,
        "Training",
        stack_name=f"{name}-training",
        name_prefix=name,
        storage=storage.access,
        telemetry=storage.telemetry,
        settings=settings.training,
        **shared,
    )
    serving = ServingStack(
        app,
        "Serving",
        stack_name=f"{name}-serving",
        artifact=training.artifact,
        storage=storage.access,
        telemetry=storage.telemetry,
        settings=settings.serving,
        **shared,
    )
    api = ApiStack(
        app,
        "Api",
        stack_name=f"{name}-api",
        endpoint_name=settings.serving.endpoint_name,
        telemetry=storage.telemetry,
        settings=settings.api,
        **shared,
    )
    workbench = WorkbenchStack(
        app,
        "Workbench",
        stack_name=f"{name}-workbench",
        storage=storage.access,
        endpoint_name=settings.serving.endpoint_name,
        settings=settings.workbench,
        **shared,
    )
    MonitoringStack(
        app,
        "Monitoring",
        stack_name=f"{name}-monitoring",
        function_name=api.function_name,
        alias=ALIAS,
        variant_name=VARIANT,
        telemetry=storage.telemetry,
        watched_stacks=[stack.stack_name for stack in (training, serving, api, workbench)],
        settings=settings,
        **shared,
    )
    cdk.Tags.of(app).add("project", name)


def warnings(settings: Settings, today: date) -> list[str]:
    """What a deploy of these settings should know."""
    training = settings.training
    if not training.model_data and today > training.image_end_of_patch:
        return [
            f"AWS stopped patching the training image {training.image_tag} on {training.image_end_of_patch}; "
            "name a newer one with training.image_tag and training.image_end_of_patch."
        ]
    return []


def main() -> None:
    app = cdk.App()
    try:
        settings = load(app.node.get_all_context())
        build(app, settings)
    except SettingsError as error:
        sys.exit(f"kennel: {error}")
    for warning in warnings(settings, date.today()):
        print(f"kennel: warning: {warning}", file=sys.stderr)
    app.synth()


if __name__ == "__main__":
    main()
