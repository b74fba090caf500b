"""Forgeries to look at: from a manifest to some of each kind."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from chalicelib.errors import UnmaskError
from chalicelib.images import decode
from chalicelib.settings import Settings
from training.faces import locate_faces
from training.forgeries.mix import Forger, Forgery, Mix
from training.forgeries.remakers import Remakers
from training.forgeries.restoration import RestorerMissing
from training.manifest import Sample

# Photos in which faces are looked for when none are known yet: so many for each forgery, but no fewer than this.
# A swap needs a choice of partners.
POOL_EACH = 8
LEAST_POOL = 160
# Kinds that need a second photo.
PARTNERED = ("swapped", "edited")


class GalleryError(ValueError):
    """Nothing can be shown; the message says why."""


def draw_forgeries(
    samples: Sequence[Sample],
    root: Path,
    located: Path | None,
    *,
    kinds: Sequence[str],
    count: int,
    seed: int,
    settings: Settings,
    remakers: Remakers | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Forgery]:
    """Make forgeries from real photos drawn at random, the kinds by turns.

    Args:
        samples: a manifest; only its real photos are used.
        root: the folder that the paths start from.
        located: faces that are known, as `locate_faces` keeps them; without it, faces are looked for in some photos.
        kinds: which kinds, of `training.forgeries.mix.KINDS`.
        count: how many in all.
        seed: fixes every draw.
        settings: limits and models.
        remakers: the networks that reconstruct and restore; taef2, and all that restore, where not given.
        progress: called with (pictures searched for faces, pictures in all).

    Returns:
        At most `count` forgeries: fewer where there are fewer photos that fit. Of several kinds, one whose networks are
        not installed is left out.

    Raises:
        GalleryError: no photo is real, none can be forged, or `located` is another kind of file.
    """
    rng = np.random.default_rng(seed)
    real = [sample for sample in samples if not sample.label]
    if not real:
        raise GalleryError("None of the pictures is labelled real; forgeries are made from real photos.")
    if located is None:
        pool = rng.permutation(len(real))[: max(LEAST_POOL, POOL_EACH * count)]
        real = [real[i] for i in sorted(pool)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            faces = locate_faces(real, root, located or Path(folder) / "faces_found.csv", settings, progress)
    except ValueError as error:
        raise GalleryError(f"{located} is not a list of faces found: {error}") from error

    def open_picture(sample: Sample) -> np.ndarray:
        return decode((root / sample.path).read_bytes(), settings).pixels

    forger = Forger(real, faces, open_picture, Mix(), remakers=remakers)
    fit = [sample for sample in real if forger.can_forge(sample)]
    made: list[Forgery] = []
    turns = deque(kinds)
    for index in rng.permutation(len(fit)):
        try:
            forgery = forger.forge(turns[0], fit[index], rng)
        except (OSError, UnmaskError):
            # Gone or damaged since its face was found: another photo will do.
            continue
        except RestorerMissing as error:
            turns.popleft()
            if not turns:
                raise GalleryError(str(error)) from error
            continue
        if forgery:
            made.append(forgery)
            turns.rotate(-1)
        if len(made) == count:
            break
    if not made:
        raise GalleryError(
            f"No forgery of the kind {' or '.join(turns)} could be made from {len(real)} real photos: "
            f"a face large enough was found in {len(fit)}"
            + (
                ", and none has a partner of another group and a similar pose."
                if turns[0] in ("swapped", "edited")
                else "."
            )
        )
    return made
