"""Lists of the flags that a run looks at: JSON lines with an id each, in a file or in S3."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from chalicelib.errors import BadRequest

S3 = "s3://"


def write_manifest(flag_ids: Iterable[str], path: Path) -> Path | None:
    """Write ids as JSON lines; None where there are none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with path.open("w", encoding="utf-8") as file:
        for flag_id in flag_ids:
            file.write(json.dumps({"id": flag_id}) + "\n")
            written += 1
    return path if written else None


def read_manifest(place: str, part: int = 0, parts: int = 1) -> Iterator[str]:
    """Yield the ids of a list, or every `parts`-th from the `part`-th on; never holds all of it.

    Args:
        place: a path, or s3://BUCKET/NAME.
        part: from 0.
        parts: of the list.

    Raises:
        BadRequest: a line is no such line.
        NotFound, StoreUnavailable: there is no such list in S3, or S3 does not answer.
        OSError: the file cannot be read.
    """
    for number, line in enumerate(read_lines(place)):
        if number % parts == part:
            try:
                yield str(json.loads(line)["id"])
            except (ValueError, KeyError, TypeError) as error:
                raise BadRequest(f"Line {number + 1} of the list is no JSON object with an id.") from error


def read_lines(place: str) -> Iterator[bytes]:
    """Yield the lines of a file, or of s3://BUCKET/NAME, as they come; raises as `read_manifest` does."""
    if place.startswith(S3):
        from chalicelib import buckets

        yield from buckets.read_lines(place)
        return
    with Path(place).open("rb") as file:
        yield from file
