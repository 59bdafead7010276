"""The image that is deployed is small, has no tools, and responds exactly as the process does."""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.processes import Child, ProcessGroup
from tests.builders import LABELS, write_artifact
from tests.contract.server_process import listening
from tests.patience import PATIENCE_S
from tests.security.container_image import BASE, CONTEXT, IMAGE, MISSING, Images, programs, run, size
from tests.security.send_all import responses

MAX_MEGABYTES = 250
USER = 10001

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (apt install buildah debootstrap)"),
    pytest.mark.skipif(os.geteuid() != 0, reason="debootstrap and chroot need root"),
]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    images = Images(tmp_path_factory.mktemp("images"))
    images.make_base()
    images.build()
    return images


@pytest.fixture(scope="module")
def base(images: Images) -> Path:
    return images.mount(BASE)


@pytest.fixture(scope="module")
def root(images: Images) -> Path:
    return images.mount(IMAGE)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifact")
    for parent in (folder, *folder.parents):
        if parent.name.startswith("pytest"):
            parent.chmod(0o755)  # the container has another user
    return write_artifact(folder / "model", size=64)


@pytest.fixture(scope="module")
def container(images: Images, root: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """The image's command, started as root, on a read-only file system, in a separate network namespace."""
    image = images.configuration()
    environment = dict(entry.split("=", 1) for entry in image["Env"])
    launcher = [sys.executable, str(Path(__file__).with_name("locked_down.py")), "--root", str(root)]
    launcher += ["--bind", str(model), "/opt/ml/model", "--folder", image["WorkingDir"]]
    with ProcessGroup(tmp_path_factory.mktemp("container")) as group:
        child = group.start("container", [*launcher, *image["Entrypoint"], *image["Cmd"]], env=environment)
        group.wait_until(lambda: '"ready"' in child.log.read_text(), what="the model", timeout_s=PATIENCE_S)
        yield child
        assert child.exit_code() is None
        assert "Traceback" not in child.log.read_text()


def test_it_is_small(base: Path, root: Path) -> None:
    added = (size(root) - size(base)) / 1e6
    print(f"the image is {added:.0f} MB over its base of {size(base) / 1e6:.0f} MB")
    assert added < MAX_MEGABYTES


def test_it_adds_no_compiler_and_no_tool(base: Path, root: Path) -> None:
    added = programs(root) - programs(base)
    print(f"programs that it adds: {', '.join(sorted(added)) or 'none'}")
    assert not added & {"cc", "gcc", "g++", "make", "ld", "as", "curl", "wget", "nc", "ssh", "git", "busybox"}
    for name in added:  # the packages' programs are Python scripts
        (path,) = [path for folder in ("usr/local/bin", "usr/bin") if (path := root / folder / name).exists()]
        assert path.read_bytes().startswith(b"#!"), path


def test_it_installs_exactly_the_pinned_packages(root: Path) -> None:
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (CONTEXT / "requirements.txt").read_text(), re.MULTILINE))
    command = ["chroot", str(root), "python", "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    installed = {entry["name"].lower().replace("_", "-"): entry["version"] for entry in json.loads(run(*command))}
    extra = set(installed) - set(pinned) - {"pip"}
    assert not extra
    assert {name: pinned[name] for name in installed if name != "pip"} == {
        name: version for name, version in installed.items() if name != "pip"
    }


def test_its_user_owns_no_file_and_can_gain_no_permission(images: Images, base: Path, root: Path) -> None:
    image = images.configuration()
    assert not image.get("User")  # SageMaker expects root; docs/decisions/0073
    assert image["Entrypoint"][-2:] == ["--user", str(USER)]
    (entry,) = [line for line in (root / "etc/passwd").read_text().splitlines() if line.split(":")[2] == str(USER)]
    assert entry.endswith("/nologin")

    def rights(of: Path) -> set[Path]:
        found = set()
        for folder, _, names in os.walk(of):
            for path in (Path(folder) / file for file in names):
                mode = path.lstat().st_mode
                if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                    found.add(path.relative_to(of))
                assert path.lstat().st_uid != USER, path
        return found

    assert rights(root) <= rights(base)


def test_it_contains_nothing_of_the_machine_that_built_it(root: Path) -> None:
    assert not (root / "etc/pip.conf").exists() or not (root / "etc/pip.conf").read_text()
    assert not list(root.glob("root/.cache/pip"))
    assert not list(root.glob("tmp/*"))
    assert sorted(path.name for path in (root / "opt/kennel/inference").glob("*.py")) == sorted(
        path.name for path in CONTEXT.glob("*.py")
    )


def test_it_responds_as_the_process_does(container: Child, model: Path, tmp_path: Path) -> None:
    enter = ["nsenter", "--target", str(container.pid), "--net", "--"]
    ran = subprocess.run(
        [*enter, sys.executable, "-m", "tests.security.send_all", "8080"], capture_output=True, text=True, check=True
    )
    found = json.loads(ran.stdout)
    with listening(model, tmp_path) as process:
        process.wait_until_ready()
        expected = json.loads(json.dumps(responses(process.port)))

    print(f"{len(found)} responses, of which {sum(status == 200 for status, _ in found.values())} are 200")
    assert found["ping"][0] == 200
    assert [found[f"{breed}.JPEG"][1]["predictions"][0]["breed"] for breed in LABELS] == list(LABELS)
    assert found == expected


def test_it_has_given_up_root_and_every_capability(container: Child) -> None:
    status = Path(f"/proc/{container.pid}/status").read_text()
    assert f"Uid:\t{USER}\t{USER}\t{USER}\t{USER}" in status
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
