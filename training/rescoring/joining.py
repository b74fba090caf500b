"""One report of many: of the parts of a job, of their tries, of several nights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chalicelib.compatibility import upgrade_record
from chalicelib.errors import BadRequest, NotFound
from training.rescoring.manifests import S3, read_lines
from training.rescoring.outcomes import Tally

OUTCOMES = "outcomes.jsonl"


def join(place: str) -> dict[str, Any]:
    """Add up all reports below a place; no more of them than one line lies in memory at a time.

    Args:
        place: a folder, or s3://BUCKET/PREFIX.

    Returns:
        What `report.write_report` takes.

    Raises:
        NotFound: no report lies there.
        BadRequest: one is damaged.
        StoreUnavailable: S3 does not answer.
        OSError: a file cannot be read.
    """
    tally, heads = Tally(), []
    for name in find_outcomes(place):
        try:
            # A run that was killed has outcomes and no report.
            head = b"".join(read_lines(f"{name.removesuffix(OUTCOMES)}report.json"))
            heads.append(upgrade_record(json.loads(head)))
        except (NotFound, FileNotFoundError):
            heads.append({"interrupted": True})
        for line in read_lines(name):
            try:
                tally.add(upgrade_record(json.loads(line)))
            except (ValueError, KeyError, TypeError) as error:
                raise BadRequest(f"{name} has a line that is no outcome.") from error
    if not heads:
        raise NotFound(f"No report lies below {place}.")
    tally.close()
    return {
        "started": min((head["started"] for head in heads if "started" in head), default="?"),
        "finished": max((head["finished"] for head in heads if "finished" in head), default="?"),
        "interrupted": any(head["interrupted"] for head in heads),
        "model": _gather(heads, "model"),
        "engine": _gather(heads, "engine"),
        "workers": sum(head.get("workers", 1) for head in heads),
        **tally.to_dict(),
    }


def find_outcomes(place: str) -> Iterator[str]:
    """Yield the outcome files below a folder or s3://BUCKET/PREFIX, in order."""
    if place.startswith(S3):
        from chalicelib.buckets import list_addresses

        yield from (name for name in list_addresses(f"{place.rstrip('/')}/") if name.endswith(f"/{OUTCOMES}"))
        return
    yield from map(str, sorted(Path(place).rglob(OUTCOMES)))


def _gather(heads: list[dict[str, Any]], key: str) -> str:
    return ", ".join(sorted({head[key] for head in heads if key in head})) or "?"
