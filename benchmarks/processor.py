"""The processor that a benchmark ran on: the first line of each benchmark's output, and its cell in the document."""

import os
import platform
from pathlib import Path

from inference.cores import usable_cores
from inference.processor import instruction_sets


def print_processor() -> None:
    print(described(), flush=True)


def described(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Model, instruction sets that matter to int8, and usable cores, such as
    `processor: AMD EPYC 9R14 (avx2, avx512_vnni, avx512_bf16), 2 usable cores`."""
    sets = ", ".join(instruction_sets(cpuinfo)) or "no instruction set that matters to int8"
    return f"processor: {model(cpuinfo)} ({sets}), {usable_cores()} usable cores"


def model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The name of the first processor. Where /proc/cpuinfo has none (macOS, Arm), the architecture."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def processor_s(pid: int) -> float:
    """Processor time that all threads of a process have run, in seconds (resolution 0.01)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
