"""The price of each unit that AWS bills, by region: ops/cost/prices/REGION.toml, with the source of every figure."""

import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "prices"

UNITS = {
    "cloudwatch.alarm": "month",
    "cloudwatch.dashboard": "month",
    "cloudwatch.metric": "month",
    "codebuild.small": "minute",
    "codebuild.medium": "minute",
    "codebuild.large": "minute",
    "ebs.gp3": "GB-month",
    "ec2.instance": "hour",
    "ec2.public-ipv4": "hour",
    "ecr.storage": "GB-month",
    "http-api.requests": "million",
    "kms.key": "month",
    "lambda.duration": "GB-second",
    "lambda.provisioned": "GB-second",
    "lambda.provisioned-duration": "GB-second",
    "lambda.requests": "million",
    "logs.ingested": "GB",
    "logs.stored": "GB-month",
    "nat.gateway": "hour",
    "s3.get": "thousand",
    "s3.put": "thousand",
    "s3.storage": "GB-month",
    "sagemaker.data": "GB",
    "sagemaker.instance": "hour",
    "sagemaker.storage": "GB-month",
    "sns.email": "thousand",
    "states.transitions": "thousand",
    "vpc.endpoint": "hour",
    "xray.traces": "million",
}
"""What each figure of a table is the price of. `sagemaker.instance`, `ec2.instance` and the three figures of Lambda's
memory are tables of their own, by instance type and by architecture."""


class CostError(Exception):
    """The cost cannot be estimated. The message is one sentence for the user, with what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where figures come from."""

    address: str
    read: date
    """The date of the price list, or the day on which the page was read."""
    about: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    key: str
    """The key of `UNITS`, with the instance type or the architecture after it: sagemaker.instance.ml.m5.large."""
    usd: float
    unit: str
    source: str
    """The name of the source in the table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceTable:
    region: str
    prices: dict[str, Price]
    sources: dict[str, Source]
    left_out: tuple[str, ...]
    """Prices for which no source was found. None of them bills when idle."""

    @property
    def oldest(self) -> date:
        """The date of the oldest source: the figures are at least as old for some unit."""
        return min(source.read for source in self.sources.values())

    @property
    def newest(self) -> date:
        return max(source.read for source in self.sources.values())

    @classmethod
    def of(cls, region: str) -> "PriceTable":
        """The table of a region. Raises CostError if there is none."""
        file = FOLDER / f"{region}.toml"
        if region not in regions():
            raise CostError(
                f"There is no price table for {region}, only for {', '.join(regions())}. Estimate with one of those "
                f"(--region), or write ops/cost/prices/{region}.toml: copy another region's file, then replace each "
                "figure, its source and its date."
            )
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        sources = {name: Source(**fields) for name, fields in content["sources"].items()}
        return cls(
            region=content["region"],
            prices=dict(_prices(content["prices"])),
            sources=sources,
            left_out=tuple(content.get("left_out", ())),
        )


def regions() -> list[str]:
    """The regions that have a table."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def unit(key: str) -> str:
    """The unit of a price: ec2.instance.g4dn.xlarge is billed by the hour."""
    found = next((name for name in UNITS if key == name or key.startswith(f"{name}.")), None)
    if found is None:
        raise CostError(f"{key!r} is the price of nothing that Kennel's templates contain; {', '.join(UNITS)} are.")
    return UNITS[found]


def _prices(content: dict[str, dict[str, object]]) -> list[tuple[str, Price]]:
    """From the tables of a file: [prices.SOURCE] with one figure a line."""
    return [
        (key, Price(key=key, usd=float(str(usd)), unit=unit(key), source=source))
        for source, figures in content.items()
        for key, usd in figures.items()
    ]
