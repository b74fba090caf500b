"""An honest evaluation of clips: every file goes the whole way that a user's clip goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from chalicelib.checks import Checker, Finds, Scores
from chalicelib.errors import UnmaskError
from chalicelib.schema import Check
from chalicelib.settings import Settings
from training.datasets.clips import DatasetError
from training.datasets.groups import group_clips
from training.datasets.listing import list_clips
from training.evaluation import compare_families, compare_rules, measure_rows
from training.levels import log_odds
from training.manifest import Sample
from training.promise import measure_promise
from training.scoring import Progress, no_progress

# What `DIR` may not hold; nothing is written there.
NOWHERE = Path(".unmask-nowhere")

# For one clip, s.
PATIENCE = 3600.0


def list_films(folder: Path) -> list[Sample]:
    """List the clips of a folder: below `real/` and `fake/` at any depth, or of another layout that `unmask dataset`
    knows.

    Raises:
        DatasetError: there are none.
    """
    clips = [clip for clip in list_clips(folder, folder, folder / NOWHERE).clips if clip.is_video]
    if not clips:
        raise DatasetError(f"The folder {folder} holds no videos below real/ and fake/.")
    groups = group_clips(clips)
    return [Sample(clip.path, clip.label, clip.source, clip.method, groups[clip.path]) for clip in clips]


def score_films(
    films: Sequence[Sample],
    folder: Path,
    finder: Finds,
    model: Scores,
    settings: Settings,
    progress: Progress = no_progress,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Check every clip.

    Args:
        films: the clips.
        folder: the one that their paths start from.
        finder: finds faces.
        model: scores them.
        settings: limits.
        progress: called with (clips done, clips in all).

    Returns:
        A row a clip, as `training.evaluation.score` gives one a picture, with `frames` and `usable` ones of them; and a
        row a frame of the face that decided, with its `clip`. A clip without a score has no frames.
    """
    # Nobody waits for a single clip here, and a busy machine must not cut one short.
    checker = Checker(replace(settings, video_patience=PATIENCE), finder, model, None)
    rows: list[dict[str, Any]] = []
    frames: list[dict[str, Any]] = []
    for film in films:
        same = {
            "label": "fake" if film.label else "real",
            "source": film.source,
            "method": film.method,
            "group": film.group,
        }
        row: dict[str, Any] = {"path": film.path, **same, "fake_probability": None, "verdict": "unreadable"}
        try:
            check = checker.check_video(folder / film.path)
        except (UnmaskError, OSError) as error:
            row["error"] = error.message if isinstance(error, UnmaskError) else str(error)
        else:
            row |= {
                "fake_probability": check["fake_probability"],
                "verdict": check["verdict"],
                "reasons": check["reasons"],
                **check["coverage"],
            }
            frames += [{**same, "clip": film.path, **frame} for frame in _list_frames(film.path, check)]
        rows.append(row)
        progress(len(rows), len(films))
    return rows, frames


def _list_frames(path: str, check: Check) -> list[dict[str, Any]]:
    """Return a row for each frame of the track that decided."""
    decisive = [
        track
        for track in check["tracks"]
        if (track["verdict"], track["fake_probability"]) == (check["verdict"], check["fake_probability"])
    ]
    return [
        {"path": f"{path}#{point['frame']}", "fake_probability": point["fake_probability"], "verdict": point["verdict"]}
        | {"log_odds": log_odds(point)}
        for track in decisive[:1]
        for point in track["points"]
    ]


def summarise_films(rows: Sequence[dict[str, Any]], frames: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Turn scored clips into figures: those of `training.evaluation.summarise`, the unit being a clip."""
    return {
        "overall": measure_rows(rows),
        "against_real": compare_families(rows),
        "promise": {"video": measure_promise(rows, {})},
        "aggregation": compare_rules(frames),
    }
