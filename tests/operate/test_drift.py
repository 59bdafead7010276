"""`kennel drift`: from the endpoint's captured calls in S3 to the verdict, and why there is none."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from inference.classifier import Classifier
from inference.drift import distance
from inference.drift.errors import DriftError
from ops.drift.download import spread
from ops.smoke.artifact import packed
from tests.builders import write_artifact
from tests.drift.calls import answer, artifact, photo, record
from tests.operate.deployment import ENDPOINT, Deployment, flat, kennel

BUCKET, PREFIX = "bucket", "capture"
CAPTURE = {
    "EnableCapture": True,
    "CaptureStatus": "Started",
    "CurrentSamplingPercentage": 100,
    "DestinationS3Uri": f"s3://{BUCKET}/{PREFIX}/",
    "KmsKeyId": "",
}
TEST = range(1000, 1050)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Classifier]:
    """model.tar.gz of an artifact with the measures of fifty photos."""
    folder = tmp_path_factory.mktemp("model")
    classifier = artifact(folder, [photo(seed) for seed in TEST])
    return packed(folder), classifier


@pytest.fixture
def captures(deployment: Deployment, model: tuple[bytes, Classifier], monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """An endpoint with the model, which captures its calls. None was made."""
    monkeypatch.setattr(distance, "DIVISIONS", 399)
    deployment.endpoint(DataCaptureConfig=CAPTURE)
    deployment.client("s3").create_bucket(Bucket=BUCKET)
    deployment.client("s3").put_object(Bucket=BUCKET, Key="model.tar.gz", Body=model[0])
    return deployment


def call(deployment: Deployment, classifier: Classifier, photos: list[bytes], *, days_ago: float = 1) -> None:
    """Write the record of each photo, four to a file, and a file every 20 minutes."""
    begun = datetime.now(UTC) - timedelta(days=days_ago)
    for number in range(0, len(photos), 4):
        at = begun + timedelta(minutes=number * 5)
        lines = [
            record(each, {**answer(classifier, each), "model": classifier.model_id}, at=at)
            for each in photos[number : number + 4]
        ]
        key = f"{PREFIX}/{ENDPOINT}/AllTraffic/{at:%Y/%m/%d/%H/%M-%S-000}-{number}.jsonl"
        deployment.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"".join(lines))


def found(*words: str, code: int) -> Any:
    """What the command prints as JSON."""
    ended = kennel("drift", "--json", *words)
    assert ended.exit_code == code, ended.output
    return json.loads(ended.stdout)


def test_ordinary_photos_are_no_drift_and_dark_ones_are(
    captures: Deployment, model: tuple[bytes, Classifier], tmp_path: Path
) -> None:
    call(captures, model[1], [photo(seed) for seed in range(40)], days_ago=3)
    ordinary = found("--until", "2d", code=0)
    assert (ordinary["verdict"], ordinary["photos"], ordinary["test_photos"]) == ("no drift", 40, 50)

    call(captures, model[1], [photo(seed, light=0.3) for seed in range(50, 90)], days_ago=1)
    page = tmp_path / "drift.html"
    ended = kennel("drift", "--since", "30h", "--html", str(page))
    assert ended.exit_code == 3
    assert "Drift: the photos differ from the test photos in" in flat(ended.stdout)
    assert "40 different photos of callers, 50 test photos" in flat(ended.stdout)
    assert "brightness" in page.read_text()


def test_of_many_files_an_even_part_is_downloaded(captures: Deployment, model: tuple[bytes, Classifier]) -> None:
    call(captures, model[1], [photo(seed) for seed in range(64)])
    part = flat(kennel("drift", "--most", "32").stdout)
    assert "Of 16 capture files 8 were read" in part
    assert "32 different photos of callers" in part


def test_without_a_captured_call_it_says_so(captures: Deployment) -> None:
    ended = kennel("drift")
    assert ended.exit_code == 5
    assert "No call was captured in this period" in flat(ended.stdout)


def test_few_photos_are_too_few_to_say(captures: Deployment, model: tuple[bytes, Classifier]) -> None:
    call(captures, model[1], [photo(seed, light=0.1) for seed in range(12)])
    assert found(code=5)["sentence"].startswith("12 different photos are too few to say")


def test_an_endpoint_that_captures_nothing_is_an_error_with_the_setting(deployment: Deployment) -> None:
    with pytest.raises(DriftError, match=r"captures no call.*serving\.capture\.percent"):
        kennel("drift")


def test_without_an_endpoint_it_names_the_command_that_deploys_one(deployment: Deployment) -> None:
    deployment.delete_endpoint()
    ended = kennel("drift")
    assert ended.exit_code == 4
    assert "has no endpoint" in ended.stderr
    assert "make deploy" in ended.stderr


def test_a_model_without_a_reference_is_measured_with_the_test_photos_on_this_machine(
    captures: Deployment, model: tuple[bytes, Classifier], tmp_path: Path
) -> None:
    old = packed(write_artifact(tmp_path / "old"))
    captures.client("s3").put_object(Bucket=BUCKET, Key="model.tar.gz", Body=old)
    call(captures, model[1], [photo(seed) for seed in range(40)])
    with pytest.raises(DriftError, match=r"trained before.*kennel drift --photos DIR"):
        kennel("drift")

    folder = tmp_path / "test" / "Beagle"
    folder.mkdir(parents=True)
    for seed in TEST:
        (folder / f"{seed}.jpg").write_bytes(photo(seed))
    (folder / "notes.txt").write_text("no photo")
    measured = found("--photos", str(tmp_path / "test"), code=0)
    assert (measured["photos"], measured["test_photos"]) == (40, 50)


@pytest.mark.parametrize("words", [("--since", "soon"), ("--since", "1d", "--until", "2d"), ("--most", "0")])
def test_a_wrong_option_is_refused(words: tuple[str, ...]) -> None:
    assert kennel("drift", *words).exit_code == 2


@pytest.mark.parametrize("count", [0, 1, 2, 7, 64])
def test_the_files_are_taken_evenly_and_each_once(count: int) -> None:
    order = list(spread(count))
    assert sorted(order) == list(range(count))
    if count == 64:
        assert sorted(order[:8]) == list(range(0, 64, 8))
