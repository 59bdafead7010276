"""Synthesises each variant of the app once: jsii takes seconds."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import boto3
import pytest
from aws_cdk.assertions import Template
from moto import mock_aws

import environments
from app import build
from environments import Environment
from stacks.settings import Settings
from stacks.settings.parse import load
from tests.infra.deployment import Deployment
from tests.infra.events import BUCKET, PHOTOS
from tests.infra.fake_sagemaker import FakeSageMaker

ROOT = Path(__file__).resolve().parents[2]
DEVELOPMENT = environments.load()
FLAGS: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]

Synthesise = Callable[..., "Assembly"]


def load_settings(context: Mapping[str, object]) -> Settings:
    """The settings of the environment `development` with these overrides."""
    return load(DEVELOPMENT, context)


class Assembly:
    """What `cdk synth` writes: a template for each stack."""

    root = ROOT

    def __init__(self, folder: Path, app: cdk.App) -> None:
        self.folder = folder
        self.app = app
        self.names = [path.name.removesuffix(".template.json") for path in sorted(folder.glob("*.template.json"))]

    def raw(self, stack: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / f"{stack}.template.json").read_text())
        return found

    @cache  # noqa: B019  # lives as long as the session does
    def template(self, stack: str) -> Template:
        return Template.from_json(self.raw(stack))

    def resources(self, type: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Stack, logical id and resource, for each resource of a type; `*` for every type."""
        for stack in self.names:
            for logical_id, resource in self.raw(stack).get("Resources", {}).items():
                if type in ("*", resource["Type"]):
                    yield stack, logical_id, resource

    def only(self, type: str) -> dict[str, Any]:
        """The properties of the one resource of a type."""
        (found,) = [resource for _, _, resource in self.resources(type)]
        properties: dict[str, Any] = found["Properties"]
        return properties


@pytest.fixture(scope="session")
def synthesise(tmp_path_factory: pytest.TempPathFactory) -> Synthesise:
    """The app as `-c` overrides make it: `synthesise(("api.memory_mib", 256), environment=...)`."""
    done: dict[str, Assembly] = {}

    def run(*overrides: tuple[str, object], environment: Environment = DEVELOPMENT) -> Assembly:
        key = repr((environment, overrides))
        if key not in done:
            folder = tmp_path_factory.mktemp("cdk.out")
            context = {**FLAGS, **dict(overrides)}
            app = cdk.App(context=context, outdir=str(folder))
            build(app, environment, load(environment, context))
            app.synth()
            done[key] = Assembly(folder, app)
        return done[key]

    return run


@pytest.fixture(scope="session")
def development(synthesise: Synthesise) -> Assembly:
    """Every default."""
    return synthesise()


@pytest.fixture(scope="session")
def production(synthesise: Synthesise) -> Assembly:
    return synthesise(environment=environments.load("production"))


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("s3", region_name="us-east-1")


@pytest.fixture
def deployment(s3: Any) -> Iterator[Deployment]:
    s3.create_bucket(Bucket=BUCKET)
    deployment = Deployment(FakeSageMaker(s3), s3)
    deployment.upload(*PHOTOS.values())
    yield deployment
    deployment.delete_bucket()
