"""The classifier predicts correctly, refuses an invalid network, and is thread-safe."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from inference.artifact import ArtifactError
from inference.classifier import Classifier
from inference.prediction import Prediction
from tests.builders import LABELS, any_photo, colour_of, network, onnx_model, write_artifact

POOL = helper.make_node("GlobalAveragePool", ["photos"], ["pooled"])  # (batch, 3, 1, 1)
FLAT = helper.make_node("Flatten", ["pooled"], ["logits"])


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return Classifier(write_artifact(tmp_path_factory.mktemp("model")))


def refusal(folder: Path, model: bytes) -> str:
    with pytest.raises(ArtifactError) as caught:
        Classifier(write_artifact(folder, model=model))
    message = str(caught.value)
    assert "model.onnx" in message
    assert message.endswith("train again.")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("index", range(len(LABELS)))
def test_each_breed_is_predicted_from_its_colour(classifier: Classifier, index: int, format: str) -> None:
    best = classifier.predict(any_photo(colour_of(index), format=format))[0]
    assert best.breed == LABELS[index]
    assert 0.9 < best.probability <= 1


def test_predictions_are_sorted_by_probability_and_add_up_to_1(classifier: Classifier) -> None:
    predictions = classifier.predict(any_photo((200, 150, 90)))

    assert {prediction.breed for prediction in predictions} == set(LABELS)
    probabilities = [prediction.probability for prediction in predictions]
    # exact: the same numbers are compared with themselves in order
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=1e-6)


def test_the_models_id_is_computed_once(classifier: Classifier) -> None:
    assert classifier.model_id == classifier.manifest.id
    assert classifier.model_id is classifier.model_id  # each response names it


def test_five_breeds_are_the_default(tmp_path: Path) -> None:
    classifier = Classifier(write_artifact(tmp_path, labels=[f"breed {number}" for number in range(12)]))

    assert len(classifier.predict(any_photo())) == 5
    assert len(classifier.predict(any_photo(), top_k=1)) == 1
    assert len(classifier.predict(any_photo(), top_k=12)) == 12
    assert len(classifier.predict(any_photo(), top_k=1000)) == 12


@pytest.mark.parametrize("top_k", [0, -1])
def test_fewer_than_one_breed_is_refused(classifier: Classifier, top_k: int) -> None:
    with pytest.raises(ValueError, match=rf"top_k is {top_k}; ask for at least 1"):
        classifier.predict(any_photo(), top_k=top_k)


def test_equally_probable_breeds_keep_the_order_of_the_labels(tmp_path: Path) -> None:
    flat = helper.make_node("Flatten", ["pooled"], ["flat"])
    odd_classes = onnx_model(
        [POOL, flat, helper.make_node("Gemm", ["flat", "nothing", "odd"], ["logits"])],
        {"nothing": np.zeros((3, 40)), "odd": np.arange(40) % 2},
        output_shape=["batch", 40],
    )
    labels = [f"breed {number}" for number in range(40)]
    classifier = Classifier(write_artifact(tmp_path, labels, model=odd_classes))
    assert [p.breed for p in classifier.predict(any_photo(), top_k=40)] == labels[1::2] + labels[::2]


def test_a_batch_gives_the_predictions_of_its_single_photos(classifier: Classifier) -> None:
    photos = [any_photo(colour_of(index)) for index in range(3)]
    batch = np.stack([classifier.preprocessing(photo) for photo in photos])

    together = classifier.probabilities(batch)
    assert together.shape == (3, len(LABELS))
    # exact: these are class indices, and the logits of each photo lie far apart
    assert together.argmax(axis=1).tolist() == [0, 1, 2]
    for photo, row in zip(photos, together, strict=True):
        assert max(p.probability for p in classifier.predict(photo)) == pytest.approx(row.max(), abs=1e-6)


def test_very_large_logits_do_not_overflow(tmp_path: Path) -> None:
    classifier = Classifier(write_artifact(tmp_path, model=network(3, bias=[1e4, 0, -1e4])))
    # exact: the exponential of -10,000 is 0 in every precision, so the probabilities are 1 and 0
    assert classifier.predict(any_photo()) == [
        Prediction("Beagle", 1.0),
        Prediction("Boxer", 0.0),
        Prediction("Collie", 0.0),
    ]


def test_concurrent_predictions_do_not_mix(classifier: Classifier) -> None:
    def is_correct(number: int) -> bool:
        return classifier.predict(any_photo(colour_of(number % 3)), top_k=1)[0].breed == LABELS[number % 3]

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(is_correct, range(200)))


@pytest.mark.parametrize(
    "content", [b"", b"not a network", b"\x80\x04N.", b"PK\x03\x04", b"<?xml version='1.0'?><net/>"]
)
def test_bytes_that_are_not_onnx_are_refused(tmp_path: Path, content: bytes) -> None:
    assert "cannot be loaded" in refusal(tmp_path, content)


def test_operators_outside_onnx_are_refused(tmp_path: Path) -> None:
    own = onnx_model([helper.make_node("Bark", ["photos"], ["logits"], domain="dogs")], {}, output_shape=["batch", 3])
    assert "it uses the operator 'dogs.Bark'" in refusal(tmp_path, own)


def test_a_network_with_another_number_of_classes_is_refused(tmp_path: Path) -> None:
    assert "has 4 classes, but labels.json has 3 breeds" in refusal(tmp_path, network(4))


def test_a_network_for_another_size_is_refused(tmp_path: Path) -> None:
    assert "loads but cannot predict" in refusal(tmp_path, network(3, size=48))


@pytest.mark.parametrize("bias", [[float("nan"), 0, 0], [float("inf"), 0, 0], [0, 0, float("-inf")]])
def test_outputs_that_are_not_finite_are_refused(tmp_path: Path, bias: list[float]) -> None:
    assert "its output is not finite" in refusal(tmp_path, network(3, bias=bias))


def test_an_output_of_another_rank_is_refused(tmp_path: Path) -> None:
    flat4 = onnx_model(
        [helper.make_node("GlobalAveragePool", ["photos"], ["logits"])], {}, output_shape=["batch", 3, 1, 1]
    )
    assert "[?,3,1,1]" in refusal(tmp_path, flat4)


def test_two_outputs_are_refused(tmp_path: Path) -> None:
    twice = onnx_model(
        [POOL, FLAT, helper.make_node("Identity", ["logits"], ["again"])],
        {},
        output_shape=["batch", 3],
        outputs=("logits", "again"),
    )
    assert "must take one tensor and return one" in refusal(tmp_path, twice)


def test_weights_outside_the_file_are_refused(tmp_path: Path) -> None:
    model = onnx.load_from_string(network(3))
    weight = model.graph.initializer[0]
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../secret.bin")
    weight.ClearField("raw_data")
    (tmp_path / "secret.bin").write_bytes(bytes(36))
    assert "cannot be loaded" in refusal(tmp_path / "model", model.SerializeToString())
