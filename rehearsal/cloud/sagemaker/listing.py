"""The pages of SageMaker's List operations.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListEndpoints.html and the other List operations.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rehearsal.cloud.api import AwsError, Json

DEFAULT_RESULTS = 10
_BOUNDS = {
    "CreationTimeAfter": ("CreationTime", 1),
    "CreationTimeBefore": ("CreationTime", -1),
    "LastModifiedTimeAfter": ("LastModifiedTime", 1),
    "LastModifiedTimeBefore": ("LastModifiedTime", -1),
}


def page(
    summaries: Iterable[Json], parameters: Json, *, member: str, name: str, status: str = "", order: str = "Descending"
) -> Json:
    """One page. member: what the response calls the list. name, status: the summaries' keys for them.

    order: the default of SortOrder.
    """
    found = [each for each in summaries if _matches(each, parameters, name, status)]
    keys = {"Name": name, "Status": status}
    key = keys.get(parameters.get("SortBy", ""), "CreationTime")
    found.sort(key=lambda each: each[key], reverse=parameters.get("SortOrder", order) == "Descending")
    first, most = _position(parameters), int(parameters.get("MaxResults", DEFAULT_RESULTS))
    response: Json = {member: found[first : first + most]}
    if first + most < len(found):
        response["NextToken"] = str(first + most)
    return response


def _position(parameters: Json) -> int:
    token = str(parameters.get("NextToken") or "0")
    if not token.isdigit():
        raise AwsError("ValidationException", f"Invalid pagination token: {token}")
    return int(token)


def _matches(summary: Mapping[str, Any], parameters: Json, name: str, status: str) -> bool:
    if str(parameters.get("NameContains", "")).lower() not in str(summary[name]).lower():
        return False
    if status and parameters.get("StatusEquals", summary[status]) != summary[status]:
        return False
    return all(
        (summary[key].timestamp() - _seconds(parameters[bound])) * sign > 0
        for bound, (key, sign) in _BOUNDS.items()
        if bound in parameters and key in summary
    )


def _seconds(value: float | str) -> float:
    """A time in a request: seconds, or a date in text."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp()
    return float(value)
