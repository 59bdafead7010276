"""Kennel's preprocessing compared with plain PIL's time and with torchvision's pixels. `benchmarks.serving` runs it."""

import io
import statistics
import time
from collections.abc import Callable, Sequence

from PIL import Image

from benchmarks.serving_inputs import Inputs
from inference.artifact import load
from inference.photo.preprocessing import Preprocessing


def twelve_megapixels(inputs: Inputs) -> float:
    """Time from the bytes of a 12-megapixel photo to the tensor, divided by the time of PIL's open, convert and
    resize."""
    kennel = Preprocessing()

    def plain(photo: bytes) -> object:
        image = Image.open(io.BytesIO(photo)).convert("RGB").resize((341, 256))
        return kennel.normalise(image.crop((58, 16, 282, 240)))

    times: dict[str, list[float]] = {"kennel": [], "plain": []}
    for photo in inputs.large(10):
        times["kennel"].append(seconds(kennel, photo))
        times["plain"].append(seconds(plain, photo))
    return statistics.median(times["kennel"]) / statistics.median(times["plain"])


def same_answers(inputs: Inputs, photos: Sequence[bytes]) -> tuple[float, float]:
    """Kennel's pre-processing compared with torchvision's: share of equal top breeds, and largest probability
    difference.

    Uses the float32 network: with the int8 network, half a level on all pixels already changes a probability by 0.04.
    """
    import torch
    from safetensors.torch import load_file
    from torchvision import transforms
    from torchvision.models import resnet50

    artifact = load(inputs.model_dir)
    preprocessing = artifact.manifest.preprocessing
    network = resnet50(num_classes=len(artifact.labels)).eval()
    network.load_state_dict(load_file(inputs.model_dir / "model.safetensors"))
    pipeline = transforms.Compose(
        [
            transforms.Resize(preprocessing.resize),
            transforms.CenterCrop(preprocessing.crop),
            transforms.ToTensor(),
            transforms.Normalize(preprocessing.mean, preprocessing.std),
        ]
    )
    equal, largest = 0, 0.0
    with torch.inference_mode():
        for photo in photos:
            both = torch.stack(
                [torch.from_numpy(preprocessing(photo)), pipeline(Image.open(io.BytesIO(photo)).convert("RGB"))]
            )
            kennel, reference = network(both).softmax(1)
            equal += int(kennel.argmax() == reference.argmax())
            largest = max(largest, float((kennel - reference).abs().max()))
    return equal / len(photos), largest


def seconds(work: Callable[[bytes], object], photo: bytes) -> float:
    started = time.perf_counter()
    work(photo)
    return time.perf_counter() - started
