"""What long work has found so far, kept in a file so that it can go on where it stopped."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from training.files import replacing

# Seconds between two savings.
SAVE_EVERY = 20.0


class Notes:
    """A dictionary in a JSON file, saved now and then and at the end, so that long work can go on where it stopped."""

    def __init__(self, path: Path | None) -> None:
        """Read what is there; a damaged file is begun anew. Without a path nothing is kept."""
        self._path = path
        self._saved = time.monotonic()
        self.entries: dict[str, Any] = {}
        if path is not None and path.is_file():
            try:
                self.entries = dict(json.loads(path.read_text(encoding="utf-8")))
            except (ValueError, TypeError):
                self.entries = {}

    def __enter__(self) -> Notes:
        return self

    def __exit__(self, *error: object) -> None:
        self.save()

    def save_if_due(self) -> None:
        """Save when the last time is long enough ago."""
        if time.monotonic() - self._saved >= SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Write the file, whole or not at all."""
        if self._path is not None and self.entries:
            with replacing(self._path) as unfinished:
                unfinished.write_text(json.dumps(self.entries), encoding="utf-8")
        self._saved = time.monotonic()
