"""The measures of the test photos, with which the photos of callers are compared later (inference/drift)."""

from concurrent.futures import ThreadPoolExecutor

from inference.drift.appearance import Appearance, appearance
from inference.drift.reference import MOST_PHOTOS, Photos
from inference.photo.preprocessing import Preprocessing
from training.data.cores import cores
from training.data.dataset import Photo
from training.evaluation.predictions import Predictions


def reference_photos(test: Predictions, preprocessing: Preprocessing) -> Photos:
    """Measure the photos of the predictions, of more than MOST_PHOTOS an even part.

    test: what the exported artifact predicts for the photos, as served. The photos have been read before.
    """
    count = len(test.photos)
    chosen = range(count) if count <= MOST_PHOTOS else [count * i // MOST_PHOTOS for i in range(MOST_PHOTOS)]

    def look(photo: Photo) -> Appearance:
        return appearance(photo.path.read_bytes(), preprocessing)

    with ThreadPoolExecutor(cores()) as pool:
        looks = list(pool.map(look, [test.photos[i] for i in chosen]))
    confidence, predicted = test.probabilities.max(axis=1), test.predicted
    return Photos.of(
        [
            (float(confidence[i]), int(predicted[i]), found.brightness, found.shorter_side)
            for i, found in zip(chosen, looks, strict=True)
        ]
    )
