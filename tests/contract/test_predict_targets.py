"""`kennel predict --lambda` and `--endpoint`, against the real handler, the local SageMaker Runtime and boto3."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ops.cli import app
from ops.commands.predict import _with_values
from ops.targets.function import ALIAS, MAX_PHOTO_BYTES
from ops.targets.reply import TargetError
from stacks.api.stack import ALIAS as DEPLOYED_ALIAS
from tests.contract.deployed import Deployed, deployed
from tests.rehearsal.container import ANSWER, JPEG

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:kennel-api:live"


@pytest.fixture(scope="module")
def running() -> Iterator[Deployed]:
    with deployed() as found:
        yield found


@pytest.fixture
def aws(running: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    fresh = Deployed(running.container, running.variables)
    for name in ("functions", "errors", "outputs", "status"):
        setattr(running, name, getattr(fresh, name))
    running.container.status, running.container.body = 200, json.dumps(ANSWER).encode()
    running.container.requests.clear()
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_DEFAULT_REGION", "KENNEL_ENV"):
        monkeypatch.delenv(name, raising=False)
    for name, value in running.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rex.jpg").write_bytes(JPEG)
    return running


def predict(*words: str) -> Result:
    return CliRunner().invoke(app, ["predict", *words])


def sentence(result: Result) -> str:
    """Of the error that ends the command."""
    assert isinstance(result.exception, TargetError), result.output
    return str(result.exception)


@pytest.mark.parametrize("target", ["--lambda", "--endpoint"])
def test_a_target_is_found_by_the_outputs_of_the_stacks(aws: Deployed, target: str) -> None:
    result = predict("rex.jpg", target, "--top-k", "2")

    assert (result.exit_code, result.output) == (0, "rex.jpg: Beagle 97.0%\n")
    headers, body = aws.container.requests[0]
    assert (body, headers["content-type"]) == (JPEG, "image/jpeg")
    assert headers["x-amzn-sagemaker-custom-attributes"] == "top_k=2"
    assert aws.functions == ([FUNCTION] if target == "--lambda" else [])


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("kennel-api", "kennel-api:live"),
        ("kennel-api:7", "kennel-api:7"),
        (FUNCTION, FUNCTION),
        (FUNCTION.removesuffix(":live"), FUNCTION),
        ("123456789012:function:kennel-api", "123456789012:function:kennel-api:live"),
    ],
)
def test_a_function_is_called_through_its_alias(aws: Deployed, name: str, called: str) -> None:
    assert predict("rex.jpg", "--lambda", name).exit_code == 0
    assert aws.functions == [called]


def test_the_alias_is_the_one_that_is_deployed() -> None:
    assert ALIAS == DEPLOYED_ALIAS


@pytest.mark.parametrize(
    ("words", "parsed"),
    [
        (["--lambda", "rex.jpg"], ["--lambda=", "rex.jpg"]),
        (["--lambda", "dogs"], ["--lambda=", "dogs"]),
        (["--lambda", "-"], ["--lambda=", "-"]),
        (["--endpoint", "--json", "a/b"], ["--endpoint=", "--json", "a/b"]),
        (["rex.jpg", "--endpoint"], ["rex.jpg", "--endpoint="]),
        (["--endpoint", "my-dogs", "rex.jpg"], ["--endpoint=my-dogs", "rex.jpg"]),
        (["--lambda", FUNCTION, "rex.jpg"], [f"--lambda={FUNCTION}", "rex.jpg"]),
        (["--lambda=dogs", "rex.jpg"], ["--lambda=dogs", "rex.jpg"]),
        (["--", "--lambda", "dogs"], ["--", "--lambda", "dogs"]),
    ],
)
def test_the_word_after_a_target_is_its_name_unless_it_is_a_photo(
    words: list[str], parsed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dogs").mkdir()
    monkeypatch.chdir(tmp_path)

    assert list(_with_values(words)) == parsed


def test_two_targets_are_refused(aws: Deployed) -> None:
    result = predict("rex.jpg", "--lambda", "--endpoint")

    assert result.exit_code == 2
    assert "--endpoint and --lambda" in result.output


@pytest.mark.parametrize("target", ["--lambda", "--endpoint"])
def test_the_other_photos_are_answered_where_one_is_refused(aws: Deployed, target: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(JPEG)
    (tmp_path / "large.jpg").write_bytes(JPEG + bytes(6_291_456))
    (tmp_path / "z.jpg").write_bytes(JPEG)

    result = predict("missing.jpg", "a.jpg", "large.jpg", "z.jpg", target, "--json")

    lines = [json.loads(line) for line in result.output.splitlines()]
    assert result.exit_code == 1
    assert [line["photo"] for line in lines] == ["missing.jpg", "a.jpg", "large.jpg", "z.jpg"]
    assert ["error" in line for line in lines] == [True, False, True, False]
    assert lines[1]["predictions"] == ANSWER["predictions"]
    limit = {"--lambda": f"{MAX_PHOTO_BYTES:,}", "--endpoint": "6,291,456"}[target]
    assert f"The photo has {len(JPEG) + 6_291_456:,} bytes" in lines[2]["error"]
    assert limit in lines[2]["error"]


def test_the_largest_photo_that_is_sent_fits_into_an_event(aws: Deployed, tmp_path: Path) -> None:
    (tmp_path / "large.jpg").write_bytes(JPEG + bytes(MAX_PHOTO_BYTES - len(JPEG)))
    (tmp_path / "larger.jpg").write_bytes(JPEG + bytes(MAX_PHOTO_BYTES - len(JPEG) + 1))

    assert predict("large.jpg", "--lambda", "--top-k", "1000").exit_code == 0
    assert predict("larger.jpg", "--lambda").exit_code == 1
    assert len(aws.container.requests) == 1


@pytest.mark.parametrize("target", ["--lambda", "--endpoint"])
def test_the_sentence_about_a_photo_is_the_model_s_own(aws: Deployed, target: str) -> None:
    aws.container.status = 422
    refusal = {"code": "broken_photo", "message": "The photo is cut off."}
    aws.container.body = json.dumps({"error": refusal}).encode()

    result = predict("rex.jpg", target)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "rex.jpg: The photo is cut off. (422 " in result.stderr


@pytest.mark.parametrize(
    "refusal",
    [
        (429, {"X-Amzn-ErrorType": "TooManyRequestsException", "Retry-After": "0.01"}, {"message": "Rate exceeded"}),
        (200, {}, {"statusCode": 503, "headers": {"Retry-After": "0.01"}, "body": '{"error": {"message": "Busy."}}'}),
        (500, {"X-Amzn-ErrorType": "ServiceException", "Retry-After": "0.01"}, {"message": "Try again"}),
    ],
    ids=["throttle", "busy", "fault"],
)
def test_a_busy_function_is_asked_again(aws: Deployed, refusal: tuple[int, dict[str, str], object]) -> None:
    aws.errors += [refusal, refusal]

    assert predict("rex.jpg", "--lambda").exit_code == 0
    assert len(aws.functions) == 3


def test_a_function_that_stays_busy_is_a_sentence_with_the_limit(aws: Deployed) -> None:
    aws.errors.append((429, {"X-Amzn-ErrorType": "TooManyRequestsException"}, {"message": "Rate exceeded"}))

    result = predict("rex.jpg", "--lambda", "--wait", "0")

    assert result.exit_code == 1
    assert "Rate exceeded The next try would end after the limit of 0 s (--wait)" in result.stderr


def test_a_busy_endpoint_is_asked_again_after_the_wait_that_it_advises(aws: Deployed) -> None:
    aws.container.status = 429
    busy = {"code": "busy", "message": "The queue is full.", "retry_after_s": 30}
    aws.container.body = json.dumps({"error": busy}).encode()

    result = predict("rex.jpg", "--endpoint", "--wait", "29")

    assert result.exit_code == 1
    assert "The queue is full. (429 busy) The next try would end after the limit of 29 s" in result.stderr


def test_a_function_that_fails_is_a_sentence(aws: Deployed) -> None:
    aws.errors.append((200, {"X-Amz-Function-Error": "Unhandled"}, {"errorMessage": "Task timed out", "errorType": ""}))

    result = predict("rex.jpg", "--lambda")

    assert result.exit_code == 1
    assert f"rex.jpg: The function {FUNCTION} failed (Task timed out); its log has the cause." in result.stderr


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (
            (403, {"X-Amzn-ErrorType": "AccessDeniedException"}, {"Message": "User: a is not authorized"}),
            f"These credentials need lambda:InvokeFunction on {FUNCTION}.",
        ),
        ((404, {"X-Amzn-ErrorType": "ResourceNotFoundException"}, {"Message": "no"}), "There is no function"),
        ((403, {"X-Amzn-ErrorType": "ExpiredTokenException"}, {"message": "old"}), "session of these credentials has"),
        ((200, {}, {"hello": "world"}), "is no function of Kennel"),
    ],
    ids=["denied", "missing", "expired", "another"],
)
def test_a_function_that_cannot_be_asked_ends_the_command(
    aws: Deployed, refusal: tuple[int, dict[str, str], object], expected: str
) -> None:
    aws.errors += [refusal] * 3

    result = predict("rex.jpg", "rex.jpg", "--lambda")

    assert result.exit_code == 1
    assert expected in sentence(result)


@pytest.mark.parametrize(
    ("target", "stack"), [("--lambda", "kennel-api has no output FunctionArn"), ("--endpoint", "kennel-serving")]
)
def test_what_is_not_deployed_is_a_sentence_with_the_command(aws: Deployed, target: str, stack: str) -> None:
    aws.outputs.clear()

    assert stack in sentence(predict("rex.jpg", target))
    assert "make deploy ENV=development" in sentence(predict("rex.jpg", target))


def test_no_credentials_are_a_sentence(aws: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    assert "There are no AWS credentials." in sentence(predict("rex.jpg", "--lambda=kennel-api"))


@pytest.mark.parametrize(
    ("status", "expected"),
    [("", "There is no endpoint cats in us-east-1."), ("Updating", "The endpoint cats in us-east-1 is Updating")],
)
def test_an_endpoint_that_does_not_answer_is_described(aws: Deployed, status: str, expected: str) -> None:
    aws.status = status

    assert expected in sentence(predict("rex.jpg", "--endpoint", "cats"))


def test_an_endpoint_that_is_not_reached_is_a_sentence(aws: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", "http://127.0.0.1:9")

    assert "AWS could not be reached for the call of the endpoint dogs" in sentence(predict("rex.jpg", "--endpoint"))
