"""The instruction sets that decide how int8 runs, from /proc/cpuinfo."""

from pathlib import Path

import pytest

from inference.processor import instruction_sets


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx avx2 bmi2\n", ("avx2",)),
        ("flags\t\t: amx_int8 avx512_bf16 avx512_vnni avx2\n", ("avx2", "avx512_vnni", "avx512_bf16", "amx_int8")),
        ("flags\t\t: avx512_vnni_x xavx2\n", ()),  # whole words
        ("flags : avx2\n\nflags : avx512_vnni\n", ("avx2",)),  # of the first processor
        ("Features\t: fp asimd\n", ()),  # Arm
        ("", ()),
    ],
)
def test_the_instruction_sets_are_those_of_the_first_processor(
    tmp_path: Path, content: str, expected: tuple[str, ...]
) -> None:
    (tmp_path / "cpuinfo").write_text(content)
    assert instruction_sets(tmp_path / "cpuinfo") == expected


def test_a_system_without_cpuinfo_has_no_known_instruction_sets(tmp_path: Path) -> None:
    assert instruction_sets(tmp_path / "cpuinfo") == ()
