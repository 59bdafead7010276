"""The processor's instruction sets that decide how fast int8 is, and whether full-range int8 weights would saturate."""

from pathlib import Path

INSTRUCTION_SETS = ("avx2", "avx512_vnni", "avx512_bf16", "amx_int8")
"""Names as in /proc/cpuinfo."""


def instruction_sets(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """Those of INSTRUCTION_SETS that the first processor has. Empty where the system has no /proc/cpuinfo (macOS), and
    on processors of another architecture."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return ()
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return tuple(name for name in INSTRUCTION_SETS if name in flags)
