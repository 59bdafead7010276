"""The GPU host, the notebook and their network."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.infra.conftest import Assembly, Synthesise


def test_the_host_is_a_g4dn_xlarge_of_the_deep_learning_ami(development: Assembly) -> None:
    assert development.only("AWS::EC2::Instance")["InstanceType"] == "g4dn.xlarge"
    image = development.only("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["ImageId"]
    assert image.startswith("resolve:ssm:/aws/service/deeplearning/ami/x86_64/")


def test_a_deploy_does_not_change_the_hosts_image_by_itself(development: Assembly) -> None:
    """Each deploy would resolve a template parameter or a dynamic reference again, and could replace the host."""
    template = development.raw("Workbench")
    assert list(template["Parameters"]) == ["BootstrapVersion"]
    assert "{{resolve:" not in str(template)
    assert "ImageId" not in development.only("AWS::EC2::Instance")


def test_an_image_can_be_pinned_by_its_id(synthesise: Synthesise) -> None:
    assembly = synthesise(("workbench.host_image", "ami-0123456789abcdef0"))
    template = assembly.only("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    assert template["ImageId"] == "ami-0123456789abcdef0"


def test_new_code_does_not_change_the_host(development: Assembly) -> None:
    """A changed S3 URI of the code in the user data would restart the host."""
    assert ".gz" not in str(development.only("AWS::EC2::Instance"))
    addresses = [
        parameter["Properties"]["Value"]["Fn::Sub"] for _, _, parameter in development.resources("AWS::SSM::Parameter")
    ]
    assert [address for address in addresses if address.endswith(".gz")]


def test_there_is_no_inbound_rule_and_no_key_pair(development: Assembly) -> None:
    assert "SecurityGroupIngress" not in development.only("AWS::EC2::SecurityGroup")
    assert list(development.resources("AWS::EC2::SecurityGroupIngress")) == []
    assert "KeyName" not in development.only("AWS::EC2::Instance")


def test_the_network_has_no_nat_gateway(development: Assembly) -> None:
    assert list(development.resources("AWS::EC2::NatGateway")) == []


def test_the_metadata_service_requires_a_token(development: Assembly) -> None:
    assert development.only("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpPutResponseHopLimit": 1,
        "HttpTokens": "required",
    }


def test_the_hosts_volume_is_encrypted_and_deleted_with_it(development: Assembly) -> None:
    (device,) = development.only("AWS::EC2::Instance")["BlockDeviceMappings"]
    assert device["Ebs"] == {"DeleteOnTermination": True, "Encrypted": True, "VolumeSize": 125, "VolumeType": "gp3"}


def test_the_host_stops_itself_after_an_hour_of_idling(development: Assembly) -> None:
    (alarm,) = [
        alarm["Properties"]
        for _, _, alarm in development.resources("AWS::CloudWatch::Alarm")
        if alarm["Properties"]["MetricName"] == "CPUUtilization"
    ]
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["Threshold"]) == (300, 12, 5)
    assert alarm["AlarmActions"][0]["Fn::Join"][1][-1] == ":ec2:stop"


def test_a_session_is_a_login_shell_of_the_user_who_owns_the_code(development: Assembly) -> None:
    inputs = development.only("AWS::SSM::Document")["Content"]["inputs"]
    assert (inputs["runAsEnabled"], inputs["runAsDefaultUser"]) == (True, "ubuntu")
    assert "bash -l" in inputs["shellProfile"]["linux"]


def test_the_notebook_is_a_g4dn_xlarge_without_root(development: Assembly) -> None:
    notebook = development.only("AWS::SageMaker::NotebookInstance")
    assert (notebook["InstanceType"], notebook["RootAccess"]) == ("ml.g4dn.xlarge", "Disabled")
    assert notebook["InstanceMetadataServiceConfiguration"] == {"MinimumInstanceMetadataServiceVersion": "2"}


BOTH_OFF = (("workbench.host", "false"), ("workbench.notebook", "false"))
INSTANCES = {"AWS::EC2::Instance": "host", "AWS::SageMaker::NotebookInstance": "notebook"}


@pytest.mark.parametrize("kind", INSTANCES)
def test_host_and_notebook_can_each_be_left_out(synthesise: Synthesise, kind: str) -> None:
    (other,) = INSTANCES.keys() - {kind}
    assembly = synthesise((f"workbench.{INSTANCES[other]}", "false"))
    assert [len(list(assembly.resources(kind))), len(list(assembly.resources(other)))] == [1, 0]
    assert len(list(assembly.resources("AWS::EC2::VPC"))) == 1


def test_without_host_and_notebook_no_network_and_nothing_else_is_left(synthesise: Synthesise) -> None:
    assembly = synthesise(*BOTH_OFF)
    kinds = {resource["Type"] for _, _, resource in assembly.resources("*")}
    assert not {kind for kind in kinds if kind.startswith("AWS::EC2::")}
    # CloudFormation refuses a template without a resource, and a handle is free
    left = [resource["Type"] for resource in assembly.raw("Workbench")["Resources"].values()]
    assert left == ["AWS::CloudFormation::WaitConditionHandle"]


def test_a_deploy_without_host_and_notebook_deletes_those_of_an_earlier_one(synthesise: Synthesise) -> None:
    """Only a stack that is still in the app is updated by `cdk deploy --all`, and deleted by `cdk destroy --all`."""
    off = synthesise(*BOTH_OFF)
    manifest = json.loads((off.folder / "manifest.json").read_text())["artifacts"]
    assert manifest["Workbench"]["properties"]["stackName"] == "kennel-workbench"


def user_data(assembly: Assembly, **values: str) -> str:
    """The host's user data, after CloudFormation's substitution."""
    script, names = assembly.only("AWS::EC2::Instance")["UserData"]["Fn::Base64"]["Fn::Sub"]
    for name in names:
        script = script.replace(f"${{{name}}}", values[name])
    return str(script)


VALUES = {
    "Region": "eu-west-1",
    "CodeParameter": "code",
    "DataUri": "s3://bucket/data/",
    "ResultsUri": "s3://bucket/training/workbench/",
    "User": "ubuntu",
    "Python": sys.executable,
}


def test_the_hosts_user_data_is_valid_bash(development: Assembly) -> None:
    script = user_data(development, **VALUES)
    assert "${" not in script
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def any_wheel(folder: Path, name: str) -> Path:
    """A wheel of version 1.0 with one empty module."""
    folder.mkdir()
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return wheel


def kennel_code(assembly: Assembly, folder: Path, archive: Path) -> subprocess.CompletedProcess[str]:
    """Runs the command from the user data in folder/home. A fake `aws` returns the archive, pip finds packages in
    folder/wheels alone, and this Python stands in for the image's."""
    command = user_data(assembly, **VALUES).split("kennel-code <<'SCRIPT'\n")[1].split("SCRIPT\n")[0]
    fake_aws = folder / "bin" / "aws"
    fake_aws.parent.mkdir()
    fake_aws.write_text(f'#!/bin/bash\ncase "$1" in ssm) echo s3://assets/code;; s3) cat "{archive}";; esac\n')
    fake_aws.chmod(0o755)
    home = folder / "home"
    home.mkdir()
    wheels = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder / "wheels")}
    env = {"HOME": str(home), "PATH": f"{fake_aws.parent}:{os.environ['PATH']}", **wheels}
    return subprocess.run(["bash", "-c", command], env=env, capture_output=True, text=True, check=False)


def test_kennel_code_unpacks_the_deployed_code_into_the_home_folder(development: Assembly, tmp_path: Path) -> None:
    (archive,) = development.folder.glob("asset.*.tar.gz")
    done = kennel_code(development, tmp_path, archive)
    home = tmp_path / "home"

    assert done.returncode == 0, done.stderr
    assert (home / "training" / "train.py").exists()
    assert (home / "inference" / "classifier.py").exists()
    assert (home / "solution.py").is_symlink()
    python = home / ".kennel" / "bin" / "python3"
    solution = subprocess.run([python, "solution.py"], cwd=home, env={}, capture_output=True, text=True, check=False)
    assert solution.returncode == 1
    assert f"The folder of photos {home / 'dogImages'} does not exist" in solution.stderr


def test_the_hosts_environment_has_the_images_torch(development: Assembly, tmp_path: Path) -> None:
    (archive,) = development.folder.glob("asset.*.tar.gz")
    done = kennel_code(development, tmp_path, archive)
    environment = tmp_path / "home" / ".kennel"

    assert done.returncode == 0, done.stderr
    find = (
        "import sys, importlib.util as u; print(sys.prefix, *[u.find_spec(n) is not None for n in ('torch', 'onnx')])"
    )
    seen = subprocess.run([environment / "bin" / "python3", "-c", find], capture_output=True, text=True, check=True)
    assert seen.stdout.split() == [str(environment), "True", "True"]


@pytest.mark.parametrize("hashed", [True, False], ids=["with its hash", "without a hash"])
def test_a_package_is_installed_on_the_host_by_its_hash_alone(
    development: Assembly, tmp_path: Path, hashed: bool
) -> None:
    wheel = any_wheel(tmp_path / "wheels", "some_package")
    sha256 = f" --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}" if hashed else ""
    (deployed,) = development.folder.glob("asset.*.tar.gz")
    with tarfile.open(deployed) as archive:
        archive.extractall(tmp_path / "code", filter="data")
    (tmp_path / "code" / "training" / "requirements-host.txt").write_text(f"some-package==1.0{sha256}\n")
    with tarfile.open(tmp_path / "changed.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "code", arcname=".")

    done = kennel_code(development, tmp_path, tmp_path / "changed.tar.gz")

    installed = list((tmp_path / "home" / ".kennel").glob("lib/*/site-packages/some_package.py"))
    assert (done.returncode == 0, len(installed)) == (hashed, int(hashed)), done.stderr
    assert hashed or "Hashes are required" in done.stderr


def test_root_installs_no_package_on_the_host(development: Assembly) -> None:
    """The user data runs as root; only kennel-code, which the user runs, calls pip."""
    before, _, rest = user_data(development, **VALUES).partition("kennel-code <<'SCRIPT'\n")
    command, _, after = rest.partition("SCRIPT\n")

    assert "pip install" in command
    assert "pip" not in (before + after).replace("pipefail", "")
    assert "runuser -u ubuntu -- env HOME=/home/ubuntu kennel-code" in after


def test_kennel_save_copies_the_result_to_a_new_folder_in_the_bucket(development: Assembly, tmp_path: Path) -> None:
    """Runs the command from the user data, with a fake `aws` that records its arguments."""
    command = user_data(development, **VALUES).split("kennel-save <<'SCRIPT'\n")[1].split("SCRIPT\n")[0]
    arguments = tmp_path / "arguments"
    fake_aws = tmp_path / "bin" / "aws"
    fake_aws.parent.mkdir()
    fake_aws.write_text(f'#!/bin/bash\necho "$@" > "{arguments}"\n')
    fake_aws.chmod(0o755)
    path = f"{fake_aws.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command], env={"HOME": "/home/ubuntu", "PATH": path}, capture_output=True, text=True, check=True
    )
    source, target = arguments.read_text().split()[-2:]
    assert source == "/home/ubuntu/TrainedModels"
    assert re.fullmatch(r"s3://bucket/training/workbench/\d{8}T\d{6}Z/", target)
    assert target in done.stdout


def test_each_zone_has_an_address_range_of_its_own(synthesise: Synthesise) -> None:
    """CloudFormation creates the subnet in the new zone while the old one still exists."""
    blocks = [synthesise(("workbench.zone_index", zone)).only("AWS::EC2::Subnet")["CidrBlock"] for zone in range(3)]
    assert blocks == ["10.77.0.0/27", "10.77.0.32/27", "10.77.0.64/27"]
