"""An environment's file. Errors in it are refused, and so is a shell or CDK that names another deployment."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

import environments
from environments import Environment, EnvironmentRefusedError, load
from environments.agreement import check_cdk, check_shell, chosen
from environments.environment import DESIGNED_ENDPOINT, STACKS
from ops.session import session

ROOT = Path(environments.FOLDER).parent
PLACED = Environment(name="qa", account="123456789012", region="eu-west-1", profile="dogs")
AWS_VARIABLES = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AMAZON_REGION", "AWS_DEFAULT_REGION"),
    *("AMAZON_DEFAULT_REGION", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
)


def written(folder: Path, text: str, name: str = "qa") -> Path:
    (folder / f"{name}.toml").write_text(text)
    return folder


# -- the file


def test_the_two_environments_of_the_repository() -> None:
    development, production = load(), load("production")
    assert (development.prefix, production.prefix) == ("kennel", "kennel-production")
    assert not development.protection.termination
    assert not development.protection.keep_bucket
    assert production.protection.termination
    assert production.protection.keep_bucket


def test_the_designs_endpoint_is_named_in_one_place_of_the_code() -> None:
    """The others import it. Documents, generated files and tests may contain it."""
    listed = ["git", "grep", "--files-with-matches", "--fixed-strings", DESIGNED_ENDPOINT]
    elsewhere = (":!docs", ":!tests", ":!*.md", ":!environments/schema.json")
    found = subprocess.run([*listed, "--", *elsewhere], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert found.splitlines() == ["environments/environment.py"]


def test_an_empty_file_is_an_environment(tmp_path: Path) -> None:
    assert load("qa", written(tmp_path, "")) == Environment(name="qa")


def test_every_key_arrives(tmp_path: Path) -> None:
    text = """
        project = "shelter"
        account = "123456789012"
        region = "eu-west-1"
        profile = "dogs"
        [protection]
        termination = true
        keep_bucket = true
        [tags]
        team = "dogs"
        [settings.serving.scaling]
        max_instances = 5
    """
    assert load("qa", written(tmp_path, text)) == Environment(
        name="qa",
        project="shelter",
        account="123456789012",
        region="eu-west-1",
        profile="dogs",
        protection=environments.Protection(termination=True, keep_bucket=True),
        tags={"team": "dogs"},
        settings={"serving": {"scaling": {"max_instances": 5}}},
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('projekt = "dogs"', "There is no key 'projekt'. Did you mean project?"),
        ("protection = true", r"protection is True, but must be a table, \[protection\]"),
        ("[protection]\nterminaton = true", "no key 'protection.terminaton'. Did you mean protection.termination?"),
        ('[protection]\nkeep_bucket = "yes"', "protection.keep_bucket is 'yes', but must be true or false"),
        ("account = 123456789012", "account is 123456789012, but must be a text in quotes"),
        ('account = "1234"', "account is '1234', but must be an account number of 12 digits, or empty"),
        ('region = "Ireland"', "region is 'Ireland', but must be a region such as eu-west-1, or empty"),
        ('project = "dog-breeds"', "project is 'dog-breeds', but must be letters a-z and digits"),
        ('account = "12345678901\u0662"', "but must be an account number of 12 digits, or empty"),  # a digit of Arabic
        ('profile = "--debug"', "profile is '--debug', but must be a profile"),  # `make` would pass an option
        (
            'project = "abcdefghijklmnopqrs"',
            "'abcdefghijklmnopqrs', and of the environment, 'qa', have 21 characters together, but .* at most 20",
        ),
        ("[tags]\nteam = 5", "tags.team is 5, but must be a text in quotes"),
        ('[tags]\nproject = "x"', "tags.project is already set"),
        ('[tags]\nProject = "x"', "tags.Project is already set"),
        ('[tags]\nteam = "x"\nTeam = "x"', r"\[tags\] has 'team' and 'Team', but IAM ignores the case"),
        ('[tags]\n"aws:x" = "x"', r"\[tags\] has the key 'aws:x', but AWS reserves"),
        ('[tags]\n"AWS:x" = "x"', r"\[tags\] has the key 'AWS:x', but AWS reserves"),
        ('[tags]\n"" = "x"', r"\[tags\] has a key of 0 characters, '', but a key must have between 1 and 128"),
        (f'[tags]\n{"k" * 129} = "x"', r"\[tags\] has a key of 129 characters, 'k+', but .* between 1 and 128"),
        (f'[tags]\nteam = "{"v" * 257}"', r"tags\.team has 257 characters, but must have at most 256"),
        ('[tags]\nteam = "R&D"', r"has the value 'R&D', but AWS allows only letters.* Replace '&'"),
        ('[tags]\n"te*am" = "x"', r"has the key 'te\*am', but AWS allows only letters.* Replace '\*'"),
        ("[tags]\n" + "\n".join(f't{n} = "x"' for n in range(47)), r"\[tags\] has 47 tags, but must have at most 46"),
        ("project = ", "Invalid value"),
    ],
)
def test_an_error_in_the_file_is_refused_with_file_and_key(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(EnvironmentRefusedError, match=rf"^environments/qa\.toml: .*{sentence}"):
        load("qa", written(tmp_path, text))


def test_the_longest_tags_and_those_of_other_languages_are_accepted() -> None:
    tags = {"k" * 128: "v" * 256, "équipe 2": "犬 1/2 = a+b@c:d_e.f-g", "empty": ""}
    assert Environment(name="qa", tags=tags).tags == tags


@pytest.mark.parametrize("region", ["", "eu-west-1", "us-gov-west-1", "ap-southeast-7", "eusc-de-east-1"])
def test_a_region_of_each_partition_is_accepted(region: str) -> None:
    assert Environment(name="qa", region=region).region == region


@pytest.mark.parametrize("kind", [*STACKS, "classifier"])
def test_an_environment_cannot_have_a_reserved_name(kind: str) -> None:
    with pytest.raises(EnvironmentRefusedError, match="reserved for names of resources"):
        Environment(name=kind)


def test_an_unknown_environment_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentRefusedError, match=r"no environment 'prodution' .*Did you mean production\?"):
        load("prodution")
    with pytest.raises(EnvironmentRefusedError, match=r"no environment '\.\./x' .*The environments are qa\."):
        load("../x", written(tmp_path, ""))


# -- the shell and CDK


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"AWS_REGION": "us-east-1"},
            r"qa\.toml has the region 'eu-west-1', but AWS_REGION is 'us-east-1'",
        ),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, "but AWS_DEFAULT_REGION is 'us-east-1'"),
        ({"AWS_PROFILE": "cats"}, r"environments/qa\.toml has the profile 'dogs', but AWS_PROFILE is 'cats'"),
        ({"AWS_DEFAULT_PROFILE": "cats"}, "but AWS_DEFAULT_PROFILE is 'cats'"),
    ],
)
def test_a_shell_that_means_another_region_or_profile_is_refused(variables: Mapping[str, str], sentence: str) -> None:
    with pytest.raises(EnvironmentRefusedError, match=sentence):
        check_shell(PLACED, variables)
    check_shell(Environment(name="qa"), variables)


@pytest.mark.parametrize(
    ("environment", "variables", "sentence"),
    [
        (PLACED, {}, r"^environments/qa\.toml has the profile 'dogs', but AWS_ACCESS_KEY_ID is set too"),
        (PLACED, {"AWS_PROFILE": "dogs"}, "^AWS_PROFILE has the profile 'dogs', but AWS_ACCESS_KEY_ID is set too"),
        (Environment(name="qa"), {"AWS_DEFAULT_PROFILE": "cats"}, "^AWS_DEFAULT_PROFILE has the profile 'cats', but"),
    ],
)
def test_keys_beside_a_profile_are_refused(
    environment: Environment, variables: Mapping[str, str], sentence: str
) -> None:
    """The CDK command line deploys with the keys, and boto3 reads the photos with the profile."""
    with pytest.raises(EnvironmentRefusedError, match=sentence):
        check_shell(environment, {**variables, "AWS_ACCESS_KEY_ID": "AKIA"})
    check_shell(Environment(name="qa"), {"AWS_ACCESS_KEY_ID": "AKIA"})
    with pytest.raises(EnvironmentRefusedError, match="but AMAZON_ACCESS_KEY_ID is set too"):
        check_shell(environment, {**variables, "AMAZON_ACCESS_KEY_ID": "AKIA"})


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"AWS_REGION": "eu-west-1", "AWS_PROFILE": "dogs"},
        {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"},  # CDK and kennel read the first one alone
    ],
)
def test_a_shell_that_agrees_passes(variables: Mapping[str, str]) -> None:
    check_shell(PLACED, variables)


OF_CDK = {"CDK_DEFAULT_ACCOUNT": "123456789012", "CDK_DEFAULT_REGION": "eu-west-1", "AWS_PROFILE": "dogs"}


@pytest.mark.parametrize(
    ("change", "context", "sentence"),
    [
        (
            {"CDK_DEFAULT_ACCOUNT": "999999999999"},
            {},
            "account 123456789012, but the credentials belong to 999999999999",
        ),
        ({"AWS_PROFILE": ""}, {}, "has the profile 'dogs', but AWS_PROFILE is not set.*export AWS_PROFILE=dogs"),
        ({}, {"kennel.photos_account": "999999999999"}, "photos in the account 999999999999, but CDK .* 123456789012"),
        ({}, {"kennel.photos_environment": "development"}, "photos of the environment 'development', but CDK .* 'qa'"),
        ({}, {"kennel.photos_region": "us-east-1"}, "photos in the region us-east-1, but CDK deploys to eu-west-1"),
    ],
)
def test_a_cdk_that_means_another_deployment_is_refused(
    change: Mapping[str, str], context: Mapping[str, object], sentence: str
) -> None:
    with pytest.raises(EnvironmentRefusedError, match=sentence):
        check_cdk(PLACED, context, {**OF_CDK, **change})


def test_photos_of_another_profile_are_refused_where_the_file_is_open() -> None:
    """`make deploy ARGS='--profile other'` reaches CDK alone."""
    with pytest.raises(EnvironmentRefusedError, match="photos in the account 999999999999"):
        check_cdk(Environment(name="qa"), {"kennel.photos_account": "999999999999"}, OF_CDK)


def test_a_profile_without_an_account_is_refused_where_cdk_has_credentials() -> None:
    """`cdk deploy --profile cats` changes no variable: only the account shows that the profile is another one."""
    open_account = replace(PLACED, account="")
    with pytest.raises(EnvironmentRefusedError, match=r"profile 'dogs' and no account.*belong to 123456789012"):
        check_cdk(open_account, {}, OF_CDK)
    check_cdk(open_account, {}, {"AWS_PROFILE": "dogs"})  # synth, without credentials
    check_cdk(replace(open_account, profile=""), {}, OF_CDK)


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"AWS_REGION": "us-east-1"}, "region 'eu-west-1', but AWS_REGION is 'us-east-1'"),
        ({"AWS_PROFILE": "cats"}, "profile 'dogs', but AWS_PROFILE is 'cats'"),
        ({"AWS_ACCESS_KEY_ID": "AKIA"}, "but AWS_ACCESS_KEY_ID is set too"),
    ],
)
def test_cdk_is_compared_with_the_shell_too(variables: Mapping[str, str], sentence: str) -> None:
    with pytest.raises(EnvironmentRefusedError, match=sentence):
        check_cdk(PLACED, {}, {**OF_CDK, **variables})


@pytest.mark.parametrize(
    ("named", "variables", "name"),
    [
        (None, {}, "development"),
        ("qa", {}, "qa"),
        (None, {"KENNEL_ENV": "qa"}, "qa"),
        ("qa", {"KENNEL_ENV": "qa"}, "qa"),
        (None, {"ENV": "qa"}, "development"),
    ],
)
def test_an_environment_is_named_on_the_command_line_or_in_the_shell(
    named: str | None, variables: Mapping[str, str], name: str
) -> None:
    assert chosen(named, variables) == name


@pytest.mark.parametrize(
    ("named", "variables", "sentence"),
    [
        ("production", {"KENNEL_ENV": "qa"}, "names the environment 'production', but KENNEL_ENV is 'qa'"),
        ("", {}, "name on the command line is ''"),
        ("", {"KENNEL_ENV": "qa"}, "name on the command line is ''"),
        (None, {"KENNEL_ENV": ""}, "name in KENNEL_ENV is ''"),
    ],
)
def test_two_names_and_empty_names_are_refused(named: str | None, variables: Mapping[str, str], sentence: str) -> None:
    with pytest.raises(EnvironmentRefusedError, match=sentence):
        chosen(named, variables)


def test_a_cdk_that_agrees_passes() -> None:
    context = {"kennel.photos_account": "123456789012", "kennel.photos_region": "eu-west-1"}
    check_cdk(PLACED, context, OF_CDK)
    check_cdk(PLACED, context, {**OF_CDK, "CDK_DEFAULT_REGION": "us-east-1"})  # the file's region is what counts
    check_cdk(PLACED, {}, {})  # synth, without credentials


# -- what kennel and make take from it


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Two profiles, of which the default one has a region, and no other AWS variable."""
    for name in AWS_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "config"
    config.write_text("[default]\nregion = eu-north-1\n[profile dogs]\n[profile cats]\nregion = eu-south-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


def at(monkeypatch: pytest.MonkeyPatch, environment: Environment) -> boto3.Session:
    monkeypatch.setattr(environments, "load", lambda _: environment)
    return session(environment.name)


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "us-west-2"}, "eu-central-1"),
        ({"AMAZON_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "us-west-2"}, "eu-central-1"),
        ({"AWS_DEFAULT_REGION": "us-west-2", "AWS_PROFILE": "cats"}, "us-west-2"),
        ({"AWS_PROFILE": "cats"}, "eu-south-1"),
        ({"AWS_PROFILE": "cats", "AWS_DEFAULT_PROFILE": "dogs"}, "eu-south-1"),
        ({"AWS_PROFILE": "dogs"}, "eu-north-1"),  # has none: the default profile's
        ({"AWS_CONFIG_FILE": os.devnull}, "us-east-1"),
    ],
)
def test_an_open_region_is_the_one_that_cdks_command_line_takes(
    shell: pytest.MonkeyPatch, variables: Mapping[str, str], region: str
) -> None:
    for name, value in variables.items():
        shell.setenv(name, value)
    assert at(shell, Environment(name="qa")).region_name == region


class _InstanceMetadata(BaseHTTPRequestHandler):
    """The service that tells an EC2 instance where it is."""

    def do_PUT(self) -> None:
        self._respond("token")

    def do_GET(self) -> None:
        self._respond("sa-east-1b")

    def _respond(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


def test_on_an_ec2_instance_an_open_region_is_the_instances(shell: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _InstanceMetadata) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        shell.setenv("AWS_CONFIG_FILE", os.devnull)
        shell.setenv("AWS_EC2_METADATA_DISABLED", "false")
        shell.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
        assert at(shell, Environment(name="qa")).region_name == "sa-east-1"
        server.shutdown()


def test_a_session_has_the_files_region_and_profile(shell: pytest.MonkeyPatch) -> None:
    opened = at(shell, replace(PLACED, account=""))
    assert (opened.region_name, opened.profile_name) == ("eu-west-1", "dogs")


def test_credentials_of_another_account_are_refused(shell: pytest.MonkeyPatch) -> None:
    shell.setenv("AWS_ACCESS_KEY_ID", "testing")
    shell.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():  # its account is 123456789012
        assert at(shell, replace(PLACED, profile=""))
        with pytest.raises(EnvironmentRefusedError, match="999999999999, but the credentials belong to 123456789012"):
            at(shell, replace(PLACED, profile="", account="999999999999"))


def test_make_reads_the_profile_and_stops_at_a_refusal(tmp_path: Path) -> None:
    def profile(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "environments", name]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (profile("development").returncode, profile("development").stdout) == (0, "\n")
    refused = profile("stagin")
    assert refused.returncode == 1
    assert refused.stderr.startswith("kennel: There is no environment 'stagin'")
    assert len(refused.stderr.splitlines()) == 1


READ_BY_CDK = ("-m environments production", "-c kennel.environment=production", "KENNEL_ENV=production")
READ_BY_BOTH = (*READ_BY_CDK, "kennel --env production data version --cdk-options")
VERBS = {
    **dict.fromkeys(("bootstrap", "cdk", "synth", "destroy"), READ_BY_CDK),
    **dict.fromkeys(("diff", "watch"), READ_BY_BOTH),
    "deploy": ("kennel --env production deploy",),
    "preflight": ("kennel --env production preflight",),
    "cost": ("kennel --env production cost",),
    "drift": ("kennel --env production drift",),
    "audit-roles": ("kennel --env production audit",),
    "weights-upload": ("kennel --env production weights upload",),
    "ami": ("-m ops.ami --env production",),
}


def commands_of(verb: str, *words: str, **variables: str) -> str:
    """The commands that `make verb` would run, without quotes and in one line."""
    stamps = (
        "node_modules/.installed",
        *(f".venv/.installed-{group}" for group in ("synth", "deploy", "check", "roles", "weights", "rehearse")),
    )
    old = [word for stamp in stamps for word in ("--old-file", stamp)]  # nothing is installed
    command = ["make", "--dry-run", *old, verb, *words]
    shell = {**os.environ, **variables}
    printed = subprocess.run(command, cwd=ROOT, env=shell, capture_output=True, text=True, check=True).stdout
    return " ".join(printed.replace("'", "").split())


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("words", "variables"),
    [(("ENV=production",), {}), ((), {"KENNEL_ENV": "production"}), ((), {"KENNEL_ENV": "production", "ENV": "dev"})],
    ids=["command line", "KENNEL_ENV", "KENNEL_ENV beside ENV in the shell"],
)
def test_each_verb_of_make_means_the_named_environment(
    verb: str, words: tuple[str, ...], variables: dict[str, str]
) -> None:
    printed = commands_of(verb, *words, **variables)
    assert [part for part in VERBS[verb] if part not in printed] == []
    assert "development" not in printed


@pytest.mark.parametrize("verb", VERBS)
def test_make_does_not_read_env_from_the_shell(verb: str) -> None:
    """cdk and kennel would not read it, and mean the default environment."""
    printed = commands_of(verb, ENV="production")
    assert "development" in printed
    assert "production" not in printed


@pytest.mark.parametrize("verb", [verb for verb, read in VERBS.items() if read in (READ_BY_CDK, READ_BY_BOTH)])
def test_a_name_in_args_comes_after_makes_own(verb: str) -> None:
    """CDK takes the last one, so the app sees it, and KENNEL_ENV differs from it."""
    printed = commands_of(verb, "ARGS=destroy --all -c kennel.environment=production")
    assert "export KENNEL_ENV=development;" in printed
    assert printed.rindex("kennel.environment=production") > printed.rindex("kennel.environment=development")


def test_an_empty_name_ends_make_with_a_sentence() -> None:
    empty = subprocess.run([sys.executable, "-m", "environments", ""], cwd=ROOT, capture_output=True, text=True)
    assert (
        "-m environments ''"
        in subprocess.run(
            ["make", "--dry-run", "--old-file", "node_modules/.installed", "destroy", "ENV="],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
    assert empty.returncode == 1
    assert empty.stderr.startswith("kennel: The environment's name on the command line is ''")
