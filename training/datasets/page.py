"""The report on a data set: one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

# Files that are listed one by one; all of them are in clips.csv.
MOST_LISTED = 200


def render(
    summary: Mapping[str, Any],
    metadata: Mapping[str, Any],
    pictures: Mapping[str, bytes],
    sheets: Mapping[str, bytes] = MappingProxyType({}),
) -> str:
    """Return the page.

    Args:
        summary: what `summary.summarise` says.
        metadata: what `metadata.json` says.
        pictures: PNG or JPEG files by title.
        sheets: contact sheets of collections by name, likewise.
    """
    # File names come from strangers.
    environment = Environment(
        loader=PackageLoader("training.datasets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("dataset.html").render(
        summary=summary,
        metadata=metadata,
        pictures={title: _to_address(data) for title, data in pictures.items()},
        sheets={name: _to_address(data) for name, data in sheets.items()},
        most=MOST_LISTED,
    )


def _to_address(data: bytes) -> str:
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
