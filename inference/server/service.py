"""The model in the server: loads it, predicts with it, and reports whether predictions succeed."""

import time
from pathlib import Path

from inference.artifact import ArtifactError
from inference.classifier import Classifier
from inference.photo.errors import PhotoError
from inference.processor import instruction_sets
from inference.server.errors import RequestError
from inference.server.log import elapsed_s, log

STUCK_S = 60
"""A prediction that runs longer no longer has a caller, and /ping reports that the model has stopped answering."""


class Service:
    """The model in the server. It loads, and is then ready or has failed; it is not ready while predictions fail."""

    def __init__(self, model_dir: Path) -> None:
        self._model_dir = model_dir
        self._classifier: Classifier | None = None
        self._broken = False
        self._running: dict[object, float] = {}
        self.failure: str | None = None

    @property
    def ready(self) -> bool:
        stuck = any(time.monotonic() - since > STUCK_S for since in list(self._running.values()))
        return self._classifier is not None and not self._broken and not stuck

    def load(self) -> None:
        """Load the artifact and make one prediction. The service is ready after that.

        Raises ArtifactError if either fails.
        """
        started = time.perf_counter()
        classifier = Classifier(self._model_dir)
        self._classifier = classifier
        log(
            "ready",
            model=classifier.model_id,
            processor=instruction_sets(),
            breeds=len(classifier.labels),
            load_s=elapsed_s(started),
        )

    def predictions(self, photo: bytes, top_k: int) -> list[dict[str, object]]:
        """The predictions for one photo, best first.

        Raises RequestError where the model is not loaded or the photo cannot be decoded. Any other exception is a bug.
        """
        classifier, call = self.classifier, object()
        self._running[call] = time.monotonic()
        try:
            predictions = classifier.predict(photo, top_k=top_k)
        except PhotoError as error:
            raise RequestError.of_photo(error) from error
        except Exception:
            self._broken = not _still_predicts(classifier)  # so that one unusual photo does not make /ping fail
            raise
        finally:
            del self._running[call]
        self._broken = False
        return [{"breed": p.breed, "probability": round(p.probability, 6)} for p in predictions]

    @property
    def classifier(self) -> Classifier:
        """The loaded classifier. Raises RequestError while it is loading."""
        if self._classifier is None:
            raise RequestError(503, "loading", "The model is still loading; try again in a second.")
        return self._classifier


def _still_predicts(classifier: Classifier) -> bool:
    try:
        classifier.check()
    except ArtifactError as error:
        log("broken", cause=str(error))
        return False
    return True
