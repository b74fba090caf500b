"""Where the face is in each training picture: found once, by the very finder that serves, and remembered."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chalicelib.errors import UnmaskError
from chalicelib.faces import FaceFinder
from chalicelib.images import decode
from chalicelib.settings import Settings
from training.manifest import Sample

# Below this a second, smaller "face" is more often a pattern than a face.
CONFIDENCE = 0.95
# What a run or a data set calls its list of faces.
FOUND = "faces_found.csv"


@dataclass(frozen=True, slots=True)
class LocatedFace:
    """The face of a training picture, in px of the upright picture.

    Attributes:
        box: x, y, width, height.
        landmarks: five (x, y): left eye, right eye, nose, left and right corner of the mouth.
    """

    box: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...]


def adopt_faces(manifest: Path, root: Path, cache: Path) -> None:
    """Begin a new cache with the list of faces that the maker of a data set left beside its manifest.

    Does nothing where there is none, where the cache has begun, or where the paths start from another folder.
    """
    if root.resolve() == manifest.parent.resolve():
        begin_cache(cache, manifest.with_name(FOUND))


def begin_cache(cache: Path, *found: Path) -> None:
    """Begin a cache with the first of these lists that is there: what a data set or another run has found already.

    Does nothing where there is none, or where the cache has begun. Its paths must start from the same folder.
    """
    known = next((path for path in found if path.is_file()), None)
    if known is not None and not cache.exists():
        shutil.copyfile(known, cache)


def locate_faces(
    samples: Sequence[Sample],
    root: Path,
    cache: Path,
    settings: Settings,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, LocatedFace]:
    """Return the largest face of each picture, by path.

    Pictures without a face or that cannot be read are left out and listed with the reason in `cache`, a
    CSV that grows row by row; a second call goes on where the first was stopped.

    Args:
        samples: the pictures.
        root: the folder that their paths start from.
        cache: the CSV to go on with; its folder exists.
        settings: limits and models.
        progress: called with (pictures done, pictures in all).
    """
    known = _read_cache(cache)
    todo = [sample for sample in samples if sample.path not in known]
    done = len(samples) - len(todo)
    progress(done, len(samples))
    if todo:
        finder = FaceFinder(settings.models, search_side=settings.search_side, threads=settings.threads)
        with cache.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            for sample in todo:
                answer = _locate_largest(root / sample.path, finder, settings)
                known[sample.path] = answer
                writer.writerow([sample.path, *([answer] if isinstance(answer, str) else _to_row(answer))])
                file.flush()
                done += 1
                progress(done, len(samples))
    answers = {sample.path: known[sample.path] for sample in samples}
    return {path: answer for path, answer in answers.items() if isinstance(answer, LocatedFace)}


def _read_cache(cache: Path) -> dict[str, LocatedFace | str]:
    """Read what is known; a last line that an interruption cut short is dropped from the file too."""
    if not cache.exists():
        return {}
    text = cache.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        cache.write_text(whole, encoding="utf-8")
    known: dict[str, LocatedFace | str] = {}
    for path, *answer in csv.reader(whole.splitlines()):
        known[path] = answer[0] if len(answer) == 1 else _from_row(answer)
    return known


def _to_row(face: LocatedFace) -> tuple[str, str]:
    return json.dumps(face.box), json.dumps(face.landmarks)


def _from_row(row: Sequence[str]) -> LocatedFace:
    box, landmarks = map(json.loads, row)
    return LocatedFace(tuple(box), tuple(map(tuple, landmarks)))


def _locate_largest(path: Path, finder: FaceFinder, settings: Settings) -> LocatedFace | str:
    """Return the largest face, to a tenth of a px, or the sentence that says why there is none."""
    try:
        faces = finder.find(decode(path.read_bytes(), settings).pixels)
    except (OSError, UnmaskError) as error:
        return str(error)
    if len(faces) > 1:
        faces = [face for face in faces if face.confidence >= CONFIDENCE] or faces
    if not faces:
        return "no face found"
    x, y, width, height = (round(value, 1) for value in faces[0].box)
    points = faces[0].landmarks.round(1).astype(float).tolist()
    return LocatedFace((x, y, width, height), tuple((x, y) for x, y in points))
