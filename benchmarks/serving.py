"""Kennel's server compared with AWS's PyTorch serving stack (TorchServe, eager ResNet50), in alternation in one run.

    make bench-serving
    make bench-serving ARGS="--rounds 9"
    make bench-serving ARGS="--without-reference"     # Kennel alone: no Java, no second environment
    make bench-serving ARGS="--limit-to-avx2"         # both servers as on a processor without AVX-512 and VNNI
    make bench-serving ARGS="--float32"               # Kennel's network in float32, as if int8 had been refused

Both servers use the same two cores and the same weights. Kennel's server runs the artifact that training exported. If
the machine has no other cores, the load generator shares these two, and the table says so. The reference runs twice,
with its defaults and with OMP_NUM_THREADS=1, and each goal uses the better of the two. "processor ms" is what all
threads of a server have run for one request, sent alone: other programs on the machine change it far less than a time.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks import serving_processes as processes
from benchmarks.goals import goal
from benchmarks.http_load import Response, drive, invocation
from benchmarks.processor import print_processor
from benchmarks.serving_inputs import KEPT, Inputs, in_float32, options, prepare
from benchmarks.serving_preprocessing import same_answers, seconds, twelve_megapixels
from benchmarks.serving_processes import Server
from inference.classifier import Classifier
from inference.processor import instruction_sets
from rehearsal.processes import ProcessGroup

CORES = 2
CONCURRENCY = 8

AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
"""What limits oneDNN (in OpenVINO and in torch), ATen and NumPy to AVX2. The Makefile has the same variable."""

_classifier: Classifier


def main() -> None:
    parser = argparse.ArgumentParser(description="Kennel's server compared with AWS's PyTorch serving stack.")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each server (default: 5)")
    parser.add_argument(
        "--photos", type=int, default=60, help="sent to Kennel in each round; the reference gets a third"
    )
    parser.add_argument("--without-reference", action="store_true", help="measure Kennel alone")
    parser.add_argument("--limit-to-avx2", action="store_true", help="let both servers use AVX2 at most")
    parser.add_argument("--float32", action="store_true", help="serve Kennel's network in float32")
    options(parser)
    arguments = parser.parse_args()
    print_processor()
    if arguments.limit_to_avx2:
        os.environ.update(AVX2)
        print(f"limited to AVX2: {AVX2}")
    missing = None if arguments.without_reference else processes.missing_for_reference()
    if missing:
        raise SystemExit(f"{missing} To measure Kennel alone, add --without-reference.")
    inputs = prepare(arguments.model, arguments.data, arguments.weights)
    if arguments.float32:
        inputs = replace(inputs, model_dir=in_float32(inputs.model_dir))

    usable = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, usable[:CORES])  # inherited by the servers
    starts = [start_s(inputs.model_dir) for _ in range(5)]
    with tempfile.TemporaryDirectory() as logs, ProcessGroup(Path(logs)) as group:
        servers = {"kennel": processes.kennel(group, inputs.model_dir)}
        if not arguments.without_reference:
            folder = processes.reference_model(inputs.model_dir, KEPT / "reference")
            print("== starting TorchServe, with its defaults and with OMP_NUM_THREADS=1", flush=True)
            for name, env in {"torchserve": {}, "torchserve, 1 thread": {"OMP_NUM_THREADS": "1"}}.items():
                servers[name] = processes.reference(group, folder, inputs.photos[0], name, env)
        resident = {name: server.resident_mb() for name, server in servers.items()}
        with ProcessPoolExecutor(1, get_context("spawn"), load_classifier, (inputs.model_dir,)) as bare:
            bare.submit(rate_in_process, inputs.photos[:1]).result()  # started now, so that it inherits the two cores
            if usable[CORES:]:
                os.sched_setaffinity(0, usable[CORES:])  # the load generator gets its own cores
            latencies, rates, processor, loop, inside = measure(
                servers, bare, inputs, arguments.rounds, arguments.photos
            )
            shares = bare.submit(processor_in_process, inputs.photos[: arguments.photos]).result()
        peak = servers["kennel"].resident_mb("VmHWM")

    shared = "on the same cores" if not usable[CORES:] else "on other cores"
    print(f"\n{inputs.described}; precision {processes.precision(inputs.model_dir)}; ", end="")
    print(f"{CORES} cores, load generator {shared}; {arguments.rounds} rounds each\n")
    table(servers, latencies, rates, processor, resident)
    p50 = {name: quantile(of, 0.5) for name, of in latencies.items()}
    p99 = quantile(latencies["kennel"], 0.99)
    rate = {name: statistics.median(of) for name, of in rates.items()}
    run = {name: statistics.median(of) * 1000 for name, of in processor.items()}
    possible = statistics.median(loop)
    photo, network = (share * 1000 for share in shares)
    print(
        f"\nKennel's processor time of one request, ms: photo to tensor {photo:.2f}, network {network:.2f}, "
        f"HTTP and JSON {run['kennel'] - photo - network:.2f}\n"
    )
    if len(servers) > 1:
        others = [name for name in servers if name != "kennel"]
        has_vnni = "avx512_vnni" in instruction_sets() and not arguments.limit_to_avx2
        goal(
            f"p50, reference / Kennel ({'VNNI' if has_vnni else 'no VNNI'})",
            min(p50[name] for name in others) / p50["kennel"],
            at_least=6 if has_vnni else 4,
        )
        print(f"{'processor time, reference / Kennel':70}{min(run[name] for name in others) / run['kennel']:10.4g}")
        goal("throughput, Kennel / reference", rate["kennel"] / max(rate[name] for name in others), at_least=6)
    goal("p99 / p50 at concurrency 1", p99 / p50["kennel"], at_most=2)
    goal(
        f"throughput / in-process loop ({possible:.0f} photos/s: decode and model, no HTTP)",
        rate["kennel"] / possible,
        at_least=0.8,
    )
    goal("HTTP and JSON overhead for one photo, ms", (p50["kennel"] - statistics.median(inside)) * 1000, at_most=1)
    goal("ready after, s", statistics.median(starts), at_most=2)
    goal("peak resident memory, MB", peak, at_most=300)
    goal("12 megapixels to tensor, time / plain PIL", twelve_megapixels(inputs), at_most=1 / 3)
    for kind, photos in {"unchanged photos": inputs.photos[:200], "photos at 12 megapixels": inputs.large(20)}.items():
        agreement, largest = same_answers(inputs, photos)
        goal(f"share with torchvision's top breed, {len(photos)} {kind}", agreement, at_least=0.99)
        goal(f"largest probability difference, {len(photos)} {kind}", largest, at_most=0.02)


def start_s(model_dir: Path) -> float:
    with tempfile.TemporaryDirectory() as logs, ProcessGroup(Path(logs)) as group:
        return processes.kennel(group, model_dir).ready_s


def measure(
    servers: dict[str, Server], bare: ProcessPoolExecutor, inputs: Inputs, rounds: int, photos: int
) -> tuple[dict[str, list[float]], dict[str, list[float]], dict[str, list[float]], list[float], list[float]]:
    """Latencies, rates, processor times, and the rates and latencies of the in-process loop.

    Latencies: seconds of single requests, by server. Rates: photos/s at concurrency 8, by server. Processor times:
    seconds for each single request, by server, one for each round.
    """
    latencies: dict[str, list[float]] = {name: [] for name in servers}
    rates: dict[str, list[float]] = {name: [] for name in servers}
    processor: dict[str, list[float]] = {name: [] for name in servers}
    loop: list[float] = []
    inside: list[float] = []
    for turn in range(rounds + 1):  # the first is a warm-up
        print(f"== round {turn} of {rounds}" if turn else "== warming up", flush=True)
        for name, server in servers.items():
            few = photos if name == "kennel" else max(CONCURRENCY, photos // 3)
            requests = [invocation(photo) for photo in _some(inputs.photos, few, turn)]
            before = server.processor_s()
            alone = [response.seconds for response in _good(drive(server.port, requests, concurrency=1))]
            run = (server.processor_s() - before) / len(requests)
            many = requests * (4 if name == "kennel" else 1)
            started = time.perf_counter()
            _good(drive(server.port, many, concurrency=CONCURRENCY))
            rate = len(many) / (time.perf_counter() - started)
            if turn:
                latencies[name] += alone
                rates[name].append(rate)
                processor[name].append(run)
        rate = bare.submit(rate_in_process, _some(inputs.photos, photos * 4, turn)).result()
        if turn:
            loop.append(rate)
            inside += bare.submit(seconds_in_process, _some(inputs.photos, photos, turn)).result()
    return latencies, rates, processor, loop, inside


def load_classifier(model_dir: Path) -> None:
    """Initialise the process of the in-process loop."""
    global _classifier
    _classifier = Classifier(model_dir)


def rate_in_process(photos: Sequence[bytes]) -> float:
    """Photos/s of decode and model alone, on two threads: the upper limit of these cores."""
    started = time.perf_counter()
    with ThreadPoolExecutor(CORES) as threads:
        list(threads.map(_classifier.predict, photos))
    return len(photos) / (time.perf_counter() - started)


def seconds_in_process(photos: Sequence[bytes]) -> list[float]:
    """Seconds of decode and model for each photo, one at a time."""
    return [seconds(_classifier.predict, photo) for photo in photos]


def quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def table(
    servers: dict[str, Server],
    latencies: dict[str, list[float]],
    rates: dict[str, list[float]],
    processor: dict[str, list[float]],
    resident: dict[str, float],
) -> None:
    print(
        f"{'':22}{'p50 ms':>8}{'p99 ms':>8}{'processor ms':>14}{'photos/s at 8':>15}{'ready after s':>16}"
        f"{'resident MB':>13}"
    )
    for name, server in servers.items():
        p50, p99 = (quantile(latencies[name], share) * 1000 for share in (0.5, 0.99))
        rate, run = statistics.median(rates[name]), statistics.median(processor[name]) * 1000
        print(f"{name:22}{p50:8.1f}{p99:8.1f}{run:14.1f}{rate:15.1f}{server.ready_s:16.1f}{resident[name]:13.0f}")


def processor_in_process(photos: Sequence[bytes]) -> tuple[float, float]:
    """Seconds that all threads run for one photo: from its bytes to the tensor, and for the network."""
    started = time.process_time()
    tensors = [_classifier.preprocessing(photo)[np.newaxis] for photo in photos]
    decoded = time.process_time()
    for tensor in tensors:
        _classifier.probabilities(tensor)
    return (decoded - started) / len(photos), (time.process_time() - decoded) / len(photos)


def _some(photos: Sequence[bytes], count: int, turn: int) -> list[bytes]:
    return [photos[(turn * count + number) % len(photos)] for number in range(count)]


def _good(responses: Sequence[Response | OSError]) -> list[Response]:
    good = [response for response in responses if isinstance(response, Response) and response.status == 200]
    if len(good) < len(responses):
        raise SystemExit(
            f"{len(responses) - len(good)} of {len(responses)} requests got no valid response, so nothing was measured."
        )
    return good


if __name__ == "__main__":
    main()
