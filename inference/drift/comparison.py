"""The comparison of the photos that callers send now with the test photos: four figures, each with its noise."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from inference.drift.dependence import alike_classes, alike_values, even_part, independent
from inference.drift.distance import Distance, of_classes, of_values
from inference.drift.reference import Photos, Reference

FORMAT = "kennel-drift-1"

LEAST_PHOTOS = 30
"""Fewer are one or two callers' photos, which say nothing about all callers. They are compared, and are no drift."""

FALSE_ALARMS = 0.01
"""Share of the checks that find drift in photos like the test photos. Each of the four figures gets a quarter of it
(Bonferroni's correction)."""

LEAST_DISTANCE = 0.1
"""A smaller distance is no drift, however many photos show it: a tenth of the photos are not like the test photos.
With thousands of photos any two sources differ by more than chance."""

MEASURES = ("confidence", "breeds", "brightness", "size")
BINS = 20
_MOST_BREEDS = 12

Verdict = Literal["drift", "no drift", "too few photos"]
Columns = npt.NDArray[np.float64] | npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One measure of the photos, compared."""

    name: str
    distance: float
    """0..1, by inference/drift/distance.py."""
    by_chance: float
    independent_photos: int
    """How many independent photos the noise is that of (inference/drift/dependence.py)."""
    test: float
    """The median of the test photos; of breeds, how many of them there are."""
    now: float

    @property
    def bound(self) -> float:
        """A larger distance is drift."""
        return max(self.by_chance, LEAST_DISTANCE)

    @property
    def excess(self) -> float:
        """How far the distance is above its bound; 0 below it."""
        return max(0.0, self.distance - self.bound)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One bin of a histogram, or one breed: the shares, 0..1, of the test photos and of the photos of now."""

    label: str
    test: float
    now: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The result of a check."""

    model: str
    photos: int
    test_photos: int
    figures: Sequence[Figure]
    """In the order of MEASURES; none if there is no photo."""
    charts: Mapping[str, Sequence[Bar]]
    """By the name of the figure."""
    records: Mapping[str, int]
    """How many records there are, by what became of them."""
    period: tuple[str, str] | None
    """The times of the first and the last photo, in UTC."""

    @property
    def drift(self) -> float:
        """The largest excess of a figure over its bound; 0 without drift, and for too few photos."""
        enough = min(self.photos, self.test_photos) >= LEAST_PHOTOS
        return max((figure.excess for figure in self.figures), default=0.0) if enough else 0.0

    @property
    def verdict(self) -> Verdict:
        if min(self.photos, self.test_photos) < LEAST_PHOTOS:
            return "too few photos"
        return "drift" if self.drift > 0 else "no drift"

    @property
    def sentence(self) -> str:
        """The verdict for a reader."""
        if self.verdict == "too few photos":
            few, whose = (
                (self.photos, "different photos") if self.photos < LEAST_PHOTOS else (self.test_photos, "test photos")
            )
            return f"{few} {whose} are too few to say: {LEAST_PHOTOS} are needed."
        if self.verdict == "no drift":
            return "No drift: the photos are like the test photos, as far as so many can show."
        names = [figure.name for figure in self.figures if figure.excess > 0]
        return f"Drift: the photos differ from the test photos in {', '.join(names)}."

    def document(self) -> dict[str, Any]:
        """For drift.json."""
        return {
            "format": FORMAT,
            "model": self.model,
            "verdict": self.verdict,
            "sentence": self.sentence,
            "drift": round(self.drift, 4),
            "photos": self.photos,
            "test_photos": self.test_photos,
            "least_photos": LEAST_PHOTOS,
            "least_distance": LEAST_DISTANCE,
            "false_alarms": FALSE_ALARMS,
            "from": self.period[0] if self.period else None,
            "to": self.period[1] if self.period else None,
            "records": dict(self.records),
            "figures": {
                figure.name: {
                    "distance": round(figure.distance, 4),
                    "by_chance": round(figure.by_chance, 4),
                    "independent_photos": figure.independent_photos,
                    "excess": round(figure.excess, 4),
                    "test": round(figure.test, 4),
                    "now": round(figure.now, 4),
                }
                for figure in self.figures
            },
            "charts": {
                name: [{"label": each.label, "test": round(each.test, 4), "now": round(each.now, 4)} for each in bars]
                for name, bars in self.charts.items()
            },
        }


def used_side(photos: Photos, resize: int) -> npt.NDArray[np.float64]:
    """(photos,) the shorter side up to the `resize` pixels that the model uses, as a share of them: 1 has enough."""
    return np.minimum(photos.shorter_side, resize) / resize


def compare(
    reference: Reference,
    now: Photos,
    *,
    records: Mapping[str, int] | None = None,
    period: tuple[str, str] | None = None,
) -> Comparison:
    """Compare photos with the test photos. `now` may be empty."""
    test, resize = reference.photos, reference.manifest.preprocessing.resize
    columns: dict[str, Callable[[Photos], Columns]] = {
        "confidence": lambda photos: photos.confidence,
        "breeds": lambda photos: photos.breed,
        "brightness": lambda photos: photos.brightness,
        "size": lambda photos: used_side(photos, resize),
    }
    figures, charts = [], {}
    for name in MEASURES if len(now) else ():
        of_test, of_now = columns[name](test), columns[name](now)
        figures.append(_figure(name, of_test, of_now))
        charts[name] = _breeds(of_test, of_now, reference.labels) if name == "breeds" else _histogram(of_test, of_now)
    return Comparison(
        model=reference.manifest.id,
        photos=len(now),
        test_photos=len(test),
        figures=figures,
        charts=charts,
        records=records or {},
        period=period,
    )


def _figure(name: str, test: Any, now: Any) -> Figure:
    level = FALSE_ALARMS / len(MEASURES)
    if name == "breeds":
        measure: Callable[..., Distance] = of_classes
        centre: Callable[[Any], float] = lambda values: float(len(np.unique(values)))  # noqa: E731
        count = independent(len(now), alike_classes(now))
    else:
        measure, centre = of_values, lambda values: float(np.median(values))
        count = independent(len(now), alike_values(now))
    found = measure(test, now, level=level)
    noise = found if count == len(now) else measure(test, even_part(now, count), level=level)
    return Figure(
        name=name,
        distance=found.value,
        by_chance=noise.by_chance,
        independent_photos=count,
        test=centre(test),
        now=centre(now),
    )


def _histogram(test: Any, now: Any) -> list[Bar]:
    edges = np.linspace(0, 1, BINS + 1)
    shares = [np.histogram(np.clip(values, 0, 1), edges)[0] / len(values) for values in (test, now)]
    return [
        Bar(label=f"{low:.2f} to {high:.2f}", test=float(before), now=float(after))
        for low, high, before, after in zip(edges[:-1], edges[1:], *shares, strict=True)
    ]


def _breeds(test: Any, now: Any, labels: Sequence[str]) -> list[Bar]:
    """The breeds whose shares differ most."""
    before, after = (np.bincount(values, minlength=len(labels)) / len(values) for values in (test, now))
    most = np.argsort(-np.abs(after - before), kind="stable")[:_MOST_BREEDS]
    return [Bar(label=labels[i], test=float(before[i]), now=float(after[i])) for i in most.tolist()]
