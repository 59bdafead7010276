"""Whatever unpacks an archive does it with one reader: limits hold for what was packed, and memory stays small."""

import ast
import gzip
import io
import resource
import stat
import subprocess
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from contract import archive
from contract.archive import ArchiveError, Limits, Member, read_tar_gz, read_zip, unpack
from inference.artifact import ArtifactError
from ops.model import report
from ops.model.archive import unpacked
from ops.model.report import ReportError
from rehearsal.aws.runtime_api import FunctionError
from rehearsal.cloud.functions.python_runtime import PythonRuntime
from rehearsal.cloud.sagemaker.artifact import fetch
from rehearsal.cloud.sagemaker.failure import HostingError
from rehearsal.hosts import train_command
from tests.security.test_archives import HOSTILE, Hostile, many

ROOT = Path(__file__).resolve().parents[2]
FEW = Limits(unpacked_bytes=2**20, members=100)
END = bytes(1024)


def entry(name: str, size: int = 0, **fields: Any) -> bytes:
    """The header of a member."""
    member = tarfile.TarInfo(name)
    member.size = size
    for field, value in fields.items():
        setattr(member, field, value)
    return member.tobuf(tarfile.GNU_FORMAT)


def file(name: str, content: bytes) -> bytes:
    return entry(name, len(content)) + content + bytes(-len(content) % 512)


def pax(records: dict[str, str]) -> bytes:
    """A PAX header."""
    body = b""
    for key, value in records.items():
        text = f" {key}={value}\n".encode()
        length = len(text) + len(str(len(text) + 3))
        body += str(length).encode() + text
    return entry("pax", len(body), type=tarfile.XHDTYPE) + body + bytes(-len(body) % 512)


def read(packed: bytes, limits: Limits = FEW) -> dict[str, bytes]:
    return {member.name: b"".join(member.content()) for member in read_tar_gz(io.BytesIO(packed), limits)}


def refusal(packed: bytes, limits: Limits = FEW) -> str:
    with pytest.raises(ArchiveError) as caught:
        read(packed, limits)
    message = str(caught.value)
    assert message.endswith(".")
    assert message.isprintable()
    return message


def negative(name: str) -> bytes:
    """A header with the size -512, in the base-256 form of GNU tar."""
    header = bytearray(entry(name))
    header[124:136] = (-512).to_bytes(12, "big", signed=True)
    header[148:156] = b"        "
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return bytes(header)


def test_an_archive_is_read_in_order() -> None:
    packed = gzip.compress(file("./a/b.txt", b"one") + entry("c", type=tarfile.DIRTYPE) + file("c/d", b"") + END)

    assert read(packed) == {"a/b.txt": b"one", "c": b"", "c/d": b""}


def test_the_content_of_a_member_may_be_left_out() -> None:
    packed = gzip.compress(file("a", b"x" * 70_000) + file("b", b"two") + END)

    assert [member.name for member in read_tar_gz(io.BytesIO(packed), FEW)] == ["a", "b"]


def test_padding_after_the_end_is_no_data() -> None:
    assert read(gzip.compress(file("a", b"x") + bytes(10240)) + bytes(512)) == {"a": b"x"}


@pytest.mark.parametrize(("make", "sentence"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_member_is_refused_by_the_reader_or_is_a_file_that_its_caller_judges(
    make: Hostile, sentence: str
) -> None:
    """Which programs are right, only an artifact knows."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:

        def add(name: str, content: bytes = b"", **fields: Any) -> None:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for field, value in fields.items():
                setattr(member, field, value)
            tar.addfile(member, io.BytesIO(content))

        for name in ("model.onnx", "labels.json", "manifest.json"):
            add(name)
        make(add)
    if "an executable" in sentence:
        assert "code/evil.sh" in read(buffer.getvalue())
    elif make is many:
        assert "more than 100 files and folders" in refusal(buffer.getvalue())
    else:
        assert sentence in refusal(buffer.getvalue())


@pytest.mark.parametrize(
    ("packed", "sentence"),
    [
        (file("a", b"x") + END + file("b", b"second archive") + END, "it has data after its end"),
        (file("a", b"x") + b"\1" * 512 + END, "it has data after its end"),
        (file("a", b"x" * 600)[:-512], "it is truncated"),
        (file("a", b"x"), "it is truncated"),
        (entry("a", 2**40) + END, "it is truncated"),
        (negative("a") + END, "the header of a member"),
        (file("a", b"x") + negative("b") + END, "the header of a member"),
        (pax({"path": "x" * 70_000}) + file("a", b"") + END, "the header of a member claims"),
        (pax({"path": "x" * 5_000}) + file("a", b"") + END, "which no file can have"),
        (pax({"path": "../evil"}) + file("a", b"") + END, "outside the folder"),
        (pax({"size": "1099511627776"}) + file("a", b"") + END, "it is truncated"),
        (pax({"size": "-5"}) + file("a", b"") + END, "claims less than no bytes"),
        (pax({"path": "y" * 300}) + file("a", b"") + END, "which no file can have"),
        (pax({"GNU.sparse.map": "0,1", "GNU.sparse.size": "1099511627776"}) + file("a", b"x") + END, "with holes"),
        (
            pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}) + file("a", b"99999\n" + b"1\n" * 2**16) + END,
            "claims",
        ),
        (file("a", b"") + file("a/b", b"") + END, "'a/b' twice"),
        (file("a/b", b"") + file("a", b"") + END, "'a' twice"),
        (file(".", b"") + END, "which no file can have"),
        (file("a\x1b[2J\n", b"") + entry("a\x1b[2J\n", type=tarfile.SYMTYPE) + END, "a link"),
        (file("a", bytes(2**21)) + END, "it unpacks to more than 0.000976562 GiB"),
        (b"", "it is not a .tar.gz"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(packed: bytes, sentence: str) -> None:
    assert sentence in refusal(gzip.compress(packed))


def test_data_after_the_gzip_stream_is_refused() -> None:
    packed = gzip.compress(file("a", b"x") + END)

    assert "it is not a .tar.gz" in refusal(packed + b"PK\3\4 another archive")
    assert "it has data after its end" in refusal(packed + gzip.compress(file("b", b"x") + END))


def test_a_small_archive_of_much_is_refused_before_it_is_unpacked() -> None:
    packed = gzip.compress(file("a", bytes(2**28)) + END, 9)

    assert len(packed) < 300_000
    assert "more than 100 times its size" in refusal(packed, Limits(unpacked_bytes=2**40, members=10))


def zipped(*members: tuple[zipfile.ZipInfo | str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as written:
        for name, content in members:
            with warnings.catch_warnings(action="ignore"):  # of a duplicate name
                written.writestr(name, content, method)
    return buffer.getvalue()


def kind(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def read_all_of_zip(packed: bytes) -> None:
    for member in read_zip(io.BytesIO(packed), FEW):
        list(member.content())


def encrypted() -> bytes:
    packed = bytearray(zipped(("a", b"x")))
    packed[packed.index(b"PK\1\2") + 8] |= 1
    return bytes(packed)


def test_a_zip_is_read_in_order() -> None:
    packed = zipped(("a/b.py", b"one"), ("c/", b""), (kind("run", 0o100755), b"#!"))
    members = [(m.name, m.is_folder, m.mode, b"".join(m.content())) for m in read_zip(io.BytesIO(packed), FEW)]

    assert members[0][0::3] == ("a/b.py", b"one")
    assert members[1][:2] == ("c", True)
    assert members[2] == ("run", False, 0o755, b"#!")


@pytest.mark.parametrize(
    ("packed", "sentence"),
    [
        (zipped(("../evil", b"")), "outside the folder"),
        (zipped(("/evil", b"")), "outside the folder"),
        (zipped(("C:/evil", b"")), "outside the folder"),
        (zipped((kind("a", stat.S_IFLNK | 0o777), b"/etc/passwd")), "a link"),
        (zipped((kind("a", stat.S_IFCHR), b"")), "a device"),
        (zipped(("a", b"1"), ("a", b"2")), "'a' twice"),
        (zipped(*((f"{number}", b"") for number in range(101))), "more than 100 files and folders"),
        (zipped(("a", bytes(2**21))), "it unpacks to more than"),
        (zipped(("a", b"x"), method=zipfile.ZIP_LZMA), "not packed with deflate"),
        (encrypted(), "encrypted"),
        (zipped(("a", b"x" * 100))[:-30], "it is not a .zip"),
        (b"", "it is not a .zip"),
    ],
)
def test_a_zip_that_may_harm_is_refused(packed: bytes, sentence: str) -> None:
    with pytest.raises(ArchiveError, match=sentence):
        read_all_of_zip(packed)


def test_a_zip_that_lies_about_its_content_is_refused() -> None:
    packed = bytearray(zipped(("a", b"x" * 100), method=zipfile.ZIP_STORED))
    packed[packed.index(b"xxx")] = ord("y")

    with pytest.raises(ArchiveError, match="Bad CRC-32"):
        read_all_of_zip(bytes(packed))


def test_files_are_written_below_the_folder_without_owner_and_time(tmp_path: Path) -> None:
    packed = gzip.compress(
        entry("bin", type=tarfile.DIRTYPE, mode=0o000)
        + entry("bin/run", 2, mode=0o711, mtime=1, uid=1) + b"#!".ljust(512, b"\0") + file("a/b/c", b"1") + END
    )  # fmt: skip

    unpack(read_tar_gz(io.BytesIO(packed), FEW), tmp_path / "new")

    assert (tmp_path / "new/bin/run").read_bytes() == b"#!"
    assert stat.S_IMODE((tmp_path / "new/bin/run").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "new/a/b/c").stat().st_mode) == 0o644


def test_no_file_is_written_through_a_link_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "outside")

    with pytest.raises(FileExistsError):
        unpack(read_tar_gz(io.BytesIO(gzip.compress(file("a", b"x") + END)), FEW), tmp_path)

    assert not (tmp_path / "outside").exists()


# What the product unpacks, and with which error it refuses.


def predict(packed: Path, _: Path) -> None:
    with unpacked(packed):
        pass


def show_report(packed: Path, _: Path) -> None:
    with packed.open("rb") as opened:
        report._page(opened, "output.tar.gz")


def start_host(packed: Path, folder: Path) -> None:
    train_command.unpack(str(packed), folder)


def start_endpoint(packed: Path, folder: Path) -> None:
    class Bucket:
        def get_object(self, **_: str) -> dict[str, IO[bytes]]:
            return {"Body": io.BytesIO(packed.read_bytes())}

    fetch(Bucket(), "s3://bucket/model.tar.gz", folder / "model")


READERS: dict[Callable[[Path, Path], None], type[Exception]] = {
    predict: ArtifactError,
    show_report: ReportError,
    start_host: ArchiveError,
    start_endpoint: HostingError,
}

BOMBS = {
    "a header of a gigabyte": entry("evil", 2**30, type=tarfile.XHDTYPE),
    "a file of a gigabyte": entry("report/index.html", 2**30),
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_a_megabyte_does_not_become_a_gigabyte(reader: Callable[[Path, Path], None], bomb: str, tmp_path: Path) -> None:
    packed = tmp_path / "model.tar.gz"
    with gzip.open(packed, "wb", compresslevel=1) as written:
        written.write(BOMBS[bomb])
        for _ in range(256):  # of the gigabyte that the header claims
            written.write(bytes(2**20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(READERS[reader]):
        reader(packed, tmp_path / "new")

    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mb < 150  # before: 512 for a header of 256 MB
    written_bytes = sum(path.stat().st_size for path in (tmp_path / "new").rglob("*") if path.is_file())
    assert written_bytes < 2 * archive.UNPACKED_AT_ANY_RATIO


def test_the_code_of_a_function_is_refused_as_lambda_does(tmp_path: Path) -> None:
    runtime = PythonRuntime(sys.executable, tmp_path)

    with pytest.raises(FunctionError, match=r"could not unzip the package: it contains '\.\./evil'") as caught:
        runtime.task_root(zipped(("../evil", b"")))

    assert caught.value.kind == "InvalidZipFileException"
    assert not (tmp_path / "evil").exists()
    assert (runtime.task_root(zipped(("a.py", b"x"))) / "a.py").read_bytes() == b"x"


PACKERS = {
    "inference/drift/reference.py": "tarfile",
    "inference/photo/metadata.py": "zlib",
    "ops/rehearse/without_aws.py": "gzip",
    "ops/smoke/artifact.py": "tarfile",
    "rehearsal/cloud/sagemaker/training_files.py": "tarfile",
    "stacks/training/source_archive.py": "gzip",
    "stacks/training/source_files.py": "tarfile",
}
"""They only pack. reference.py, which has no contract/ in the serving image, reads three small files into memory and
unpacks nothing: tests/drift/test_reference.py has its limits. metadata.py inflates the colour profile of a PNG, which
is no archive, up to a limit of its own."""


def packing_modules() -> Iterator[tuple[str, str]]:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for path in listed.splitlines():
        if path.startswith(("tests/", "benchmarks/")):
            continue
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                if name in ("bz2", "gzip", "lzma", "tarfile", "zipfile", "zlib"):
                    yield path, name
            if isinstance(node, ast.Attribute) and node.attr in ("unpack_archive", "extractall", "extract"):
                yield path, node.attr


def test_no_other_module_reads_archives() -> None:
    assert {found for found in packing_modules() if found[0] != "contract/archive.py"} == set(PACKERS.items())


def test_a_member_says_what_it_is() -> None:
    (member,) = read_tar_gz(io.BytesIO(gzip.compress(entry("a", 1, mode=0o640) + b"x".ljust(512, b"\0") + END)), FEW)

    assert isinstance(member, Member)
    assert (member.size, member.mode, member.is_folder) == (1, 0o640, False)
