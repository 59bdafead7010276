"""`kennel data version`: the digest of the photos in the bucket."""

import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from environments import Environment
from ops.cli import app
from ops.data.aws_errors import BucketError
from ops.data.version import data_version

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "kennel-photos"
URI = f"s3://{BUCKET}/data"
PHOTOS = [f"data/{name}/pug/1.jpg" for name in ("train", "valid", "test")]


def upload(s3: Any, *keys: str, body: bytes = b"photo") -> None:
    for key in keys:
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def deploy_storage(s3: Any, name: str = "kennel-storage") -> None:
    template = '{"Resources": {"T": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"DataUri": {"Value": "%s/"}}}' % URI  # noqa: UP031
    boto3.client("cloudformation").create_stack(StackName=name, TemplateBody=template)


def test_the_same_photos_have_the_same_digest(s3: Any) -> None:
    upload(s3, *PHOTOS)
    before = data_version(URI)
    upload(s3, *PHOTOS)
    upload(s3, "training/artifacts/job/output/model.tar.gz", "data-of-others/train/x.jpg")
    assert data_version(URI) == data_version(f"{URI}/") == before


@pytest.mark.parametrize("change", ["a new photo", "another content", "one less", "another breed"])
def test_other_photos_have_another_digest(s3: Any, change: str) -> None:
    upload(s3, *PHOTOS)
    before = data_version(URI)
    if change == "a new photo":
        upload(s3, "data/train/pug/2.jpg")
    elif change == "another content":
        upload(s3, PHOTOS[0], body=b"PHOTO")
    else:
        s3.delete_object(Bucket=BUCKET, Key=PHOTOS[0])
    if change == "another breed":
        upload(s3, "data/train/beagle/1.jpg")
    assert data_version(URI) != before


def test_more_photos_than_one_page_are_all_read(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "4")
    upload(s3, *(f"data/train/pug/{number}.jpg" for number in range(9)))
    before = data_version(URI)
    upload(s3, "data/train/pug/8.jpg", body=b"the last one, on the third page")
    assert data_version(URI) != before


def test_without_a_target_it_reads_the_bucket_of_the_deployed_stack(s3: Any) -> None:
    deploy_storage(s3)
    upload(s3, *PHOTOS)
    assert data_version() == data_version(URI)
    assert data_version(environment="production") == ""


def test_without_photos_there_is_no_digest(s3: Any) -> None:
    """No stack yet, no photo: the deploy then lists the photos itself, and says what to do."""
    assert data_version() == ""
    assert data_version(URI) == ""


def test_a_stack_whose_bucket_does_not_exist_has_no_digest(s3: Any) -> None:
    deploy_storage(s3)
    s3.delete_bucket(Bucket=BUCKET)
    assert data_version() == ""


@pytest.mark.parametrize("where", ["target", "file"])
def test_a_bucket_that_the_user_names_must_exist(s3: Any, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped name looked like a bucket without photos."""
    uri = "s3://no-such-bucket-here/data/"
    if where == "file":
        own = Environment(name="development", settings={"training": {"data_uri": uri}})
        monkeypatch.setattr("environments.load", lambda _="development": own)
    with pytest.raises(BucketError, match=rf"listing of {uri} \(NoSuchBucket\)\. That bucket does not exist"):
        data_version(uri if where == "target" else "")


def test_the_command_prints_only_the_digest(s3: Any) -> None:
    upload(s3, *PHOTOS)
    done = CliRunner().invoke(app, ["data", "version", URI])
    assert (done.exit_code, done.stdout) == (0, data_version(URI) + "\n")


def test_the_command_prints_options_for_cdk_with_environment_account_and_region(s3: Any) -> None:
    deploy_storage(s3)
    upload(s3, *PHOTOS)
    done = CliRunner().invoke(app, ["data", "version", "--cdk-options"])
    assert done.stdout.split() == [
        *("-c", f"training.data_version={data_version()}"),
        *("-c", "kennel.photos_environment=development"),
        *("-c", "kennel.photos_account=123456789012"),  # moto's
        *("-c", "kennel.photos_region=us-east-1"),
    ]


def test_it_reads_the_bucket_from_which_the_environment_trains(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    upload(s3, *PHOTOS)
    settings = {"training": {"data_uri": f"{URI}/"}}
    monkeypatch.setattr("environments.load", lambda name="qa": Environment(name=name, settings=settings))
    assert data_version(environment="qa") == data_version(URI) != ""


@pytest.mark.parametrize("verb", ["diff", "watch"])
def test_make_passes_on_the_bucket_that_is_named_in_args(verb: str) -> None:
    arguments = "ARGS=-c training.data_uri=s3://theirs/dogs/ -c api.http=true"
    script = subprocess.run(
        ["make", "--dry-run", verb, arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "data version s3://theirs/dogs/ --cdk-options" in script.stdout


def test_the_command_reads_the_named_environment(s3: Any) -> None:
    deploy_storage(s3, "kennel-production-storage")
    upload(s3, *PHOTOS)
    runner = CliRunner()
    assert runner.invoke(app, ["--env", "production", "data", "version"]).stdout == data_version(URI) + "\n"
    assert runner.invoke(app, ["data", "version"]).stdout == "\n"
    unknown = runner.invoke(app, ["--env", "prodution", "data", "version"])
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    assert "no environment 'prodution'" in str(unknown.exception)
    assert "Did you mean production?" in str(unknown.exception)


def test_anything_but_an_s3_address_is_refused(s3: Any) -> None:
    with pytest.raises(BucketError, match="s3://BUCKET/PREFIX"):
        data_version("my-bucket/data")
