"""The core that the server, the training job's proof and the tests share: photo bytes in, breeds out."""

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from PIL import Image

from inference import artifact
from inference.artifact import ArtifactError
from inference.errors import RequestError
from inference.images import Pixels

DEFAULT_TOP_K = 5


@dataclass(frozen=True, slots=True)
class Prediction:
    """One breed and how probable the model holds it, 0..1."""

    breed: str
    probability: float


class Classifier:
    """A loaded, verified artifact that has answered a photo. Safe to call from several threads at once.

    Raises ArtifactError where the folder is not a sound artifact, or its network does not answer as one should.
    """

    def __init__(self, model_dir: str | os.PathLike[str], *, threads: int | None = None) -> None:
        loaded = artifact.load(Path(model_dir))
        self.labels = loaded.labels
        self.manifest = loaded.manifest
        self.preprocessing = loaded.manifest.preprocessing
        self._session = session(loaded.model, threads)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or len(outputs[0].shape) != 2:
            raise ArtifactError(
                "model.onnx must take one tensor and answer one of (photos, classes), but it takes "
                f"{len(inputs)} and answers {', '.join(str(output.shape) for output in outputs)}; train again."
            )
        self._input = inputs[0].name
        classes = outputs[0].shape[1]
        if classes != len(self.labels):
            raise ArtifactError(
                f"model.onnx answers {classes} classes, but labels.json names {len(self.labels)}; train again."
            )
        self.check()

    @property
    def model_id(self) -> str:
        return self.manifest.id

    def check(self) -> None:
        """Answer a drawn photo. Raises ArtifactError where that does not work."""
        try:
            self.predict(_any_photo())
        except Exception as error:  # onnxruntime's private types, or ours: the remedy is the same
            raise ArtifactError(f"model.onnx loads but cannot predict ({_first_line(error)}); train again.") from error

    def predict(self, image_bytes: bytes, *, top_k: int = DEFAULT_TOP_K) -> list[Prediction]:
        """The `top_k` most probable breeds of one photo (JPEG, PNG or WebP), best first.

        `top_k` larger than the number of breeds gives them all. Raises RequestError for bytes that are no photo and
        for a `top_k` below 1.
        """
        if top_k < 1:
            raise RequestError(400, "bad_top_k", f"top_k is {top_k}; ask for at least 1 breed.")
        probabilities = self.probabilities(self.preprocessing(image_bytes)[np.newaxis])[0]
        best = np.argsort(-probabilities, kind="stable")[:top_k]
        return [Prediction(self.labels[index], float(probabilities[index])) for index in best]

    def probabilities(self, batch: Pixels) -> npt.NDArray[np.float32]:
        """Softmax over the classes: (n, 3, crop, crop) pre-processed pixels in, (n, classes) out.

        Raises ArithmeticError where the network answers something infinite, or no number.
        """
        (logits,) = self._session.run(None, {self._input: batch})
        if not np.isfinite(logits).all():
            raise ArithmeticError("its answer is not finite")
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        result: npt.NDArray[np.float32] = shifted / shifted.sum(axis=1, keepdims=True)
        return result


def _any_photo() -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0][:200]


def usable_cores() -> int:
    """Cores that this process may run on, which in a container or under taskset are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def session(model: bytes, threads: int | None = None) -> ort.InferenceSession:
    """An ONNX model ready to run on the CPU, with `threads` (default: every usable core) to a prediction.

    Raises ArtifactError where onnxruntime refuses the model.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = usable_cores() if threads is None else threads
    options.log_severity_level = 3  # errors only: warnings about graph optimisation are not the operator's business
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a dozen private types over a bad graph
        raise ArtifactError(
            f"model.onnx cannot be loaded by onnxruntime ({_first_line(error)}); train again."
        ) from error
