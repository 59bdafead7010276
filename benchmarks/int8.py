"""float32, int8 with weights of 8 bits and int8 with weights of 7 bits, on the processor as it is and limited to AVX2.

    make bench-quantisation
    make bench-quantisation ARGS='--data dogImages --weights resnet50.safetensors'

One head is trained on frozen features. Each model then classifies valid and test, one photo at a time as in
serving; losses have the temperature that the model would get from valid. Differences are int8 minus float32 on the same
processor, paired by photo, with their standard error. "kernels" are those that OpenVINO chose for the convolutions, so
the table shows whether OpenVINO obeyed the limit (ONEDNN_MAX_CPU_ISA).
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file

from benchmarks.inputs import add_options, for_training
from benchmarks.processor import print_processor
from benchmarks.training_time import lines_of
from inference.cores import usable_cores
from inference.photo.preprocessing import Pixels, Preprocessing
from inference.runtime import Network
from training.data.dataset import DataSet, scan
from training.evaluation.calibration import fit_temperature, softmax
from training.evaluation.predictions import targets_of
from training.export.onnx_graph import to_onnx
from training.export.quantise import CALIBRATION_PHOTOS, quantise
from training.model.backbone import RESNET50

MODELS = ("float32", "int8, 8-bit weights", "int8, 7-bit weights")
LIMITS: dict[str, dict[str, str]] = {"as it is": {}, "limited to AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2"}}
SPLITS = ("valid", "test")


def main() -> int:
    parser = argparse.ArgumentParser(description="Accuracy and speed of int8, with and without VNNI.")
    add_options(parser, weights="ImageNet's")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        measure(options.child)
        return 0
    print_processor()
    with for_training(options) as (work, data_dir, weights):
        data = scan(data_dir)
        prepare(work, data, data_dir, weights)
        print(f"{len(data.labels)} breeds")
        for limit, env in LIMITS.items():
            command = [sys.executable, "-m", "benchmarks.int8", "--child", str(work)]
            ended = subprocess.run(command, env={**os.environ, **env}, check=True, capture_output=True, text=True)
            report(limit, work, data, json.loads(ended.stdout))
    return 0


def prepare(work: Path, data: DataSet, data_dir: Path, weights: str) -> None:
    """Train a head, and write the three models and the preprocessed photos into `work`."""
    given = ["--data", str(data_dir), "--pretrained", weights, "--precision", "fp32", "--model-dir", str(work / "m")]
    for _ in lines_of(["training.train", *given]):
        pass
    model = RESNET50.build(len(data.labels), False)
    model.load_state_dict(load_file(work / "m" / "model.safetensors"))
    preprocessing = Preprocessing()
    network = to_onnx(model, preprocessing.crop)
    train = data.used("train")
    count = min(len(train), max(CALIBRATION_PHOTOS, len(data.labels)))
    calibration = [preprocessing(train[len(train) * i // count].path.read_bytes()) for i in range(count)]
    made = [network, *(quantise(network, calibration, full_range=full) for full in (True, False))]
    for name, content in zip(MODELS, made, strict=True):
        (work / f"{name}.onnx").write_bytes(content)
    for split in SPLITS:
        photos = [preprocessing(photo.path.read_bytes()) for photo in data.used(split)]
        np.save(work / f"{split}.npy", np.stack(photos))


def measure(work: Path) -> None:
    """In a process of its own, because OpenVINO reads the limit once: logits, times and kernels of each model.

    The models alternate on each photo, so that a busy machine slows all of them.
    """
    networks = {name: Network((work / f"{name}.onnx").read_bytes(), threads=usable_cores()) for name in MODELS}
    times: dict[str, list[float]] = {name: [] for name in MODELS}
    for split in SPLITS:
        photos: Pixels = np.load(work / f"{split}.npy", mmap_mode="r")
        logits: dict[str, list[Any]] = {name: [] for name in MODELS}
        for photo in photos:
            for name, network in networks.items():
                before = time.perf_counter()
                logits[name].append(network.logits(np.array(photo[np.newaxis]))[0])
                times[name].append(time.perf_counter() - before)
        for name, rows in logits.items():
            np.save(work / f"{split} {name}.npy", np.stack(rows))
    found = {
        name: {"ms": float(np.median(times[name])) * 1000, "kernels": kernels(network)}
        for name, network in networks.items()
    }
    print(json.dumps(found))


def kernels(network: Network) -> str:
    """The kernels that OpenVINO chose for the convolutions, with their number."""
    compiled = network._compiled.get_runtime_model()
    chosen = [node.get_rt_info() for node in compiled.get_ordered_ops()]
    counted = Counter(
        str(info["primitiveType"].astype(str)) for info in chosen if info["layerType"].astype(str) == "Convolution"
    )
    return ", ".join(f"{kernel} x {count}" for kernel, count in counted.most_common())


def report(limit: str, work: Path, data: DataSet, found: dict[str, dict[str, Any]]) -> None:
    print(f"\n{limit}")
    for name in MODELS:
        share = found[name]["ms"] / found["float32"]["ms"]
        print(f"  {name:22} {share:5.2f} of float32's median ms; kernels: {found[name]['kernels']}")
    for split in SPLITS:
        targets = targets_of(data.used(split))
        correct, losses, best = {}, {}, {}
        for name in MODELS:
            temperature = fit_temperature(np.load(work / f"valid {name}.npy"), targets_of(data.used("valid")))
            probabilities = softmax(np.load(work / f"{split} {name}.npy") / temperature)
            best[name] = probabilities.argmax(axis=1)
            correct[name] = (best[name] == targets).astype(float)
            losses[name] = -np.log(probabilities[np.arange(len(targets)), targets])
            accuracy, loss = (paired(each[name] - each["float32"]) for each in (correct, losses))
            print(
                f"  {split:6} {name:22} accuracy {correct[name].mean():.3f} ({accuracy}), "
                f"loss {losses[name].mean():.3f} ({loss}), same breed {np.mean(best[name] == best['float32']):.3f}, "
                f"{len(targets)} photos"
            )


def paired(differences: Any) -> str:
    error = differences.std(ddof=1) / len(differences) ** 0.5
    return f"{differences.mean():+.4f} ± {error:.4f}"


if __name__ == "__main__":
    sys.exit(main())
