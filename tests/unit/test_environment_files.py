"""Environments whose files are beside each other: one file is no obstacle to another, and no endpoint is shared."""

from pathlib import Path

import pytest

from environments import Environment, EnvironmentRefusedError, load, names
from stacks.settings import Settings, SettingsError
from stacks.settings.parse import load as settings_of

MISSION = "pytorch-dog-classifier-multi-instance"


def written(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


def settings(name: str, folder: Path) -> Settings:
    return settings_of(load(name, folder), {}, folder)


def lock_of_emacs(folder: Path) -> None:
    (folder / ".#production.toml").symlink_to("user@host.1234:1700000000")


def metadata_of_macos(folder: Path) -> None:
    (folder / "._production.toml").write_bytes(b"\x00\x05\x16\x07\xff")


def folder_with_the_suffix(folder: Path) -> None:
    (folder / "x.toml").mkdir()


def other_name(folder: Path) -> None:
    (folder / "qa-eu.toml").write_text('[settings.serving]\nendpoint_name = "kennel-qa-classifier"')


@pytest.mark.parametrize("leave", [lock_of_emacs, metadata_of_macos, folder_with_the_suffix, other_name])
def test_a_file_that_is_no_environment_is_ignored(leave: object, tmp_path: Path) -> None:
    assert callable(leave)
    leave(written(tmp_path, qa=""))
    assert names(tmp_path) == ["qa"]
    assert settings("qa", tmp_path).serving.endpoint_name == "kennel-qa-classifier"


@pytest.mark.parametrize(
    "text",
    ["[settings]\nserving = 5", "settings = 5", "projekt = 1", "project = ", 'project = "a-b"', "account = 5", "\0"],
)
def test_an_error_in_one_file_stops_only_that_environment(text: str, tmp_path: Path) -> None:
    written(tmp_path, qa="", broken=text)
    assert settings("qa", tmp_path).serving.endpoint_name == "kennel-qa-classifier"
    with pytest.raises((EnvironmentRefusedError, SettingsError), match=r"^environments/broken\.toml: "):
        settings("broken", tmp_path)


def test_a_file_that_is_not_utf8_stops_only_that_environment(tmp_path: Path) -> None:
    written(tmp_path, qa="")
    (tmp_path / "broken.toml").write_bytes(b'project = "\xff"')
    assert settings("qa", tmp_path)
    with pytest.raises(EnvironmentRefusedError, match=r"^environments/broken\.toml: "):
        settings("broken", tmp_path)


def test_a_chosen_file_with_an_impossible_name_is_refused_by_its_name(tmp_path: Path) -> None:
    other_name(written(tmp_path, qa=""))
    with pytest.raises(EnvironmentRefusedError, match=r"qa-eu\.toml: .*'qa-eu', but must be letters.* Rename the file"):
        load("qa-eu", tmp_path)


def test_a_chosen_folder_is_refused(tmp_path: Path) -> None:
    folder_with_the_suffix(written(tmp_path, qa=""))
    with pytest.raises(EnvironmentRefusedError, match=r"environments/x\.toml is not a regular file"):
        load("x", tmp_path)


@pytest.mark.parametrize("setting", ["[settings.serving]\nendpoint_name = ", "settings.serving.endpoint_name = "])
def test_the_endpoint_that_another_file_names_is_refused(setting: str, tmp_path: Path) -> None:
    written(tmp_path, qa=f'{setting}"dogs"', prod=f'{setting}"dogs"', dev=f'{setting}"kennel-test-classifier"', test="")
    with pytest.raises(SettingsError, match=r"endpoint_name is 'dogs'.*environment 'prod'.*'kennel-qa-classifier'"):
        settings("qa", tmp_path)
    with pytest.raises(SettingsError, match=r"'kennel-test-classifier'.*environment 'dev'"):
        settings("test", tmp_path)


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ('account = "111111111111"', 'account = "222222222222"', False),
        ('region = "eu-west-1"', 'region = "eu-west-2"', False),
        ('account = "111111111111"', "", True),
        ('account = "111111111111"', 'account = "111111111111"', True),
        ('account = "111111111111"\nregion = "eu-west-1"', 'account = "111111111111"', True),
        ('account = "111111111111"\nregion = "eu-west-1"', 'account = "222222222222"\nregion = "eu-west-1"', False),
    ],
)
def test_endpoints_in_different_accounts_or_regions_may_have_one_name(
    one: str, other: str, shared: bool, tmp_path: Path
) -> None:
    written(tmp_path, development=other, production=f'{one}\n[settings.serving]\nendpoint_name = "{MISSION}"')
    if shared:
        with pytest.raises(SettingsError, match=f"{MISSION}.*set account or region in both files"):
            settings("production", tmp_path)
    else:
        assert settings("production", tmp_path).serving.endpoint_name == MISSION


@pytest.mark.parametrize(
    "text",
    [
        '[settings]\n"serving.endpoint_name" = "dogs"',
        '[settings.serving]\n"scaling.max_instances" = 2',
        '[settings."serving.scaling"]\nmax_instances = 2',
    ],
)
def test_a_dot_within_quotes_is_refused(text: str, tmp_path: Path) -> None:
    """The same setting would have two keys, of which other readers see only one."""
    with pytest.raises(SettingsError, match=r"^environments/qa\.toml: the key '.*\..*' has a dot in quotes"):
        settings("qa", written(tmp_path, qa=text))


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["no mark", "byte order mark"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_a_file_of_another_system_is_read(mark: bytes, end: bytes, tmp_path: Path) -> None:
    text = mark + end.join([b'project = "shelter"', b"[settings.serving]", b'endpoint_name = "dogs"', b""])
    (tmp_path / "qa.toml").write_bytes(text)
    assert load("qa", tmp_path) == Environment(
        name="qa", project="shelter", settings={"serving": {"endpoint_name": "dogs"}}
    )
    with pytest.raises(SettingsError, match="environment 'qa'"):
        settings("prod", written(tmp_path, prod='[settings.serving]\nendpoint_name = "dogs"'))


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n", "\ufeff"])
def test_an_empty_file_is_an_environment_with_the_defaults(text: str, tmp_path: Path) -> None:
    assert load("qa", written(tmp_path, qa=text)) == Environment(name="qa")
