"""What the serving container contains, and what it must not contain."""

import ast
import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from inference.cores import usable_cores

FOLDER = Path(__file__).parents[2] / "inference"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()

IMPORTED = """
import json, sys
import inference.server.lifetime, inference.server.main
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def instruction(name: str) -> list[str]:
    lines = DOCKERFILE.replace("\\\n", " ").splitlines()
    return [line.removeprefix(name).strip() for line in lines if line.startswith(f"{name} ")]


def test_the_server_imports_no_aws_no_torch_and_nothing_else_from_this_repository() -> None:
    ran = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    modules = set(json.loads(ran.stdout))
    assert {"inference", "openvino", "uvicorn"} <= modules
    assert not modules & {"torch", "torchvision", "boto3", "botocore", "onnx", "scipy", "pandas"}
    assert not modules & {"training", "lambda_fn", "ops", "stacks", "rehearsal", "tests"}


BEFORE_THE_DROP = """
import json, os, sys
before = set(sys.modules)
import inference.server.main
names = {name.partition(".")[0] for name in set(sys.modules) - before if sys.modules[name]}
print(json.dumps([sorted(names - sys.stdlib_module_names), len(os.listdir("/proc/self/task"))]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists a process's threads in /proc")
def test_what_runs_as_root_imports_no_package_and_starts_no_thread() -> None:
    ran = subprocess.run([sys.executable, "-c", BEFORE_THE_DROP], capture_output=True, check=True)
    assert json.loads(ran.stdout) == [["inference"], 1]


def test_everything_that_it_imports_is_in_its_requirements() -> None:
    imported = set()
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    foreign = {name for name in imported - set(sys.stdlib_module_names) - {"inference"} if find_spec(name)}
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (FOLDER / "requirements.txt").read_text(), re.MULTILINE))

    assert {name.lower().replace("pil", "pillow") for name in foreign} <= pinned
    assert not pinned & {"boto3", "torch", "onnx", "uvicorn-standard"}


def test_each_requirement_is_pinned_with_hashes() -> None:
    requirements = (FOLDER / "requirements.txt").read_text().replace("\\\n", " ").splitlines()
    assert requirements
    for line in requirements:
        assert re.match(r"^[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line), line


def test_the_image_installs_wheels_with_checked_hashes_and_no_compiler() -> None:
    (install, *_) = instruction("RUN")
    assert "--require-hashes" in install
    assert "--only-binary=:all:" in install
    assert not re.search(r"apt|gcc|build-essential|curl|wget", DOCKERFILE)


def test_the_image_starts_as_root_and_serves_as_a_user_without_a_home() -> None:
    """SageMaker expects root. tests/security/test_root_drop.py runs this command as root."""
    assert instruction("USER") == []
    (entrypoint,) = map(json.loads, instruction("ENTRYPOINT"))
    user = entrypoint[entrypoint.index("--user") + 1]
    assert user != "0"
    assert re.search(rf"useradd --uid {user} --no-create-home --shell /usr/sbin/nologin", DOCKERFILE)


def test_the_image_accepts_sagemakers_command() -> None:
    (entrypoint,) = map(json.loads, instruction("ENTRYPOINT"))
    assert entrypoint[:3] == ["python", "-m", "inference.server"]
    assert entrypoint[3:5] == ["--host", "0.0.0.0"]  # noqa: S104 - SageMaker reaches the container from outside it
    assert list(map(json.loads, instruction("CMD"))) == [["serve"]]
    assert find_spec(entrypoint[2])
    assert instruction("EXPOSE") == ["8080"]


def test_the_whole_package_is_copied_into_the_image() -> None:
    copied = instruction("COPY")
    assert "*.py /opt/kennel/inference/" in copied
    assert instruction("WORKDIR") == ["/opt/kennel"]
    context = (FOLDER / ".dockerignore").read_text().splitlines()
    for folder in {path.parent.relative_to(FOLDER) for path in FOLDER.rglob("*.py") if path.parent != FOLDER}:
        assert f"{folder} /opt/kennel/inference/{folder}/" in copied
        assert f"!{folder}/*.py" in context
        for page in (FOLDER / folder).glob("*.html"):
            assert f"!{folder}/{page.name}" in context


def test_cores_are_those_that_the_process_may_use() -> None:
    one = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); from inference import cores; "
    ran = subprocess.run([sys.executable, "-c", one + "print(cores.usable_cores())"], capture_output=True, check=True)
    assert ran.stdout.split() == [b"1"]
    assert usable_cores() >= 1
