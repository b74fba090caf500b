"""Scores of many pictures by one model: the served path, with faces found once and crops scored in batches.

What a picture goes through is what a stranger's picture goes through in `chalicelib.checks`: the same decoding, face
finder, crop, calibration and rules of a verdict. Only the order differs, so that many models can share one search for
faces and a network can be given many crops at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chalicelib.checks import Finds, Progress, Scores, no_progress
from chalicelib.errors import ModelUnavailable, UnmaskError
from chalicelib.face_views import FaceViews, cut_views, score_views
from chalicelib.faces import FaceFinder
from chalicelib.images import decode
from chalicelib.quality import find_flaws
from chalicelib.schema import Reason
from chalicelib.settings import Settings
from chalicelib.verdicts import Calibration, judge_face, judge_picture
from training.manifest import Sample
from training.notes import Notes
from training.skin import measure_skin

# Crops that a network is given at once.
BATCH = 32
# Pictures that are degraded at once, and the bytes of pixels at which they are fewer.
CHUNK = 64
CHUNK_BYTES = 200_000_000

# A picture, the views of its faces, and why each of them cannot be judged.
_Waiting = tuple[Sample, list[FaceViews], list[tuple[Reason, ...]]]
# What pictures go through before they are checked: pixels to the bytes of a file, picture by picture.
Alter = Callable[[Sequence[np.ndarray]], list[bytes]]


@dataclass(frozen=True, slots=True)
class Found:
    """The faces of one picture that are judged.

    Attributes:
        boxes: x, y, width, height, px, largest first.
        left_out: faces found but not judged.
        error: why the picture cannot be read; "" where it can.
        skins: of each box, how light the skin looks, degrees; see `training.skin`.
    """

    boxes: tuple[tuple[float, float, float, float], ...] = ()
    left_out: int = 0
    error: str = ""
    skins: tuple[float | None, ...] = ()


def find_faces(
    samples: Sequence[Sample],
    root: Path,
    settings: Settings,
    *,
    alter: Alter | None = None,
    notes: Path | None = None,
    finder: Finds | None = None,
    progress: Progress = no_progress,
) -> dict[str, Found]:
    """Find the faces of every picture, once for all models.

    Args:
        samples: the pictures.
        root: the folder that their paths start from.
        settings: limits, and where the finder's networks lie.
        alter: what the pictures go through first.
        notes: the file that remembers what was found.
        finder: another than that of the settings.
        progress: called with (pictures done, pictures in all).

    Returns:
        What was found, by path.
    """
    finder = finder or FaceFinder(settings.models, search_side=settings.search_side, threads=settings.threads)
    with Notes(notes) as known:
        todo = [sample for sample in samples if sample.path not in known.entries]
        done = len(samples) - len(todo)
        for sample, pixels in open_pictures(todo, root, settings, alter):
            known.entries[sample.path] = asdict(_find(pixels, finder, settings))
            known.save_if_due()
            progress(done := done + 1, len(samples))
        return {sample.path: _to_found(known.entries[sample.path]) for sample in samples}


def _find(pixels: np.ndarray | str, finder: Finds, settings: Settings) -> Found:
    if isinstance(pixels, str):
        return Found(error=pixels)
    faces = finder.find(pixels)
    judged = faces[: settings.max_faces]
    boxes = tuple(tuple(float(value) for value in face.box) for face in judged)
    skins = tuple(measure_skin(pixels, face.landmarks) for face in judged)
    return Found(boxes, len(faces) - len(boxes), skins=skins)  # type: ignore[arg-type]


def _to_found(entry: Mapping[str, Any]) -> Found:
    boxes = tuple(tuple(box) for box in entry["boxes"])
    return Found(boxes, entry["left_out"], entry["error"], tuple(entry["skins"]))


def open_pictures(
    samples: Sequence[Sample], root: Path, settings: Settings, alter: Alter | None = None
) -> Iterator[tuple[Sample, np.ndarray | str]]:
    """Yield each picture with its pixels, uint8 RGB [H, W, 3], or the sentence that says why there are none."""
    if alter is None:
        for sample in samples:
            yield sample, _decode(root / sample.path, settings)
        return
    for chunk in _take_chunks(samples, root, settings):
        readable = [pixels for _, pixels in chunk if not isinstance(pixels, str)]
        files = iter(alter(readable))
        for sample, pixels in chunk:
            yield sample, pixels if isinstance(pixels, str) else _decode(next(files), settings)


def _take_chunks(
    samples: Sequence[Sample], root: Path, settings: Settings
) -> Iterator[list[tuple[Sample, np.ndarray | str]]]:
    """Yield pictures, as many at a time as may be held decoded."""
    chunk: list[tuple[Sample, np.ndarray | str]] = []
    held = 0
    for sample in samples:
        pixels = _decode(root / sample.path, settings)
        chunk.append((sample, pixels))
        held += 0 if isinstance(pixels, str) else pixels.nbytes
        if len(chunk) == CHUNK or held >= CHUNK_BYTES:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk


def _decode(picture: Path | bytes, settings: Settings) -> np.ndarray | str:
    try:
        return decode(picture if isinstance(picture, bytes) else picture.read_bytes(), settings).pixels
    except OSError as error:
        # Without the path, which is nobody's business in a report that is handed on.
        return f"The file cannot be read: {error.strerror}."
    except ModelUnavailable:
        raise
    except UnmaskError as error:
        return str(error)


def score_faces(
    samples: Sequence[Sample],
    root: Path,
    faces: Mapping[str, Found],
    model: Scores,
    settings: Settings,
    *,
    clips: Mapping[str, str] | None = None,
    alter: Alter | None = None,
    notes: Path | None = None,
    progress: Progress = no_progress,
) -> list[dict[str, Any]]:
    """Judge every picture by the faces that were found in it.

    Args:
        samples: the pictures.
        root: the folder that their paths start from.
        faces: what `find_faces` returned for them and the same `alter`.
        model: scores crops.
        settings: limits.
        clips: the clip of each path that is a frame of one.
        alter: what the pictures go through first.
        notes: the file that remembers the scores.
        progress: called with (pictures done, pictures in all).

    Returns:
        A row a picture: path, label, source, method, group, clip; `fake_probability` (None where there is no face or
        the picture cannot be read), `verdict` ("unreadable" where it cannot), and where there is a score, of the face
        that the verdict rests on, `log_odds` (calibrated), `face_side` (larger side of its box, px) and `skin_angle`
        (see `training.skin`).

    Raises:
        ModelUnavailable: the model gives something that is no number.
    """
    with Notes(notes) as known:
        todo = [sample for sample in samples if sample.path not in known.entries]
        done = len(samples) - len(todo)
        waiting: list[_Waiting] = []
        for index, (sample, pixels) in enumerate(open_pictures(todo, root, settings, alter), start=1):
            boxes = () if isinstance(pixels, str) else faces[sample.path].boxes
            views = [cut_views(pixels, box, model.side, model.views) for box in boxes]  # type: ignore[arg-type]
            flaws = [find_flaws(pixels, box, settings.min_face) for box in boxes]  # type: ignore[arg-type]
            waiting.append((sample, views, flaws))
            if sum(len(flaws) for *_, flaws in waiting) >= BATCH or index == len(todo):
                known.entries |= _judge(waiting, faces, model)
                progress(done := done + len(waiting), len(samples))
                waiting = []
                known.save_if_due()
        return [_describe(sample, clips or {}) | known.entries[sample.path] for sample in samples]


def _judge(waiting: Sequence[_Waiting], faces: Mapping[str, Found], model: Scores) -> dict[str, dict[str, Any]]:
    seen = [face for _, views, _ in waiting for face in views]
    logits = iter(score_views(model, seen, model.views)[0] if seen else ())
    return {
        sample.path: _judge_picture(
            faces[sample.path], [float(next(logits)) for _ in views], flaws, model.calibration.picture
        )
        for sample, views, flaws in waiting
    }


def score_crops(model: Scores, crops: np.ndarray) -> np.ndarray:
    """Return the logits [N] of crops uint8 [N, S, S, 3], a batch at a time."""
    parts = [model.score(crops[start : start + BATCH])[0] for start in range(0, len(crops), BATCH)]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def _judge_picture(
    found: Found, logits: Sequence[float], flaws: Sequence[Sequence[Reason]], calibration: Calibration
) -> dict[str, Any]:
    if found.error:
        return {"fake_probability": None, "verdict": "unreadable", "error": found.error}
    judgements = [judge_face(logit, own, calibration) for logit, own in zip(logits, flaws, strict=True)]
    picture = judge_picture(judgements, faces_left_out=found.left_out)
    answer: dict[str, Any] = {"fake_probability": picture.probability, "verdict": picture.verdict}
    shown = [
        (logit, place)
        for place, (logit, face) in enumerate(zip(logits, judgements, strict=True))
        if (face.probability, face.verdict) == (picture.probability, picture.verdict)
    ]
    if not shown:
        return answer
    logit, place = max(shown)
    return answer | {
        "log_odds": round(calibration.log_odds(logit), 4),
        "face_side": round(max(found.boxes[place][2:]), 1),
        "skin_angle": found.skins[place] if found.skins else None,
    }


def _describe(sample: Sample, clips: Mapping[str, str]) -> dict[str, Any]:
    return {
        "path": sample.path,
        "label": "fake" if sample.label else "real",
        "source": sample.source,
        "method": sample.method,
        "group": sample.group,
        "clip": clips.get(sample.path, ""),
    }
