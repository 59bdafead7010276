"""The code that a user of AWS's PyTorch serving image writes: the four handlers, for ResNet50 in eager mode.

Runs under TorchServe in `.venv-torchserve`, not in Kennel's environment. The breeds are in `labels.json` in the model's
folder.
"""

import io
import json
from pathlib import Path

import torch
from PIL import Image
from sagemaker_inference.errors import GenericInferenceToolkitError
from torchvision import transforms
from torchvision.models import resnet50

PREPROCESS = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
)


def model_fn(model_dir: str) -> tuple[torch.nn.Module, list[str]]:
    labels = json.loads((Path(model_dir) / "labels.json").read_text())
    model = resnet50(num_classes=len(labels))
    model.load_state_dict(torch.load(Path(model_dir) / "model.pth", map_location="cpu", weights_only=True))
    return model.eval(), labels


def input_fn(body: bytes, content_type: str) -> torch.Tensor:
    if not content_type.startswith("image/"):
        raise GenericInferenceToolkitError(415, f"{content_type} is not an image")
    photo: torch.Tensor = PREPROCESS(Image.open(io.BytesIO(body)).convert("RGB"))
    return photo.unsqueeze(0)


@torch.inference_mode()
def predict_fn(photo: torch.Tensor, loaded: tuple[torch.nn.Module, list[str]]) -> list[dict[str, object]]:
    model, labels = loaded
    best = torch.softmax(model(photo)[0], 0).topk(min(5, len(labels)))
    return [{"breed": labels[i], "probability": p} for p, i in zip(*map(torch.Tensor.tolist, best), strict=True)]


def output_fn(predictions: list[dict[str, object]], _: str) -> tuple[str, str]:
    return json.dumps({"predictions": predictions}), "application/json"
