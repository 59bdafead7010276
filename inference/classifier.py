"""The classifier: the bytes of a photo in, breeds out. The server and the training job's verification share it."""

import io
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from inference import artifact
from inference.artifact import ArtifactError
from inference.cores import usable_cores
from inference.photo.preprocessing import Pixels
from inference.prediction import Prediction
from inference.runtime import Network, cause

DEFAULT_TOP_K = 5


class Classifier:
    """A loaded and verified artifact that has made one prediction. Safe to call from several threads at once.

    Raises ArtifactError for a folder that is not a valid artifact, and for a network that cannot predict.
    """

    def __init__(self, model_dir: str | os.PathLike[str], *, threads: int | None = None) -> None:
        loaded = artifact.load(Path(model_dir))
        self.labels = loaded.labels
        self.manifest = loaded.manifest
        self.model_id = loaded.manifest.id  # computed once: each response names it, and it takes 0.1 ms
        self.preprocessing = loaded.manifest.preprocessing
        model = io.BytesIO(loaded.model)
        del loaded  # so that the network can free the model's bytes when it has read them
        self._network = Network(model, threads=usable_cores() if threads is None else threads)
        if self._network.classes != len(self.labels):
            raise ArtifactError(
                f"model.onnx has {self._network.classes} classes, but labels.json has {len(self.labels)} breeds; "
                "train again."
            )
        self.check()

    def check(self) -> None:
        """Predict one drawn photo. Raises ArtifactError if that fails."""
        try:
            self.predict(_drawn_photo())
        except Exception as error:  # from OpenVINO or from here: the remedy is the same
            raise ArtifactError(f"model.onnx loads but cannot predict ({cause(error)}); train again.") from error

    def predict(self, image_bytes: bytes, *, top_k: int = DEFAULT_TOP_K) -> list[Prediction]:
        """The `top_k` most probable breeds of one photo (JPEG, PNG or WebP), best first.

        A `top_k` larger than the number of breeds gives all of them. Raises PhotoError for bytes that cannot be
        decoded as a photo, and ValueError for a `top_k` below 1.
        """
        if top_k < 1:
            raise ValueError(f"top_k is {top_k}; ask for at least 1 breed.")
        probabilities = self.probabilities(self.preprocessing(image_bytes)[np.newaxis])[0]
        best = np.argsort(-probabilities, kind="stable")[:top_k]
        return [Prediction(self.labels[index], float(probabilities[index])) for index in best]

    def probabilities(self, batch: Pixels) -> npt.NDArray[np.float32]:
        """Softmax over the classes: (n, 3, crop, crop) preprocessed pixels in, (n, classes) out.

        Raises ArithmeticError if a logit is infinite or NaN.
        """
        logits = self._network.logits(batch)
        if not np.isfinite(logits).all():
            raise ArithmeticError("its output is not finite")
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        result: npt.NDArray[np.float32] = shifted / shifted.sum(axis=1, keepdims=True)
        return result


def _drawn_photo() -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()
