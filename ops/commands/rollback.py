"""`kennel rollback`: serve an earlier version of the model."""

import json
import sys
from typing import Annotated

import typer

from ops.commands.options import Env
from ops.echo import echo


def rollback(
    context: typer.Context,
    version: Annotated[int, typer.Argument(help="The number of the version, as `kennel models` prints it.")],
    unguarded: Annotated[
        bool,
        typer.Option("--unguarded", help="Without the alarms that would end the update, because they fire already."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: for CI.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON, and the progress on stderr.")
    ] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Serve an earlier version of the model, by the same guarded update of the endpoint as a deploy.

    The image that serves now serves it. The next deploy of the Serving stack brings its own model back, unless a
    setting names this one: the command prints it.

    Exit status 0 if the endpoint serves the version, also if it did before; 1 if nothing was changed, or if SageMaker
    rolled the update back.

    Example: [bold]kennel rollback 3[/bold]
    """
    import environments
    from ops.models.errors import ModelsError
    from ops.models.rollback import Rollback
    from ops.models.serving import serving
    from ops.models.versions import version as described
    from ops.question import answered_yes
    from ops.session import session
    from ops.views.steps import Steps, terminal
    from stacks.settings.parse import load

    environment = environments.load(context.obj)
    name = load(environment, {}).serving.endpoint_name
    aws = session(context.obj)
    sagemaker = aws.client("sagemaker")
    chosen = described(sagemaker, environment.job_prefix, version)
    before = serving(sagemaker, name)
    if before is None:
        raise ModelsError(f"There is no endpoint {name}, so it serves nothing. Deploy it: make deploy")
    result = {
        "endpoint": name,
        "version": version,
        "model_data": chosen.artifact,
        "changed": before.artifact != chosen.artifact,
        "to_make_it_last": {"file": environment.file, "setting": "training.model_data", "value": chosen.artifact},
    }
    if result["changed"]:
        change = Rollback(
            sagemaker=sagemaker,
            version=chosen,
            before=before,
            group=environment.job_prefix,
            tags={**environment.tags, "project": environment.project},
            guarded=not unguarded,
        )
        change.check(aws.client("s3"), aws.client("cloudwatch"))
        if not yes:
            if not sys.stdin.isatty():
                raise ModelsError("There is no terminal to ask in, so nothing was changed. Ask nothing: --yes")
            accuracy = "unknown" if chosen.accuracy is None else f"{chosen.accuracy:.4f}"
            if not answered_yes(f"Serve version {version} (accuracy {accuracy}) on the endpoint {name}? [y/N] "):
                raise ModelsError("Nothing was changed.")
        with Steps(terminal(stderr=as_json), total=1).step(
            f"Update the endpoint {name} to version {version}"
        ) as report:
            change.run(report)
    if as_json:
        echo(json.dumps(result, indent=2))
        return
    if not result["changed"]:
        echo(f"The endpoint {name} serves version {version} already. Nothing was changed.")
        return
    echo(f"The endpoint {name} serves version {version}.")
    echo(
        f"The next deploy of the Serving stack replaces it. To make it last, write in {environment.file}\n"
        f'  [settings.training]\n  model_data = "{chosen.artifact}"\n'
        "and deploy. As long as this line is there, a deploy trains nothing."
    )
