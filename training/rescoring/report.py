"""What an operator reads in the morning, as one page and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from jinja2 import Environment, PackageLoader, StrictUndefined

from chalicelib.schema import PictureVerdict
from chalicelib.verdicts import format_verdict
from training.files import replacing

# Codes of what went wrong, in words for the operator; others stand as they are.
ERRORS = {
    "fetch_failed": "the server cannot be reached or sends no file",
    "fetch_timeout": "the server took too long",
    "url_not_allowed": "the address, or where it redirects to, is never fetched",
    "fetching_off": "this service fetches nothing",
    "nothing_kept": "neither picture nor address is kept any more",
    "unsupported_media": "no picture lies there, but something else",
    "unreadable_image": "no honest picture comes out of the file",
    "unreadable_video": "no honest frames come out of the file",
    "incomplete_body": "the file ended before it was whole",
    "too_large": "the file is too large",
    "internal_error": "something went wrong on our side",
}


def write_report(content: Mapping[str, Any], folder: Path) -> None:
    """Write `report.json` and `report.html`.

    Args:
        content: what `Tally.to_dict` returned, and `started`, `finished`, `interrupted`, `model`, `engine`, `workers`.
        folder: of the run.

    Raises:
        WriteFailed: they cannot be written.
    """
    with replacing(folder / "report.json") as unfinished:
        unfinished.write_text(json.dumps(content, indent=1), encoding="utf-8")
    with replacing(folder / "report.html") as unfinished:
        unfinished.write_text(render(content), encoding="utf-8")


def render(content: Mapping[str, Any]) -> str:
    """Return the page; see `write_report`. It is all that strangers wrote that is escaped, and no script runs in it."""
    environment = Environment(
        loader=PackageLoader("training.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"words": _spell_code, "verdict": format_verdict, "percent": _spell_percent}
    verdicts = get_args(PictureVerdict)
    counts = {(row["before"], row["after"]): row["pictures"] for row in content["verdicts"]}
    grid = [(old, [(new, counts.get((old, new), 0)) for new in verdicts]) for old in verdicts]
    return environment.get_template("rescoring.html").render(
        content=content, grid=grid, verdicts=verdicts, errors=ERRORS
    )


def _spell_code(code: str) -> str:
    return code.replace("_", " ")


def _spell_percent(probability: float | None) -> str:
    return "–" if probability is None else f"{probability:.0%}"
