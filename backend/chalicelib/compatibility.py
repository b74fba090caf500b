"""What version 1 called things: records that it wrote are read on, and its clients are still answered.

Version 1 called the low band `likely_real`, which claimed more than a detector can know: that a model finds no trace
says nothing about what it was never trained on. Both functions here are pure, and nothing else knows the old names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PREFIX = "/v2/"
OLD_PREFIX = "/v1/"
# Since when version 1 is deprecated, as RFC 9745 writes a date: 2026-12-01, midnight UTC.
DEPRECATED_SINCE = "@1796083200"

# Under these keys a record holds a verdict.
_VERDICT_KEYS = frozenset({"verdict", "before", "after"})
_NEW_KEYS = {
    "real_below": "no_traces_below",
    "real_called_real": "real_no_traces",
    "fake_called_real": "fake_no_traces",
}
_OLD_KEYS = {new: old for old, new in _NEW_KEYS.items()}


def upgrade_record(record: Any) -> Any:
    """Return a stored record with today's names, whatever version wrote it.

    Args:
        record: a check, flag, upload, outcome, report or model card, as JSON's types. Not changed.
    """
    if isinstance(record, list):
        return [upgrade_record(item) for item in record] if _holds_objects(record) else record
    if not isinstance(record, dict):
        return record
    return {
        _NEW_KEYS.get(key, key): "no_traces"
        if key in _VERDICT_KEYS and value == "likely_real"
        else upgrade_record(value)
        for key, value in record.items()
    }


def to_version_1(answer: Any) -> Any:
    """Return an answer as a client of version 1 is told it.

    It has the old names, and the low band is `uncertain`, with the additional reason `no_traces` wherever reasons are
    given. The level of the API is 1.

    Args:
        answer: the body of version 2, as JSON's types; not changed.
    """
    if isinstance(answer, list):
        return [to_version_1(item) for item in answer] if _holds_objects(answer) else answer
    if not isinstance(answer, Mapping):
        return answer
    renamed = {
        _OLD_KEYS.get(key, key): "uncertain" if key in _VERDICT_KEYS and value == "no_traces" else to_version_1(value)
        for key, value in answer.items()
    }
    if answer.get("verdict") == "no_traces" and "reasons" in answer:
        renamed["reasons"] = [*answer["reasons"], "no_traces"]
    if "api" in answer:
        renamed["api"] = 1
    return renamed


def deprecation_headers(path: str) -> dict[str, str]:
    """Return the headers that tell a client of version 1 to move on: RFC 9745, and RFC 5829 for where to.

    Args:
        path: of the request, percent-encoded, with the stage before it where there is one.
    """
    successor = path.replace(OLD_PREFIX, PREFIX, 1)
    return {"Deprecation": DEPRECATED_SINCE, "Link": f'<{successor}>; rel="successor-version"'}


def _holds_objects(items: list[Any]) -> bool:
    """Say whether a list can hold names at all: evidence maps are lists of lists of many numbers."""
    return bool(items) and isinstance(items[0], dict)
