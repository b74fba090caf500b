"""Whose face is whose: faces of one person in several clips, photos or collections belong to one group.

dlib's face network turns a face into 128 numbers; the faces of one person lie near each other. Aligned by the five
landmarks that are known of every face, as dlib aligns the pictures that it was trained on. What it tells is used to
keep a person in one part, and for nothing else; the numbers stay in the folder of the data set.

Source: King, "High Quality Face Recognition with Deep Metric Learning", 2017 (network and weights in the public
domain, CC0; in the package `face_recognition_models`).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from training.datasets.clips import DatasetError
from training.datasets.members import Member, Pair
from training.datasets.pace import Pace
from training.datasets.pool import Crashed, Pool
from training.files import replacing

WEIGHTS = ("face_recognition_models", "models/dlib_face_recognition_resnet_model_v1.dat")
PERSONS = "persons.npz"
INSTALL = 'pip install "unmask[persons]"'
# Distance below which two faces are taken for one person.
DISTANCE = 0.4
# Side of the picture that the network takes, px, and where it wants the eyes and the corners of the mouth in it.
SIDE = 150
NUMBERS = 128
# From dlib's mean face, which spans the unit square: a quarter of that is added on each side.
PLACES = (np.array([[0.2273, 0.2214], [0.7528, 0.2212], [0.2541, 0.7802], [0.7261, 0.7802]]) + 0.25) / 1.5 * SIDE
# The nose, which leads the furthest astray when a head is turned, is not asked.
USED = [0, 1, 3, 4]
# Faces after which the numbers are saved, and faces that are compared with all others at a time.
SAVE_EVERY = 500
ROWS_AT_ONCE = 512


def find_persons(
    members: Sequence[Member], out: Path, workers: int = 1, report: Callable[[str], None] = lambda line: None
) -> list[Pair]:
    """Return pairs of faces of two groups that show one person, by index; one of the two at least is real.

    Args:
        members: faces that are saved in `out`.
        out: folder of the data set; receives `persons.npz`, by which a second call goes on.
        workers: number of processes.
        report: receives lines for a person.

    Raises:
        DatasetError: dlib or its weights are not installed, or `persons.npz` is damaged.
        WriteFailed: the folder cannot be written to.
    """
    require_installed()
    known = _read(out / PERSONS)
    todo = [member for member in members if member.face.sha256 not in known]
    # Equal files need be looked at once.
    jobs = list(
        {
            member.face.sha256: (member.face.sha256, out / member.face.path, member.face.landmarks) for member in todo
        }.values()
    )
    pace = Pace(len(jobs), 0, report)
    for done, ((digest, *_), numbers) in enumerate(_describe_all(jobs, workers), start=1):
        # A face that takes its process down is like no other.
        known[digest] = np.full(NUMBERS, np.nan, np.float32) if isinstance(numbers, Crashed) else numbers
        if done % SAVE_EVERY == 0:
            _write(out / PERSONS, known)
        pace.tell(done)
    if jobs:
        _write(out / PERSONS, known)
    numbers_of = np.array([known[member.face.sha256] for member in members], np.float32).reshape(-1, NUMBERS)
    pairs = pair_same(numbers_of, [member.sample.group for member in members])
    # Faces that one generator drew from one prompt resemble each other as those of one person do: they would chain.
    return [(one, other) for one, other in pairs if not (members[one].sample.label and members[other].sample.label)]


def pair_same(numbers: np.ndarray, groups: Sequence[str], distance: float = DISTANCE) -> list[Pair]:
    """Return pairs of faces of two groups whose numbers lie nearer than a distance.

    Args:
        numbers: float32 [n, k], a row a face; a row of NaN is near none.
        groups: of each face.
        distance: Euclidean.

    Returns:
        (i, j), i < j, sorted.
    """
    names = np.unique(np.array(groups, dtype=str), return_inverse=True)[1].reshape(-1)
    squares = (numbers * numbers).sum(axis=1)
    pairs: list[Pair] = []
    for start in range(0, len(numbers), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        apart = squares[rows, None] + squares[None] - 2 * numbers[rows] @ numbers.T
        near = (apart < distance * distance) & (names[rows, None] != names[None])
        one, other = np.nonzero(near)
        one += start
        pairs += [(int(i), int(j)) for i, j in zip(one, other, strict=True) if i < j]
    return pairs


def align(pixels: np.ndarray, landmarks: Sequence[tuple[float, float]]) -> np.ndarray:
    """Turn, scale and shift a picture so that eyes and mouth lie where the network wants them.

    Args:
        pixels: uint8 RGB.
        landmarks: left eye, right eye, nose, left and right corner of the mouth, px.

    Returns:
        uint8 RGB [150, 150, 3].
    """
    found = np.asarray(landmarks, float)[USED]
    # (x, y) → (a x - b y + e, b x + a y + f), by least squares.
    x, y, one, zero = found[:, 0], found[:, 1], np.ones(len(USED)), np.zeros(len(USED))
    system = np.concatenate([np.stack([x, -y, one, zero], axis=1), np.stack([y, x, zero, one], axis=1)])
    a, b, e, f = np.linalg.lstsq(system, PLACES.T.reshape(-1), rcond=None)[0]
    matrix = np.array([[a, -b, e], [b, a, f]])
    return cv2.warpAffine(pixels, matrix, (SIDE, SIDE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)


def require_installed() -> None:
    """Make sure that dlib and its weights are there.

    Raises:
        DatasetError: they are not.
    """
    if importlib.util.find_spec("dlib") is None or not _find_weights().is_file():
        raise DatasetError(f"Telling persons apart needs dlib and its weights: {INSTALL}")


def _find_weights() -> Path:
    # The package itself is not imported: it needs a part of setuptools that is gone.
    package, name = WEIGHTS
    spec = importlib.util.find_spec(package)
    return Path(spec.origin or "").parent / name if spec else Path(package, name)


Job = tuple[str, Path, Any]
_network: Any = None


def _prepare() -> None:
    import dlib

    global _network
    cv2.setNumThreads(1)
    _network = dlib.face_recognition_model_v1(str(_find_weights()))


def _describe(job: Job) -> np.ndarray:
    _, path, landmarks = job
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    return np.array(_network.compute_face_descriptor(np.ascontiguousarray(align(pixels, landmarks))), np.float32)


def _describe_all(jobs: Sequence[Job], workers: int) -> Any:
    if not jobs:
        return
    if workers == 1:
        _prepare()
        for job in jobs:
            yield job, _describe(job)
        return
    pool: Pool[Job, np.ndarray] = Pool(_describe, min(workers, len(jobs)), _prepare)
    yield from pool.run(jobs)


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        return {}
    try:
        with np.load(path) as file:
            return dict(zip(file["sha256"].tolist(), file["numbers"], strict=True))
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(f"{path} is damaged; delete it to look at the faces again.") from error


def _write(path: Path, known: dict[str, np.ndarray]) -> None:
    with replacing(path) as unfinished:
        np.savez(unfinished, sha256=list(known), numbers=np.array(list(known.values()), np.float32))
