"""Photos that `kennel data split` reads in tests, and ways to run it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from typer.testing import CliRunner, Result

from ops import cli
from ops.data.split.plan import Plan, make_plan
from ops.data.split.shares import parse
from ops.data.split.write import write
from tests.builders import detailed, encoded


class Photos:
    """Writes photos without near duplicates."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def put(self, *names: str) -> None:
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(detailed((150, 120), seed=self.count), "JPEG"))
            self.count += 1

    def breeds(self, counts: Mapping[str, int]) -> "Photos":
        for folder, count in counts.items():
            self.put(*(f"{folder}/{number}.jpg" for number in range(count)))
        return self

    def text(self, name: str, content: str, encoding: str = "utf-8") -> "Photos":
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(content, encoding=encoding)
        return self


def plan(source: Photos, *, shares: str = "80/10/10", seed: int = 0) -> Plan:
    return make_plan(source.folder, shares=parse(shares), seed=seed)


def written(source: Photos, target: Path) -> Path:
    planned = plan(source)
    write(target, {name: source.folder.joinpath(*photo.parts) for name, photo in planned.targets.items()})
    return target


def kennel(*words: object) -> Result:
    return CliRunner().invoke(cli.app, ["data", "split", *map(str, words)])


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def rows(pairs: Iterable[tuple[str, str]], header: str, between: str = ",") -> str:
    return "\n".join([header, *(f"{photo}{between}{breed}" for photo, breed in pairs)]) + "\n"


def udacity(source: Photos) -> str:
    for split, count in (("train", 8), ("valid", 1), ("test", 1)):
        source.breeds({f"{split}/{breed}": count for breed in ("001.Affenpinscher", "002.Afghan_hound")})
    return "train/<breed>/, valid/<breed>/, test/<breed>/, 2 breeds"
