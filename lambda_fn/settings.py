"""The function's settings: environment variables, read once when it starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from lambda_fn.photo_url import NO_HOSTS, AllowedHosts


@dataclass(frozen=True, slots=True)
class S3Object:
    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    endpoint_name: str
    """The one endpoint that this function may invoke."""
    readable_s3_prefixes: tuple[S3Object, ...] = ()
    """Where callers may name photos in S3. Empty: nowhere. Each key is empty or ends with a slash."""
    allowed_url_hosts: AllowedHosts = NO_HOSTS
    """From where callers may name photos by URL. Empty: from nowhere."""
    page: bool = False
    """Whether GET / returns the web page, which is then in the function's package."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the settings. Raises ValueError, with the variable's name, if one is missing or malformed."""
        name = env.get("ENDPOINT_NAME", "").strip()
        if not name:
            raise ValueError(
                "The environment variable ENDPOINT_NAME is not set; set it to the name of the SageMaker endpoint."
            )
        listed = env.get("READABLE_S3_PREFIXES", "").split(",")
        prefixes = tuple(_prefix(item.strip()) for item in listed if item.strip())
        return cls(
            endpoint_name=name,
            readable_s3_prefixes=prefixes,
            allowed_url_hosts=AllowedHosts.parse(env.get("ALLOWED_URL_HOSTS", "")),
            page=env.get("PAGE") == "true",
        )

    def may_read(self, photo: S3Object) -> bool:
        """Whether the object is below one of the readable prefixes.

        S3 takes a key literally. `..` is refused nevertheless, because a client or proxy in between might resolve it.
        """
        return ".." not in photo.key.split("/") and any(
            photo.bucket == allowed.bucket and photo.key.startswith(allowed.key)
            for allowed in self.readable_s3_prefixes
        )


def _prefix(text: str) -> S3Object:
    """Parse `s3://bucket/photos` as the folder `photos/`. Without the slash it would also allow `photos-private/`."""
    bucket, _, key = text.removeprefix("s3://").partition("/")
    if not text.startswith("s3://") or not bucket:
        raise ValueError(f"READABLE_S3_PREFIXES contains {text!r}; each entry must look like s3://bucket/prefix/.")
    return S3Object(bucket, key if not key or key.endswith("/") else f"{key}/")
