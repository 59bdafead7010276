"""Memory of the server, in float32 and in int8: after loading, after photos of ordinary sizes, and at the peak.

    make bench-memory
    make bench-memory ARGS="--requests 2000"

float32 is what the training job serves if int8 is refused. The photos are sent at their own size, at 1, 2 and 12
megapixels, half of them alone and half of them eight at a time.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks import serving_processes as processes
from benchmarks.goals import goal
from benchmarks.http_load import Response, drive, invocation
from benchmarks.processor import print_processor
from benchmarks.serving import CONCURRENCY
from benchmarks.serving_inputs import encoded, in_float32, options, prepare
from rehearsal.processes import ProcessGroup

SIZES = ((1152, 864), (1632, 1224), (4000, 3000))
FIELDS = ("Rss", "Pss", "Private_Dirty", "Private_Clean")
MOST_MB = 300


def main() -> None:
    parser = argparse.ArgumentParser(description="Memory of the server, in float32 and in int8.")
    parser.add_argument("--requests", type=int, default=500, help="photos sent to each server (default: 500)")
    options(parser)
    arguments = parser.parse_args()
    print_processor()
    inputs = prepare(arguments.model, arguments.data, arguments.weights)
    photos = [encoded(photo, size) for photo, size in zip(inputs.photos[: len(SIZES)], SIZES, strict=True)]
    requests = [invocation(photo) for photo in (*photos, *inputs.photos[: len(SIZES) + 1])]
    print(f"\n{inputs.described}, also at 1, 2 and 12 megapixels; MB of the server's process\n")
    print(f"{'':36}{''.join(f'{field:>15}' for field in (*FIELDS, 'peak'))}")
    for model_dir in (in_float32(inputs.model_dir), inputs.model_dir):
        name = processes.precision(model_dir)
        with tempfile.TemporaryDirectory() as logs, ProcessGroup(Path(logs)) as group:
            server = processes.kennel(group, model_dir)
            row(f"{name}, loaded", server)
            for concurrency in (1, CONCURRENCY):
                count = arguments.requests // 2
                sent = [requests[number % len(requests)] for number in range(count)]
                answered = drive(server.port, sent, concurrency=concurrency)
                lost = sum(not isinstance(each, Response) or each.status != 200 for each in answered)
                if lost:
                    raise SystemExit(f"{lost} of {count} requests got no valid response, so nothing was measured.")
                row(f"{name}, {count} photos, {concurrency} at a time", server)
            resident, peak = server.resident_mb(), server.resident_mb("VmHWM")
        goal(f"{name}: resident memory, MB", resident, at_most=MOST_MB)
        goal(f"{name}: the same at its peak", peak, at_most=MOST_MB)


def row(name: str, server: processes.Server) -> None:
    memory = server.memory_mb()
    values = (*(memory[field] for field in FIELDS), server.resident_mb("VmHWM"))
    print(f"{name:36}{''.join(f'{value:15.0f}' for value in values)}", flush=True)


if __name__ == "__main__":
    main()
