"""Plans a night's re-scoring in AWS: a list of what is due, and one job that does it.

Two plans that overlap, a job that is tried again, a list that is old: none does harm. A worker passes over what is not
due any more, and a flag is changed only by whoever has its latest revision.
"""

from __future__ import annotations

import json
import math
import tempfile
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Protocol

from chalicelib.errors import NotFound
from chalicelib.flag_store import FlagStore

# Children of an array job, two at least:
# https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html
MOST_PARTS = 10_000
# Flags at the head of the list among which the one that has been due longest is: one of each shard.
HEADS = 16
# Of a list, bytes, that lie in memory before they go to the disk.
IN_MEMORY = 8_000_000


class Shelf(Protocol):
    """Where lists lie."""

    def put(self, name: str, file: IO[bytes]) -> str:
        """Keep a file and return its address; may raise `StoreUnavailable`."""


class Jobs(Protocol):
    """Who does what is listed."""

    def submit(self, name: str, manifest: str, parts: int) -> str:
        """Begin a job of so many parts and return its id; may raise `StoreUnavailable`."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan.

    Attributes:
        due: flags that are listed.
        waited: how long the one that has been due longest has been so, seconds.
        parts: of the job.
        manifest: address of the list; None where nothing is due.
        job: id of the job; likewise.
    """

    due: int
    waited: float = 0.0
    parts: int = 0
    manifest: str | None = None
    job: str | None = None


def plan(flags: FlagStore, at: str, shelf: Shelf, jobs: Jobs, per_part: int) -> Planned:
    """List what is due and begin a job that does it; where nothing is, neither list nor job is made.

    Args:
        flags: read page by page, so that memory does not grow with their number.
        at: UTC, as flags spell it.
        shelf: for the list.
        jobs: for the job.
        per_part: flags of one part at least; more where there would be more than `MOST_PARTS`.

    Raises:
        StoreUnavailable: something does not answer. A list without a job is left; nobody reads it.
    """
    stamp = f"{at.replace(':', '').replace('-', '')}-{uuid.uuid4().hex[:8]}"
    due, waited = 0, 0.0
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
        for flag_id in flags.list_due(at):
            file.write(json.dumps({"id": flag_id}).encode() + b"\n")
            if due < HEADS:
                waited = max(waited, _measure_wait(flags, flag_id, at))
            due += 1
        if not due:
            return Planned(0)
        file.seek(0)
        manifest = shelf.put(f"rescore/{stamp}/manifest.jsonl", file)
    parts = count_parts(due, per_part)
    return Planned(due, waited, parts, manifest, jobs.submit(f"unmask-rescore-{stamp}", manifest, parts))


def _measure_wait(flags: FlagStore, flag_id: str, at: str) -> float:
    try:
        due_at = flags.get(flag_id)["due_at"]
    except NotFound:
        return 0.0
    read = datetime.fromisoformat
    # The index may be behind: a flag that was put off since waits for nothing.
    return 0.0 if due_at is None else max(0.0, (read(at) - read(due_at)).total_seconds())


def count_parts(due: int, per_part: int) -> int:
    """Return how many parts a job has."""
    return min(MOST_PARTS, math.ceil(due / per_part))
