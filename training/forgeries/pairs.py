"""Pairs on disk: photos and the forgeries made of them, as two collections that `unmask dataset` reads.

Auto-encoders and networks for restoration are slow, so their forgeries are made once, before a training, and not
while it runs. `NAME-original` holds the photos' squares, `NAME` what became of them, under the same names. Both are
tied, a folder a group, so that a photo and its forgery never lie in two parts of a split; and both state the part that
the photos were taken from, so that none moves from the training part to another.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from chalicelib.errors import UnmaskError
from chalicelib.images import decode
from chalicelib.settings import Settings
from training.datasets.pace import Pace
from training.faces import LocatedFace, begin_cache, locate_faces
from training.files import replacing
from training.forgeries.mix import Forger, Mix
from training.forgeries.remakers import Remakers
from training.forgeries.self_blending import Pair, cut_region
from training.manifest import Sample
from training.splits import limit_by_class, split_by_group

COLLECTION = "collection.toml"
NAMES = re.compile(r"[a-z0-9-]+")
# How often a square is made smaller first, to between these shares of its side: by this a photo loses the grid of
# blocks that its camera's JPEG left, and what is left to tell its forgery from it are the traces of the forgery.
SHRUNK = 0.5
SHRINK = (0.5, 0.9)
# No square is made smaller than this, px.
LEAST_SHRUNK = 192


class PairsError(ValueError):
    """No pairs can be written; the message says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which pairs to write.

    Attributes:
        name: of the collection of forgeries, of small letters, digits and hyphens.
        kind: one of `training.forgeries.mix.KINDS`.
        family: what the forgeries are called as a family of fakes.
        part: of the split whose real photos are used, one of `training.splits.PARTS`.
        count: how many at most, every source giving alike.
        margin: what a square shows round the box of a face, in box sides on each side.
        side: largest side of a square, px.
        seed: fixes the split, where the manifest states none, and every draw.
    """

    name: str
    kind: str
    family: str
    part: str = "train"
    count: int = 1000
    margin: float = 0.45
    side: int = 640
    seed: int = 0

    def __post_init__(self) -> None:
        if not NAMES.fullmatch(self.name):
            raise PairsError(f"A name is made of small letters, digits and hyphens. Received: {self.name!r}")


def write_pairs(
    plan: Plan,
    samples: Sequence[Sample],
    root: Path,
    out: Path,
    *,
    remakers: Remakers,
    settings: Settings,
    located: Path | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> int:
    """Write pairs, going on where an earlier call was stopped.

    A square of a photo is cut at its native size, or made smaller first, both halves alike, and saved without loss.
    A pair is the same whenever and in whichever order it is made.

    Args:
        plan: which pairs.
        samples: the whole manifest.
        root: the folder that its paths start from.
        out: the folder of collections to write the two into.
        remakers: the networks to send photos through.
        settings: limits and models.
        located: faces that are known, as `locate_faces` keeps them; they are taken over.
        report: receives lines of progress.

    Returns:
        How many pairs there are now.

    Raises:
        PairsError: there is no photo to make one of.
        ManifestError: the split that the manifest states does not hold.
        OSError: the disk is full, or the folder cannot be written to.
        ValueError: a network cannot be loaded.
    """
    part = [sample for sample in split_by_group(samples, plan.seed)[plan.part] if not sample.label]
    chosen = limit_by_class(part, plan.count, plan.seed)
    faces = _find_faces(chosen, root, out, located, settings, report)
    forger = Forger(
        chosen,
        faces,
        lambda sample: decode((root / sample.path).read_bytes(), settings).pixels,
        Mix(),
        remakers=remakers,
        cut=lambda pixels, face: _cut(pixels, face, plan),
    )
    fit = [sample for sample in chosen if forger.can_forge(sample)]
    folders = out / f"{plan.name}-original", out / plan.name
    there = {sample.path for sample in fit if all(_place(folder, sample).is_file() for folder in folders)}
    pace = Pace(len(fit), len(there), report)
    made = done = len(there)
    for sample in fit:
        if sample.path in there:
            continue
        rng = np.random.default_rng((plan.seed, zlib.crc32(f"{plan.name} {sample.path}".encode())))
        try:
            forgery = forger.forge(plan.kind, sample, rng)
        except UnmaskError as error:
            report(f"{sample.path} was left out: {error}")
            forgery = None
        if forgery:
            _save(forgery.pair, sample, folders)
            made += 1
        done += 1
        pace.tell(done)
    if not made:
        raise PairsError(f"None of {len(chosen)} real photos of the {plan.part} part has a face that can be forged.")
    for folder, label, family in zip(folders, ("real", "fake"), ("original", plan.family), strict=True):
        _describe(folder, label, family, plan, fit)
    return made


def _find_faces(
    chosen: Sequence[Sample],
    root: Path,
    out: Path,
    located: Path | None,
    settings: Settings,
    report: Callable[[str], None],
) -> dict[str, LocatedFace]:
    """Return the faces of photos, found once for all pairs that are made from one folder."""
    out.mkdir(parents=True, exist_ok=True)
    cache = out / f"faces_found-{_hash(str(root.resolve()))}.csv"
    if located:
        begin_cache(cache, located)
    pace = Pace(len(chosen), 0, lambda line: report(f"faces: {line}"))
    try:
        return locate_faces(chosen, root, cache, settings, lambda done, total: pace.tell(done))
    except ValueError as error:
        raise PairsError(f"{located or cache} is not a list of faces found: {error}") from error


def _cut(pixels: np.ndarray, face: LocatedFace, plan: Plan) -> tuple[np.ndarray, LocatedFace]:
    """Cut the square of a face, at native size or, by a draw that its place fixes, smaller."""
    rng = np.random.default_rng((plan.seed, zlib.crc32(repr(face.box).encode())))
    region, moved = cut_region(pixels, face, plan.margin, plan.side)
    side = round(region.shape[0] * rng.uniform(*SHRINK))
    if rng.random() < SHRUNK and side >= LEAST_SHRUNK:
        region, moved = cut_region(pixels, face, plan.margin, side)
    return region, moved


def _place(folder: Path, sample: Sample) -> Path:
    """Return where a sample's square lies in a collection."""
    group = f"{re.sub('[^A-Za-z0-9_-]+', '_', sample.group)[:48]}-{_hash(sample.group)}"
    return folder / "images" / group / f"{_hash(sample.path, 16)}.png"


def _save(pair: Pair, sample: Sample, folders: Sequence[Path]) -> None:
    """Save both halves of a pair without loss."""
    for folder, pixels in zip(folders, (pair.real, pair.fake), strict=True):
        done, data = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        if not done:
            raise PairsError(f"{sample.path} cannot be saved as PNG")
        with replacing(_place(folder, sample)) as unfinished:
            unfinished.write_bytes(data.tobytes())


def _describe(folder: Path, label: str, family: str, plan: Plan, samples: Sequence[Sample]) -> None:
    """Write what a collection is; it comes last, so that a folder with it is whole."""
    sources = ", ".join(sorted({sample.source for sample in samples}))
    stated: Mapping[str, str | bool] = {
        "name": folder.name,
        "label": label,
        "family": family,
        "origin": f"photos of {sources}",
        "terms": f"those of the photos: {sources}",
        "tie": plan.name,
        "grouped": True,
        "note": f"made by unmask forgeries: {plan.kind}, seed {plan.seed}",
        "split": plan.part,
    }
    with replacing(folder / COLLECTION) as unfinished:
        # A string or a boolean of JSON is one of TOML.
        unfinished.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in stated.items()), "utf-8")


def _hash(text: str, length: int = 8) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]
