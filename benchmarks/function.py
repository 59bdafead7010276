"""The Lambda function compared with a bare boto3 handler, under load, and with every kind of fault of the runtime API.

    make bench-lambda
    make bench-lambda ARGS="--parts start own --rounds 30"

The functions run in AWS's runtime client with the packages of Lambda's Python and nothing else; the sockets are real.
The endpoint is a local server, so the figures are those of the function.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.function_environments import Functions
from benchmarks.function_fault_kinds import measure_kinds, measure_throttling
from benchmarks.function_load import measure_load
from benchmarks.function_time import load, measure_own_time, measure_start
from benchmarks.processor import print_processor
from tests.faults.fault_server import answers, misbehaving

PARTS = ("start", "own", "load", "kinds", "throttling")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure (default: all)")
    parser.add_argument("--rounds", type=int, default=15, help="starts of each function (default: 15)")
    parser.add_argument("--calls", type=int, default=1000, help="for the own time (default: 1,000)")
    parser.add_argument("--load", type=int, default=10_000, help="calls under load (default: 10,000)")
    parser.add_argument("--faults", type=int, default=200, help="calls for each kind of fault (default: 200)")
    parser.add_argument("--throttled", type=int, default=2000, help="calls while throttled (default: 2,000)")
    arguments = parser.parse_args()
    print_processor()
    with tempfile.TemporaryDirectory() as folder, misbehaving() as server:
        functions = Functions(Path(folder))
        measures = {
            "start": lambda: measure_start(functions, server.url, arguments.rounds),
            "own": lambda: measure_own_time(functions, server.url, arguments.calls),
            "load": lambda: measure_load(functions, server, arguments.load),
            "kinds": lambda: measure_kinds(functions, server, arguments.faults),
            "throttling": lambda: measure_throttling(functions, server, arguments.throttled),
        }
        for part in arguments.parts:
            server.play(answers)
            print(f"\n== {part}, {load()}", flush=True)
            measures[part]()


if __name__ == "__main__":
    main()
