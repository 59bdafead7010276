"""Inputs of the serving benchmarks: an artifact that training exported, and photos to send.

Without --data and --weights: drawn dogs at 500 x 375, and ResNet50 with random weights. They are made once and kept in
build/bench/.
"""

import argparse
import hashlib
import io
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from benchmarks.inputs import add_options
from sample_dogs.dataset import DEFAULT_COUNTS, write_sample

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "build" / "bench"

LARGE = (4000, 3000)
"""Size of a phone's photo: 12 megapixels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    model_dir: Path
    photos: list[bytes]
    """The JPEG files of `test`."""
    described: str

    def large(self, count: int) -> list[bytes]:
        """Up to `count` of the photos, enlarged to 12 megapixels."""
        return [enlarged(photo) for photo in self.photos[:: max(1, len(self.photos) // count)][:count]]


def options(parser: argparse.ArgumentParser) -> None:
    """Add --model, --data and --weights."""
    parser.add_argument(
        "--model", type=Path, help="an artifact to serve (default: trained on the photos once, then kept)"
    )
    add_options(parser, weights="random ones")


def prepare(model: Path | None, data: Path | None, weights: Path | None) -> Inputs:
    """Find or make the artifact and the photos. Raises SystemExit with a message if that fails."""
    named = "-".join(str(path.resolve()) for path in (data, weights) if path)
    data = data or _drawn()
    model = model or _trained(data, weights or _random_weights(), _folder_name(named))
    files = sorted(data.glob("test/*/*.jpg"))
    if not files:
        raise SystemExit(f"There are no photos in {data}/test/<breed>/*.jpg; name another folder (--data).")
    kind = "drawn dogs at 500 x 375" if data == KEPT / "drawn" else f"photos of {data}"
    photos = [file.read_bytes() for file in files]
    if data == KEPT / "drawn":
        photos = [encoded(photo, (500, 375)) for photo in photos]
    return Inputs(model_dir=model, photos=photos, described=f"{len(photos)} {kind}")


def in_float32(model_dir: Path) -> Path:
    """The same network in float32, from the artifact's weights: what the job would serve if int8 were refused, but
    without a temperature."""
    from safetensors.torch import load_file

    from inference import artifact
    from training.export.onnx_graph import to_onnx
    from training.model.backbone import RESNET50

    loaded = artifact.load(model_dir)
    folder = KEPT / f"float32-{loaded.manifest.id}"
    if not (folder / artifact.MANIFEST).is_file():
        network = RESNET50.build(len(loaded.labels), False)
        network.load_state_dict(load_file(model_dir / "model.safetensors"))
        contents = {
            artifact.MODEL: to_onnx(network, loaded.manifest.preprocessing.crop),
            artifact.LABELS: (model_dir / artifact.LABELS).read_bytes(),
            "model.safetensors": (model_dir / "model.safetensors").read_bytes(),
        }
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        files = {name: artifact.sha256(content) for name, content in contents.items()}
        replace(loaded.manifest, precision="fp32", files=files).write(folder)
    return folder


def enlarged(photo: bytes) -> bytes:
    """The photo at 4000 x 3000, with grain like a camera's noise."""
    image = Image.open(io.BytesIO(photo)).convert("RGB").resize(LARGE, Image.Resampling.BICUBIC)
    grain = Image.effect_noise(LARGE, 12).convert("RGB")
    return _saved(Image.blend(image, grain, 0.1), "JPEG")


def encoded(photo: bytes, size: tuple[int, int], format: str = "JPEG") -> bytes:
    """The photo at another size, or in another format."""
    image = Image.open(io.BytesIO(photo)).convert("RGB").resize(size, Image.Resampling.BICUBIC)
    return _saved(image, format)


def _saved(image: Image.Image, format: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, quality=90)
    return buffer.getvalue()


def _drawn() -> Path:
    folder = KEPT / "drawn"
    if not (folder / "test").is_dir():
        print("== drawing dogs", flush=True)
        write_sample(folder, counts={**DEFAULT_COUNTS, "test": 20})
    return folder


def _random_weights() -> Path:
    from safetensors.torch import save_file

    from training.model.network import build

    file = KEPT / "random.safetensors"
    if not file.is_file():
        KEPT.mkdir(parents=True, exist_ok=True)
        save_file(build(10, "none").state_dict(), file)
    return file


def _folder_name(inputs: str) -> str:
    """One for each pair of photos and weights, so that a kept model is never that of other inputs."""
    return hashlib.sha256(inputs.encode()).hexdigest()[:8] if inputs else "drawn"


def _trained(data: Path, weights: Path, name: str) -> Path:
    folder = KEPT / f"model-{name}"
    if not (folder / "manifest.json").is_file():
        _run(
            f"training a head on {data} (a minute or two, once)",
            *("-m", "training.train", "--data", str(data), "--pretrained", str(weights)),
            *("--model-dir", str(folder), "--epochs", "10"),
        )
    return folder


def _run(what: str, *arguments: str) -> None:
    print(f"== {what}", flush=True)
    ended = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"This step failed: {what}. Its last lines:\n{(ended.stdout + ended.stderr)[-2000:]}")
