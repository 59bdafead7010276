"""The tags of SageMaker's resources: AddTags, ListTags, DeleteTags."""

import threading
from collections.abc import Iterable, Mapping

from rehearsal.cloud.api import AwsError, Json, Request
from rehearsal.cloud.json_service import Operation

MOST = 50
"""Tags of one resource, at most: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_AddTags.html"""


class Tags:
    """Tags by ARN. A part calls `create` for what it creates with tags, and `forget` for what it deletes."""

    def __init__(self) -> None:
        self._tags: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def operations(self) -> Mapping[str, Operation]:
        """See `Part`."""
        return {"AddTags": self._add, "ListTags": self._list, "DeleteTags": self._delete}

    def create(self, arn: str, tags: Iterable[Json]) -> None:
        """The tags of a new resource. Raises AwsError if they are too many."""
        with self._lock:
            self._tags[arn] = {}
        self._put(arn, tags)

    def forget(self, arn: str) -> None:
        """The resource no longer exists."""
        with self._lock:
            self._tags.pop(arn, None)

    def all(self) -> list[tuple[str, dict[str, str]]]:
        """Each ARN with its tags."""
        with self._lock:
            return [(arn, dict(tags)) for arn, tags in self._tags.items()]

    def _put(self, arn: str, tags: Iterable[Json]) -> Json:
        new = {str(tag["Key"]): str(tag.get("Value", "")) for tag in tags}
        with self._lock:
            merged = {**self._known(arn), **new}
            if len(merged) > MOST:
                raise AwsError(
                    "ResourceLimitExceeded", f"A resource has at most {MOST} tags, and {arn} would have more."
                )
            self._tags[arn] = merged
        return self._shown(merged)

    def _known(self, arn: str) -> dict[str, str]:
        if arn not in self._tags:
            raise AwsError("ValidationException", f"Requested resource not found: {arn}.")
        return self._tags[arn]

    def _shown(self, tags: Mapping[str, str]) -> Json:
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _add(self, parameters: Json, _: Request) -> Json:
        return self._put(parameters["ResourceArn"], parameters["Tags"])

    def _list(self, parameters: Json, _: Request) -> Json:
        with self._lock:
            return self._shown(self._known(parameters["ResourceArn"]))

    def _delete(self, parameters: Json, _: Request) -> Json:
        with self._lock:
            known = self._known(parameters["ResourceArn"])
            for key in parameters["TagKeys"]:
                known.pop(key, None)
        return {}
