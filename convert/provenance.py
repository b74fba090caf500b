"""Where the pictures of a model come from, and under which terms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from training.sets import read_sources

# Sources that come without a `collections.json`.
KNOWN = Path(__file__).with_name("sources.json")
# What a card says of a source.
STATED = ("label", "family", "origin", "terms", "note")
UNKNOWN = "not stated"


def list_sources(names: Iterable[str], manifest: Path) -> dict[str, dict[str, str]]:
    """Return what is known of sources: label, family, origin, terms and, where there is one, a note.

    Args:
        names: the sources.
        manifest: faces CSV; what the `collections.json` beside it says comes before the table of known sources.

    Returns:
        An entry for each source, sorted by name; "not stated" is said for what nobody tells.

    Raises:
        ManifestError: the `collections.json` is damaged.
    """
    known: Mapping[str, Mapping[str, Any]] = {
        **json.loads(KNOWN.read_text(encoding="utf-8")),
        **read_sources(manifest),
    }
    return {name: _describe(known.get(name, {})) for name in sorted(set(names))}


def _describe(entry: Mapping[str, Any]) -> dict[str, str]:
    # On one line each, as a table wants them.
    said = {key: " ".join(str(entry.get(key) or "").split()) for key in STATED}
    return {key: value or UNKNOWN for key, value in said.items() if value or key != "note"}
