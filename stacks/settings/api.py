"""Settings of the Lambda function that callers reach the endpoint through, and of the HTTP API in front of it."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from contract.declarations import Pattern, Range
from stacks.settings.rules import BUCKET, LogRetentionDays, check, require
from stacks.settings.shared_domains import is_shared


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiSettings:
    memory_mib: Annotated[int, Range(128, 10_240, "MiB")] = 512
    """Memory of the function. Lambda gives CPU by memory; with 512 a 4.5 MB photo is decoded from base64 in
    milliseconds."""
    timeout_s: Annotated[int, Range(5, 900, "seconds")] = 29
    """The one time limit. Within it the function divides its time between its attempts at the endpoint and its own
    answer; the HTTP API, if there is one, waits a second longer."""
    provisioned_concurrency: Annotated[int, Range(0, 1000, "instances")] = 3
    """Instances of the function that are started ahead of the calls; 0 turns it off. AWS keeps 10 of an account's
    concurrency free, so a new account's quota of 10 allows only 0."""
    readable_s3_prefixes: Annotated[
        tuple[str, ...], Pattern(rf"{BUCKET}([^\s,*?]+/)*", "s3://BUCKET/PREFIX/ entries, comma-separated")
    ] = ()
    """s3://BUCKET/PREFIX/ entries, comma-separated, in which a caller may name photos. Empty: the function may read
    nothing in S3."""
    allowed_url_hosts: Annotated[
        tuple[str, ...],
        Pattern(
            r"\.?(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])",
            "host names in lower case, comma-separated: photos.example.org is that host alone, .example.org every host "
            "below it; without scheme, port, path or *, and neither an IP address nor a top-level domain alone",
        ),
    ] = ()
    """From where a caller may name photos by URL, which the function then fetches from public addresses. Empty: from
    nowhere. A name in other letters is written in its ASCII form (xn--)."""
    log_retention_days: LogRetentionDays = 30
    """How long the function's lines, and the HTTP API's access log, are kept."""
    http: bool = False
    """Whether there is an HTTP API in front: POST /predict."""
    http_authorization: Literal["iam", "none"] = "iam"
    """iam: callers sign their requests (SigV4). none: anyone on the internet may call, at your cost."""
    page: bool = False
    """Whether the HTTP API shows the web page at its root. A browser cannot sign, so this needs api.http_authorization
    none."""
    http_requests_per_s: Annotated[int, Range(1, 10_000, "requests")] = 10
    """Requests per second over all callers; above it the HTTP API returns 429."""
    http_burst: Annotated[int, Range(1, 5_000, "requests")] = 20
    """Requests at once before that rate applies."""

    HTTP_CEILING_S: ClassVar = 30
    """An HTTP API waits no longer for a function: docs.aws.amazon.com/apigateway/latest/developerguide/limits.html"""

    def __post_init__(self) -> None:
        check(self, "api")
        require(
            not self.http or self.http_timeout_s <= self.HTTP_CEILING_S,
            "api.timeout_s",
            self.timeout_s,
            f"at most {self.HTTP_CEILING_S - 1} with api.http, because an HTTP API waits {self.HTTP_CEILING_S} s at "
            "most, and must wait longer than the function to pass its answer on",
        )

        require(
            not self.page or self.is_open,
            "api.page",
            self.page,
            "false unless api.http is true and api.http_authorization is none: the page in a browser cannot sign its "
            "requests, so anyone on the internet may then call, at your cost",
        )

    @property
    def shared_url_hosts(self) -> tuple[str, ...]:
        """The entries of `allowed_url_hosts` that allow hosts of many owners."""
        return tuple(entry for entry in self.allowed_url_hosts if is_shared(entry))

    @property
    def is_open(self) -> bool:
        """Whether anyone on the internet may call."""
        return self.http and self.http_authorization == "none"

    @property
    def http_timeout_s(self) -> int:
        """Longer than the function's, so that a caller gets the function's own error, not the gateway's."""
        return self.timeout_s + 1
