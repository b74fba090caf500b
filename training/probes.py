"""Can the data be told apart without looking at a face? Probes that must stay near chance.

A detector that is tested on such data may owe its figures to the file or to the background. Each probe is a plain
classifier, cross-validated by group, on what should know nothing: what the file is like, or what lies around the face.
It is tried in up to three states: "raw", the files as they are; "augmented", what the training's augmentation makes of
them, which tells how much of the cue the pipeline removes; and "trained", the views as a training draws them, with its
weights of sources and with the pairs whose halves share their surroundings: what a network can learn from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image as Pillow

from chalicelib.checks import Scores
from chalicelib.faces import crop_face
from chalicelib.settings import Settings
from training.augmentation import augment
from training.degradations import to_jpeg
from training.manifest import Sample
from training.metrics import auc, bootstrap_auc
from training.scoring import Found, Progress, no_progress, open_pictures, score_crops

if TYPE_CHECKING:
    # Keras takes seconds to load, and a page that is only written needs none.
    from training.batches import FaceBatches

# What is greyed beyond the box, on each side, as a share of it; and with what.
COVER = 0.1
GREY = 127
# Side of a view, px, and of the thumbnail that is looked at.
SIDE = 160
THUMBNAIL = 16
# Quality at which an augmented view is saved, so that it has a file to look at.
QUALITY = 90
FOLDS = 5
TREES = 200


class ProbeError(ValueError):
    """There is too little to probe; the message says what is missing."""


def probe(
    samples: Sequence[Sample],
    root: Path,
    faces: Mapping[str, Found],
    settings: Settings,
    *,
    seed: int = 0,
    progress: Progress = no_progress,
) -> dict[str, dict[str, Any]]:
    """Try both probes on the files as they are and on augmented views.

    Args:
        samples: the pictures; those in which no face was found take no part.
        root: the folder that their paths start from.
        faces: what `find_faces` returned for them.
        settings: limits of decoding.
        seed: of the augmentation's draws and of the classifier.
        progress: called with (pictures done, pictures in all).

    Returns:
        `metadata` and `background`, each with `raw` and `augmented`: `auc`, `auc_interval`, `pictures`.

    Raises:
        ProbeError: a class has fewer groups than there are folds.
    """
    kept = [sample for sample in samples if faces[sample.path].boxes]
    check_enough(kept)
    features: dict[tuple[str, str], list[np.ndarray]] = {}
    seen = []
    for index, (sample, pixels) in enumerate(open_pictures(kept, root, settings)):
        progress(index + 1, len(kept))
        if isinstance(pixels, str):
            continue
        seen.append(sample)
        box = faces[sample.path].boxes[0]
        covered = cover(pixels, box)

        def draw(picture: np.ndarray, index: int = index, box: Any = box) -> np.ndarray:
            # The same draw for the picture and its covered twin.
            return augment(picture, box, SIDE, np.random.default_rng((seed, index)))

        views = {
            ("metadata", "raw"): describe_file((root / sample.path).read_bytes()),
            ("metadata", "augmented"): describe_file(to_jpeg(draw(pixels), QUALITY)),
            ("background", "raw"): describe_background(crop_face(covered, box, SIDE)),
            ("background", "augmented"): describe_background(draw(covered)),
        }
        for key, values in views.items():
            features.setdefault(key, []).append(values)
    answer: dict[str, dict[str, Any]] = {"metadata": {}, "background": {}}
    for (name, state), rows in features.items():
        answer[name][state] = tell_apart(np.stack(rows), seen, seed)
    return answer


def probe_training(
    draws: FaceBatches, *, views: int = 2400, seed: int = 0, progress: Progress = no_progress
) -> dict[str, dict[str, Any]]:
    """Try both probes on the views that a training draws.

    A picture, a pair and whatever else is of the same group lies in one fold, however often it is drawn.

    Args:
        draws: made as the training's batches are; their first batches are drawn.
        views: so many in all, rounded up to whole batches.
        seed: of the classifier.
        progress: called with (views drawn, views in all).

    Returns:
        `metadata` and `background`, each with `trained`: `auc`, `auc_interval` and `pictures`, which are views here,
        and the same of two parts of them: `collected`, those of pictures as they were collected, and `made`, those of
        forged pairs. A part that has too few groups is left out.

    Raises:
        ProbeError: a class has fewer groups than there are folds.
    """
    seen: list[Sample] = []
    made: list[bool] = []
    features: dict[str, list[np.ndarray]] = {"metadata": [], "background": []}
    step = 0
    while len(seen) < views:
        # The batch twice, once with every face covered before it is augmented: the same draws, for another probe.
        for plain, covered in zip(draws.draw(step), draws.draw(step, cover), strict=True):
            seen.append(replace(plain.sample, label=plain.label))
            made.append(plain.made)
            features["metadata"].append(describe_file(to_jpeg(plain.view, QUALITY)))
            features["background"].append(describe_background(covered.view))
        step += 1
        progress(min(len(seen), views), views)
    check_enough(seen)
    parts = {"collected": ~np.array(made), "made": np.array(made)}
    answer = {}
    for name, rows in features.items():
        answer[name] = {"trained": tell_apart(np.stack(rows), seen, seed)}
        for part, chosen in parts.items():
            some = [sample for sample, one in zip(seen, chosen, strict=True) if one]
            try:
                answer[name]["trained"][part] = tell_apart(np.stack(rows)[chosen], some, seed)
            except ProbeError:
                continue
    return answer


def check_enough(samples: Sequence[Sample]) -> None:
    """Make sure that both classes have a group for every fold.

    Raises:
        ProbeError: one has not.
    """
    for label, name in ((0, "real"), (1, "fake")):
        groups = len({sample.group for sample in samples if sample.label == label})
        if groups < FOLDS:
            raise ProbeError(f"The probes need {FOLDS} groups of each class; there are {groups} {name} ones.")


def describe_file(data: bytes) -> np.ndarray:
    """Return what can be known of a file without looking at its picture.

    Returns:
        float [136]: bytes, width, height, aspect, bytes a pixel, number of quantisation tables, whether it is a JPEG,
        whether it is progressive, and the first two tables, 0 where there are none.
    """
    with Pillow.open(BytesIO(data)) as opened:
        width, height = opened.size
        tables: dict[int, Any] = getattr(opened, "quantization", None) or {}
        progressive = bool(opened.info.get("progressive", 0))
        jpeg = opened.format == "JPEG"
    coefficients = np.zeros((2, 64))
    for row, table in zip(coefficients, tables.values(), strict=False):
        row[: len(table)] = table
    size = [len(data), width, height, width / height, len(data) / (width * height)]
    return np.array([*size, len(tables), jpeg, progressive, *coefficients.ravel()], float)


def cover(pixels: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """Return a copy of a picture whose face, box and a tenth more on each side, is grey."""
    x, y, width, height = box
    left, top = int(max(0, x - COVER * width)), int(max(0, y - COVER * height))
    right, bottom = int(np.ceil(x + (1 + COVER) * width)), int(np.ceil(y + (1 + COVER) * height))
    covered = pixels.copy()
    covered[top:bottom, left:right] = GREY
    return covered


def describe_background(view: np.ndarray) -> np.ndarray:
    """Return a colour thumbnail and statistics of texture of a view, uint8 RGB [S, S, 3]; float [780]."""
    thumbnail = cv2.resize(view, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY).astype(np.float32)
    laplacian = cv2.Laplacian(grey, cv2.CV_32F)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 1.0)
    steps = [np.abs(np.diff(grey, axis=axis)) for axis in (0, 1)]
    # Steps on and off the 8 × 8 grid of JPEG tell how coarsely a picture was saved.
    blocks = [steps[0][7::8].mean() - steps[0].mean(), steps[1][:, 7::8].mean() - steps[1].mean()]
    means, spreads = view.mean(axis=(0, 1)), view.std(axis=(0, 1))
    texture = [*means, *spreads, laplacian.std(), fine.std(), *(step.mean() for step in steps), *blocks]
    return np.concatenate([thumbnail.ravel().astype(float), np.array(texture, float)])


def tell_apart(features: np.ndarray, samples: Sequence[Sample], seed: int = 0) -> dict[str, Any]:
    """Return how well features [N, F] tell fake from real: a random forest, cross-validated by group.

    Raises:
        ProbeError: see `check_enough`.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    check_enough(samples)
    labels = np.array([sample.label for sample in samples])
    groups = [sample.group for sample in samples]
    forest = RandomForestClassifier(TREES, min_samples_leaf=3, class_weight="balanced", random_state=seed)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    scores = cross_val_predict(forest, features, labels, groups=groups, cv=folds, method="predict_proba")[:, 1]
    return {"auc": auc(labels, scores), "auc_interval": bootstrap_auc(labels, scores, groups), "pictures": len(labels)}


def score_covered(
    samples: Sequence[Sample],
    root: Path,
    faces: Mapping[str, Found],
    model: Scores,
    settings: Settings,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Return how well a model tells fake from real with the face covered: what it owes to the background.

    Args and Raises as `probe`.
    """
    kept = [sample for sample in samples if faces[sample.path].boxes]
    seen, logits = [], []
    batch: list[np.ndarray] = []
    for index, (sample, pixels) in enumerate(open_pictures(kept, root, settings), start=1):
        if not isinstance(pixels, str):
            box = faces[sample.path].boxes[0]
            batch.append(crop_face(cover(pixels, box), box, model.side))
            seen.append(sample)
        if batch and (len(batch) == 32 or index == len(kept)):
            logits.append(score_crops(model, np.stack(batch)))
            batch = []
            progress(index, len(kept))
    labels, scores = np.array([sample.label for sample in seen]), np.concatenate(logits)
    interval = bootstrap_auc(labels, scores, [sample.group for sample in seen])
    return {"auc": auc(labels, scores), "auc_interval": interval, "pictures": len(seen)}


def explain(value: float, interval: Sequence[float]) -> str:
    """Say in words what a probe's AUC means for the figures beside it."""
    low, high = interval
    if np.isnan(value):
        return "not measured"
    if low <= 0.5 <= high:
        return "no cue: chance lies within the interval"
    if max(value, 1 - value) < 0.6:
        return "a weak cue"
    if max(value, 1 - value) < 0.75:
        return "a cue: part of a detector's figure may come from it"
    return "a strong cue: figures pooled over sources cannot be believed on their own"


def format_probes(figures: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Lay the figures of `probe` and `probe_training` out for a terminal, a row for each probe and state."""
    lines = [f"{'probe':<12}{'state':<20}{'AUC':>6}  {'interval':<12}{'pictures':>9}  meaning"]
    for name, states in figures.items():
        for state, found in states.items():
            parts = {part: found[part] for part in ("collected", "made") if part in found}
            for title, row in ({state: found} | {f"{state}, {part}": parts[part] for part in parts}).items():
                low, high = row["auc_interval"]
                meaning = explain(row["auc"], row["auc_interval"])
                interval = f"{low:.2f}–{high:.2f}"
                lines.append(f"{name:<12}{title:<20}{row['auc']:>6.3f}  {interval:<12}{row['pictures']:>9}  {meaning}")
    return "\n".join(lines)
