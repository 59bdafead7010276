"""`kennel weights upload` against a real S3 interface (moto's, in this process), and which weights a deploy takes."""

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from safetensors.numpy import save_file
from typer.testing import CliRunner, Result

import environments
from contract.weights import PublishedWeights, object_key
from environments import Environment
from ops.cli import app
from ops.data.aws_errors import BucketError
from ops.rehearse.plan import Plan
from ops.rehearse.weights import send_weights
from ops.sentences import is_sentence
from ops.weights import resnet50
from ops.weights.bucket import cdk_options, newest, send, weights_bucket
from tests.builders import write_resnet50
from training.model.weights_file import WeightsError

BUCKET = "kennel-data"
CONTENT = b"weights " * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KEY = object_key(SHA256)


@pytest.fixture
def s3(s3: Any) -> Any:
    """A bucket, in an account where the storage stack of the environment `development` is deployed."""
    output = f'{{"DataUri": {{"Value": "s3://{BUCKET}/data/"}}}}'
    boto3.client("cloudformation").create_stack(
        StackName="kennel-storage",
        TemplateBody=f'{{"Resources": {{"T": {{"Type": "AWS::SNS::Topic"}}}}, "Outputs": {output}}}',
    )
    return s3


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_resnet50(tmp_path_factory.mktemp("weights") / "resnet50.safetensors")


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def keys(s3: Any) -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def age(key: str, hours: int) -> None:
    """The object was written so many hours ago."""
    stored = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[BUCKET].keys[key]
    stored.last_modified -= timedelta(hours=hours)


def upload(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["weights", "upload", *arguments])


def test_a_file_is_sent_under_the_digest_of_its_content(s3: Any, file: Path) -> None:
    done = upload(str(file))

    key = f"weights/resnet50-{digest(file)[:16]}.safetensors"
    assert done.exit_code == 0, done.output
    assert keys(s3) == [key]
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == file.read_bytes()
    assert f"s3://{BUCKET}/{key} was sent.\n" in done.stdout
    assert done.stdout.endswith("The next training starts from these weights: make deploy\n")
    assert upload(str(file.parent)).stdout.startswith("1/2  Check")
    assert f"s3://{BUCKET}/{key} was already there.\n" in upload(str(file)).stdout


def test_another_network_is_refused_and_nothing_is_sent(s3: Any, tmp_path: Path) -> None:
    shapes = {name: shape for name, shape in resnet50.shapes().items() if not name.startswith("layer4.2.")}
    save_file({name: np.zeros(shape, np.float16) for name, shape in shapes.items()}, tmp_path / "w.safetensors")
    refused = upload(str(tmp_path / "w.safetensors"))

    assert refused.exit_code == 1
    assert "are not those of torchvision's resnet50: layer4.2.conv1.weight is missing" in str(refused.exception)
    assert isinstance(refused.exception, Exception)
    assert is_sentence(refused.exception)
    assert keys(s3) == []


@pytest.mark.parametrize("address", ["s3://theirs/w.safetensors", "https://example.org/w.safetensors"])
def test_an_address_is_refused_with_the_setting_for_weights_in_s3(s3: Any, address: str) -> None:
    """A path would lose a slash: "The file s3:/theirs/w.safetensors does not exist"."""
    refused = upload(address)
    words = " ".join(refused.stderr.replace("│", " ").split())

    assert refused.exit_code == 2
    assert f"{address} is an address; name a file of this machine." in words
    assert "training.pretrained_uri=s3://BUCKET/KEY.safetensors" in words


def test_a_wrong_file_is_refused_before_aws_is_asked(s3: Any, tmp_path: Path) -> None:
    """In an environment without a bucket: the file is at fault first."""
    refused = upload(str(tmp_path / "nofile.safetensors"), "--env", "production")

    assert isinstance(refused.exception, WeightsError)
    assert "nofile.safetensors does not exist" in str(refused.exception)


def test_without_a_stack_nothing_is_downloaded_and_the_error_says_how_to_make_it(s3: Any) -> None:
    refused = upload("imagenet", "--env", "production")

    assert isinstance(refused.exception, BucketError)
    assert "no stack kennel-production-storage" in str(refused.exception)
    assert "make deploy ENV=production STACKS=Storage" in str(refused.exception)


@pytest.fixture
def published(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What stands in for the file on the model hub."""
    path = tmp_path / "hub" / "model.safetensors"
    path.parent.mkdir()
    path.symlink_to(file)
    named = PublishedWeights(name="small", url=path.as_uri(), sha256=digest(file), classes=1000)
    monkeypatch.setattr("contract.weights.RESNET50_IMAGENET", named)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    return path


def test_without_a_file_imagenets_weights_are_downloaded_checked_and_sent(s3: Any, published: Path) -> None:
    done = upload()

    assert done.exit_code == 0, done.output
    assert "1/3  Download ImageNet's weights" in done.stdout
    assert keys(s3) == [object_key(digest(published))]


def test_weights_of_imagenet_that_are_there_are_not_downloaded_again(s3: Any, published: Path, tmp_path: Path) -> None:
    upload()
    published.unlink()
    for copy in (tmp_path / "cache").rglob("*.safetensors"):
        copy.unlink()
    assert "was already there." in upload("imagenet").stdout


def test_a_failed_download_names_the_remedy_and_sends_nothing(s3: Any, published: Path) -> None:
    published.unlink()
    refused = upload()

    assert "download the file on another machine" in str(refused.exception)
    assert "kennel weights upload FILE" in str(refused.exception)
    assert keys(s3) == []


def test_s3_compares_the_digest_with_what_it_receives(s3: Any) -> None:
    sent: list[Any] = []
    send(CONTENT, SHA256, BUCKET, progress=lambda done, total: sent.append((done, total)))

    head = s3.head_object(Bucket=BUCKET, Key=KEY, ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"] == base64.b64encode(bytes.fromhex(SHA256)).decode()
    assert sent[-1] == (len(CONTENT), len(CONTENT))


def test_an_interrupted_upload_leaves_nothing_and_the_next_sends_the_weights(s3: Any) -> None:
    def ctrl_c(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send(CONTENT, SHA256, BUCKET, progress=ctrl_c)
    assert keys(s3) == []
    assert not send(CONTENT, SHA256, BUCKET).already_there
    assert keys(s3) == [KEY]


def test_an_object_with_this_name_and_another_content_is_replaced(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=CONTENT[:-1] + b"!", ChecksumAlgorithm="SHA256")
    assert not send(CONTENT, SHA256, BUCKET).already_there
    assert s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == CONTENT


Serve = Callable[[type[BaseHTTPRequestHandler]], None]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Start a server of this kind, to which all calls of AWS go."""
    servers: list[ThreadingHTTPServer] = []

    def start(kind: type[BaseHTTPRequestHandler]) -> None:
        server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")

    for name, value in {"ACCESS_KEY_ID": "testing", "SECRET_ACCESS_KEY": "testing", "REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class _Line(BaseHTTPRequestHandler):
    """An empty bucket behind a connection that ends in the middle of the first upload."""

    received: list[tuple[bytes, str]] = []  # noqa: RUF012 - one server for each test

    def do_HEAD(self) -> None:
        self.send_error(404)

    def do_PUT(self) -> None:
        size = int(self.headers["Content-Length"])
        whole = bool(self.received)
        self.received.append((self.rfile.read(size if whole else 1000), self.headers["x-amz-checksum-sha256"]))
        if not whole:
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_connection_that_breaks_is_tried_again_from_the_first_byte(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Line, "received", [])
    serve(_Line)
    content = bytes(2**22)
    sha256 = hashlib.sha256(content).hexdigest()
    send(content, sha256, BUCKET)

    (cut, _), (whole, checksum) = _Line.received
    assert len(cut) == 1000
    assert whole == content
    assert checksum == base64.b64encode(bytes.fromhex(sha256)).decode()


class _Denial(BaseHTTPRequestHandler):
    """S3's refusal of a HeadObject: it has no body, so that boto3 finds only the status."""

    def do_HEAD(self) -> None:
        self.send_response(403)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_missing_permission_is_named(serve: Serve) -> None:
    serve(_Denial)
    with pytest.raises(BucketError, match=f"These credentials need s3:ListBucket and s3:GetObject on {BUCKET}"):
        send(CONTENT, SHA256, BUCKET)


def test_a_deploy_takes_the_weights_that_were_sent_last(s3: Any) -> None:
    assert cdk_options("development") == []
    other = hashlib.sha256(b"other").hexdigest()
    send(CONTENT, SHA256, BUCKET)
    age(KEY, hours=2)
    send(b"other", other, BUCKET)
    age(object_key(other), hours=1)
    assert cdk_options("development") == ["-c", f"training.pretrained_uri=s3://{BUCKET}/{object_key(other)}"]

    assert send(CONTENT, SHA256, BUCKET).already_there
    assert newest(BUCKET) == KEY
    assert s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == CONTENT
    s3.delete_object(Bucket=BUCKET, Key=KEY)
    assert newest(BUCKET) == object_key(other)


@pytest.mark.usefixtures("s3")
def test_a_rehearsal_sends_the_weights_from_which_the_next_deploy_trains(file: Path, tmp_path: Path) -> None:
    setting = send_weights(Plan(folder=tmp_path, pretrained=str(file)), lambda *_: None)

    assert cdk_options("development") == ["-c", setting]


def test_weights_that_were_sent_last_are_not_copied(s3: Any) -> None:
    send(CONTENT, SHA256, BUCKET)
    age(KEY, hours=1)
    before = s3.head_object(Bucket=BUCKET, Key=KEY)["LastModified"]
    assert send(CONTENT, SHA256, BUCKET).already_there
    assert s3.head_object(Bucket=BUCKET, Key=KEY)["LastModified"] == before


@pytest.mark.parametrize(
    "key",
    [
        "weights/model.safetensors",
        f"weights/resnet50-{'0' * 15}.safetensors",
        f"weights/old/resnet50-{'0' * 16}.safetensors",
        f"weights/resnet50-{'0' * 16}.safetensors.md5",
        f"data/resnet50-{'0' * 16}.safetensors",
    ],
)
def test_an_object_that_kennel_did_not_name_is_not_taken(s3: Any, key: str) -> None:
    """Its content may change under the same name, and then no new training would start."""
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    assert cdk_options("development") == []


@pytest.mark.parametrize(
    "setting", [{"pretrained_uri": "s3://theirs/w.safetensors"}, {"model_data": "s3://theirs/model.tar.gz"}]
)
def test_the_environments_file_has_precedence(
    s3: Any, setting: dict[str, str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Environment(name="development", settings={"training": setting})
    monkeypatch.setattr(environments, "load", lambda _="development": own)
    done = upload(str(file))

    assert cdk_options("development") == []
    ((name, value),) = setting.items()
    assert f"has training.{name} = '{value}', which a deploy uses instead." in done.stderr


def test_kennel_data_version_passes_the_weights_on_to_cdk(s3: Any) -> None:
    send(CONTENT, SHA256, BUCKET)
    done = CliRunner().invoke(app, ["data", "version", "--cdk-options"])
    assert f"-c training.pretrained_uri=s3://{BUCKET}/{KEY} -c kennel.photos_environment" in done.stdout


def test_before_the_first_deploy_there_is_no_bucket(s3: Any) -> None:
    assert cdk_options("production") == []
    with pytest.raises(BucketError):
        weights_bucket("production")
