"""AWS's errors become one message with the remedy, in `kennel data upload` and in `kennel data version`."""

import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ops.data.aws_errors import BucketError
from ops.data.bucket import split_uri
from ops.data.upload import upload
from ops.data.version import data_version
from tests.distributed.dogs import write_photos

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/EXAMPLE"}
COMMANDS: dict[str, Callable[[Path], object]] = {
    "upload": lambda photos: upload(photos, "s3://my-bucket/data"),
    "version": lambda _: data_version("s3://my-bucket/data"),
    "upload to the stack": upload,
    "version of the stack": lambda _: data_version(),
}


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove credentials from the environment."""
    for name in (*KEYS, "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(tmp_path_factory.mktemp("photos"), breeds=2, counts={"train": 1, "valid": 1, "test": 1})


class _Refusal(BaseHTTPRequestHandler):
    """Responds to every request with one of AWS's errors, in the format of S3 and of CloudFormation."""

    code = "AccessDenied"
    message = "No."

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        error = f"<Error><Code>{self.code}</Code><Message>{self.message}</Message></Error>"
        body = (error if self.command == "GET" else f"<ErrorResponse>{error}</ErrorResponse>").encode()
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _refuse  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Set valid keys, and make AWS respond with this error code."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusal) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
        yield lambda code: monkeypatch.setattr(_Refusal, "code", code)
        server.shutdown()


def refusal(command: str, photos: Path) -> str:
    with pytest.raises(BucketError) as caught:
        COMMANDS[command](photos)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "There are no AWS credentials. Run `aws configure sso`"),
        ({"AWS_PROFILE": "unknown"}, "There is no AWS profile 'unknown'. Set AWS_PROFILE to one of"),
        ({"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE"}, "is incomplete: AWS_SECRET_ACCESS_KEY is missing. Set it"),
        ({**KEYS, "AWS_CONFIG_FILE": __file__}, "The AWS client failed in the"),
        ({**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"}, "AWS could not be reached for"),
    ],
)
def test_a_local_configuration_error_is_explained(
    command: str, environment: dict[str, str], sentence: str, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.data.upload.ATTEMPTS", 1)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert sentence in refusal(command, photos)


@pytest.mark.parametrize("command", ["upload", "version of the stack"])
@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("ExpiredToken", "Run `aws sso login`"),
        ("InvalidAccessKeyId", "AWS_SESSION_TOKEN"),
        ("InvalidClientTokenId", "AWS_SESSION_TOKEN"),
        ("SignatureDoesNotMatch", "Copy both again"),
        ("RequestTimeTooSkewed", "clock is wrong"),
        ("AccountProblem", "Correct that, then try again. AWS says: No."),
    ],
)
def test_an_error_of_aws_is_explained(
    command: str, code: str, remedy: str, photos: Path, refuse: Callable[[str], None]
) -> None:
    refuse(code)
    message = refusal(command, photos)
    assert message.startswith("AWS refused the ")
    assert f"({code})" in message
    assert remedy in message


@pytest.mark.parametrize(
    ("command", "permission"),
    [
        ("upload", "s3:ListBucket and s3:PutObject"),
        ("version", "s3:ListBucket on my-bucket"),
        ("upload to the stack", "cloudformation:DescribeStacks"),
    ],
)
def test_a_missing_permission_is_named(
    command: str, permission: str, photos: Path, refuse: Callable[[str], None]
) -> None:
    refuse("AccessDenied")
    assert f"These credentials need {permission}" in refusal(command, photos)


WHO = "User: arn:aws:iam::111122223333:user/ada is not authorized to perform: "
KEY = "arn:aws:kms:us-east-1:111122223333:key/1234"


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        (
            f"{WHO}kms:GenerateDataKey on resource: {KEY} because no identity-based policy allows the action",
            "These credentials need kms:GenerateDataKey on the bucket's key, in their own policies and in the key's.",
        ),
        (
            f"{WHO}s3:PutObject on resource: x because no resource policy allows it",
            "These credentials need s3:PutObject.",
        ),
        (
            f"{WHO}s3:PutObject on resource: x with an explicit deny in a service control policy",
            "A policy denies s3:PutObject to these credentials; change that policy",
        ),
    ],
)
def test_a_refusal_names_the_permission_that_aws_names(
    message: str, remedy: str, photos: Path, refuse: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse("AccessDenied")
    monkeypatch.setattr(_Refusal, "message", message)
    found = refusal("upload", photos)
    assert remedy in found
    assert found.endswith(f"AWS says: {message}")


def write_certificate(path: Path) -> None:
    """A self-signed certificate of 127.0.0.1 with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = (
        builder.not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(certificate.public_bytes(Encoding.PEM) + private)


@pytest.fixture
def tls_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """AWS's address is a server whose certificate no authority has signed, as behind a proxy that inspects TLS."""
    write_certificate(tmp_path / "server.pem")
    for name in ("HTTPS_PROXY", "https_proxy", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusal) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "server.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        address = f"https://127.0.0.1:{server.server_port}"
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": address, "AWS_MAX_ATTEMPTS": "1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("ops.data.upload.ATTEMPTS", 1)
        yield address
        server.shutdown()


@pytest.mark.parametrize("command", ["upload", "version of the stack"])
@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "not signed by an authority that this machine has. If a proxy of your network inspects TLS"),
        ({"AWS_CA_BUNDLE": "/nowhere/ca.pem"}, "trusted certificates /nowhere/ca.pem does not exist. Correct AWS_CA"),
        ({"AWS_CA_BUNDLE": __file__}, "test_data_bucket.py contains no certificate. Set AWS_CA_BUNDLE to a PEM file"),
        ({"HTTPS_PROXY": "http://127.0.0.1:1"}, "The proxy http://127.0.0.1:1 let nothing through to AWS"),
    ],
)
def test_an_error_between_here_and_aws_has_its_own_remedy(
    command: str,
    environment: dict[str, str],
    sentence: str,
    tls_server: str,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = refusal(command, photos)
    assert sentence in found
    assert "Run the same command" not in found


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://my-bucket/data #2/why?", ("my-bucket", "data #2/why?/")),
        ("s3://my-bucket/data", ("my-bucket", "data/")),
        ("s3://my-bucket/a/b/", ("my-bucket", "a/b/")),
        ("s3://my.bucket/", ("my.bucket", "")),
        ("s3://abc", ("abc", "")),
    ],
)
def test_a_uri_is_a_bucket_and_a_prefix(uri: str, expected: tuple[str, str]) -> None:
    assert split_uri(uri) == expected


@pytest.mark.parametrize("bucket", ["My_Bucket", "ab", "-bucket", "my bucket", "a" * 64])
def test_an_invalid_name_of_a_bucket_is_refused(bucket: str) -> None:
    with pytest.raises(BucketError, match=f"'{bucket}' cannot be a bucket's name"):
        split_uri(f"s3://{bucket}/data")


@pytest.mark.parametrize(
    "profile",
    [
        "credential_process = false",
        "sso_session = mine\nsso_account_id = 111122223333\nsso_role_name = Admin\n"
        "[sso-session mine]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start",
    ],
    ids=["credential_process", "sso"],
)
def test_a_profile_without_credentials_is_explained(
    profile: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(f"[default]\n{profile}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "Run `aws sso login` or correct the profile" in refusal("upload", photos)
