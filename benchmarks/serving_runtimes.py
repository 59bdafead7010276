"""Runtimes and thread counts for the int8 model. Each configuration has its own process, in alternation.

    python -m benchmarks.serving_runtimes
    python -m benchmarks.serving_runtimes --model build/model --rounds 5

"alone" is the median time of one caller's predictions, "together" the rate of three callers, "resident" the memory of
the process afterwards, with numpy, the runtime and the model. In the last rows OpenVINO may not use the AMX
instructions, which the processors of ml.m5 instances lack: AVX-512 with VNNI remains. (onnxruntime has no such switch.)
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.processor import print_processor
from benchmarks.serving_inputs import options, prepare

WITHOUT_AMX = {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI"}
CONFIGURATIONS: dict[str, tuple[list[str], dict[str, str]]] = {
    "onnxruntime, 2 threads a photo": (["onnxruntime", "2", "1"], {}),
    "onnxruntime, 1 thread a photo": (["onnxruntime", "1", "1"], {}),
    "OpenVINO, 2 threads a photo": (["openvino", "2", "1"], {}),
    "OpenVINO, 1 thread a photo, 2 streams": (["openvino", "2", "2"], {}),
    "OpenVINO without AMX, 2 threads a photo": (["openvino", "2", "1"], WITHOUT_AMX),
    "OpenVINO without AMX, 1 thread a photo, 2 streams": (["openvino", "2", "2"], WITHOUT_AMX),
}

Run = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description="Runtimes and threads for the int8 model.")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each configuration (default: 3)")
    parser.add_argument("--child", nargs=3, metavar=("RUNTIME", "THREADS", "STREAMS"), help=argparse.SUPPRESS)
    options(parser)
    arguments = parser.parse_args()
    if arguments.child:
        runtime, threads, streams = arguments.child
        print(json.dumps(measured(runtime, int(threads), int(streams), (arguments.model / "model.onnx").read_bytes())))
        return
    print_processor()
    model = prepare(arguments.model, arguments.data, arguments.weights).model_dir
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    found: dict[str, list[dict[str, float]]] = {name: [] for name in CONFIGURATIONS}
    for _ in range(arguments.rounds):
        for name, (child, env) in CONFIGURATIONS.items():
            command = [sys.executable, "-m", "benchmarks.serving_runtimes", "--model", str(model), "--child", *child]
            ended = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=True)
            found[name].append(json.loads(ended.stdout))
    print(f"{'':52}{'alone ms':>10}{'together /s':>13}{'load s':>8}{'resident MB':>13}")
    for name, runs in found.items():
        alone, together, load, resident = (statistics.median(run[key] for run in runs) for key in runs[0])
        print(f"{name:52}{alone:10.2f}{together:13.0f}{load:8.2f}{resident:13.0f}")


def measured(runtime: str, threads: int, streams: int, model: bytes) -> dict[str, float]:
    started = time.perf_counter()
    run = onnxruntime(model, threads) if runtime == "onnxruntime" else openvino(model, threads, streams)
    run()
    load = time.perf_counter() - started
    times = []
    for _ in range(150):
        before = time.perf_counter()
        run()
        times.append(time.perf_counter() - before)
    before, count = time.perf_counter(), 300
    with ThreadPoolExecutor(3) as callers:
        for _ in callers.map(lambda _: run(), range(count)):
            pass
    together = count / (time.perf_counter() - before)
    (resident,) = (line.split()[1] for line in _status() if line.startswith("VmRSS:"))
    return {
        "alone": statistics.median(times) * 1000,
        "together": together,
        "load": load,
        "resident": int(resident) / 1024,
    }


def onnxruntime(model: bytes, threads: int) -> Run:
    import onnxruntime as ort

    settings = ort.SessionOptions()
    settings.intra_op_num_threads = threads
    session = ort.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    photo = _photo()
    return lambda: session.run(None, {session.get_inputs()[0].name: photo})


def openvino(model: bytes, threads: int, streams: int) -> Run:
    import openvino as ov

    core = ov.Core()
    graph = core.read_model(model)
    graph.reshape([1, *_photo().shape[1:]])
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": streams, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(graph, "CPU", settings)
    idle = [compiled.create_infer_request() for _ in range(3)]
    photo = _photo()

    def run() -> None:
        request = idle.pop()
        request.infer([photo], share_inputs=True)
        idle.append(request)

    return run


def _photo() -> Any:
    return np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32)


def _status() -> list[str]:
    return Path("/proc/self/status").read_text().splitlines()


if __name__ == "__main__":
    main()
