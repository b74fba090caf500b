"""One training, from a manifest to a run folder: resumable, seen as it goes, repeatable from its record."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from chalicelib.face_views import FaceViews, ViewRule
from chalicelib.settings import Settings
from chalicelib.verdicts import Calibration, Calibrations
from training.calibration import fit_calibrations
from training.callbacks import Row, Validation, find_best, rows_of, without_optimizer, write_history
from training.crops import join_views, load_crops, load_views, predict_views
from training.curves import draw_curves
from training.evaluation import to_json
from training.faces import FOUND, adopt_faces, locate_faces
from training.files import hash_file, replacing
from training.fitting import Data, fit_phases, start_network
from training.levels import name_clips
from training.manifest import ManifestError, Sample, read_manifest
from training.metrics import auc, measure
from training.presets import PRESETS
from training.progress import every
from training.recipe import Recipe
from training.records import RECORD, RunMismatch, hash_data, now, open_record, write_json
from training.splits import FRACTIONS, leave_out, limit_by_class, split_by_group
from training.view_rule import PROPOSED, fit_rule

NETWORK = "network.keras"
# The band of doubt of a network that could not be calibrated: only the far ends count as a verdict.
UNCALIBRATED = Calibrations.alike(Calibration(temperature=1.0, bias=0.0, no_traces_below=0.05, fake_above=0.95))


def train(
    recipe: Recipe,
    manifest: Path,
    root: Path,
    run: Path,
    *,
    preset: str = "student",
    overrides: Mapping[str, Any] | None = None,
    repeats: str = "",
    settings: Settings | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train, or go on where this run stopped, and save the network.

    The run folder receives `record.json`, `faces_found.csv` (faces found), `history.csv` (a row an epoch),
    `curves.png`, `checkpoint/` (the last whole epoch and the best) and, at the end, `network.keras` and `card.json`.

    Args:
        recipe: what to do.
        manifest: faces CSV.
        root: the folder that its paths start from.
        run: folder of this run; made when missing.
        preset: name of the preset that the recipe was made from.
        overrides: what of the preset was changed; kept in the record.
        repeats: the data hash of a record that is repeated; "" where none is.
        settings: limits and models of decoding and face finding; the defaults when None.
        report: receives lines for a person.

    Returns:
        The path of the saved network.

    Raises:
        ManifestError: the manifest cannot be used.
        RunMismatch: the folder holds a run of another recipe or data, or the data is not what is to be repeated.
        WriteFailed: a file cannot be written; what was saved before is still there.
        ValueError: a class is missing, or the recipe's values do not fit.
    """
    settings = settings or Settings()
    parts = _choose(read_manifest(manifest), root, recipe, report)
    digest = hash_data([*parts["train"], *parts["validation"]], root)
    if repeats and digest != repeats:
        raise RunMismatch(
            "the pictures are not those of the record: a path, label, group, source, split or file size differs. "
            "What would come of it could not be compared; train on them without --repeat."
        )
    record = open_record(run, recipe, preset, overrides or {}, manifest, digest)
    saved = run / NETWORK
    if saved.exists() and record["finished"]:
        report(f"{saved} is there already: this run is finished.")
        return saved

    keras.utils.set_random_seed(recipe.seed)
    network = start_network(recipe)
    everyone = [*parts["train"], *parts["validation"]]
    run.mkdir(parents=True, exist_ok=True)
    adopt_faces(manifest, root, run / FOUND)
    faces = locate_faces(everyone, root, run / FOUND, settings, every(5, "faces searched in", report))
    kept = {part: [sample for sample in rows if sample.path in faces] for part, rows in parts.items()}
    report(", ".join(f"{part} {len(rows)}" for part, rows in kept.items()) + " faces")
    data = Data(kept["train"], kept["validation"], faces, root, settings)
    _check_classes(data, report)
    # Only now, when all that can be refused was not, is the folder this run's.
    write_json(run / RECORD, record)

    # While it is trained nobody knows yet what the squares should count.
    rule = PROPOSED if recipe.native else ViewRule()
    views, validated = load_views(data.validation, faces, root, recipe.side, settings, rule)
    fit = _fit_support_vectors if recipe.sampling == "support_vectors" else _fit_network
    network, findings = fit(network, recipe, data, run, Validation(views, validated, rule), report)
    _save(network, saved)
    clips = name_clips(validated, manifest)[0]
    card = _make_card(network, recipe, preset, views, validated, clips, hash_file(saved))
    write_json(run / "card.json", to_json(card))
    record |= {
        "finished": now(),
        "pictures": {part: _count(rows) for part, rows in kept.items()},
        **findings,
    }
    write_json(run / RECORD, to_json(record))
    report(f"saved {saved}")
    return saved


def _choose(
    samples: Sequence[Sample], root: Path, recipe: Recipe, report: Callable[[str], None]
) -> dict[str, list[Sample]]:
    """Return the training and validation samples that have a file, cut to the recipe's limit.

    The whole manifest is split before it is cut, so that no limit moves a group from one part to another.

    Raises:
        ManifestError: no row has a file, or there is no fake of a family that is to be left out.
    """
    parts = leave_out(split_by_group(samples, recipe.seed), recipe.left_out)
    lost = [sample.path for sample in samples if not (root / sample.path).is_file()]
    if lost and len(lost) == len(samples):
        raise ManifestError(f"None of the {len(samples)} rows has a file under {root}, such as {lost[0]}; see --root.")
    if lost:
        report(f"{len(lost)} of {len(samples)} rows have no file and are left out, such as {lost[0]}.")
    absent = set(lost)
    limits = {"train": recipe.limit, "validation": math.ceil(recipe.limit * FRACTIONS[1] / FRACTIONS[0])}
    return {
        part: limit_by_class([sample for sample in parts[part] if sample.path not in absent], limit, recipe.seed)
        for part, limit in limits.items()
    }


def _check_classes(data: Data, report: Callable[[str], None]) -> None:
    """Refuse data that nothing can be learnt from; warn of data that it cannot be checked on.

    Raises:
        ValueError: there is no face at all, or a class is missing.
    """
    if not data.train:
        raise ValueError("no picture to train on shows a face; faces_found.csv tells of each why")
    for label, name in enumerate(("real", "fake")):
        if not any(sample.label == label for sample in data.train):
            raise ValueError(f"no {name} picture with a face to train on: a detector needs both classes")
    if len({sample.label for sample in data.validation}) < 2:
        report("The validation part lacks a class: no epoch can be called the best and nothing can be calibrated.")


def _fit_network(
    network: keras.Model,
    recipe: Recipe,
    data: Data,
    run: Path,
    validation: Validation,
    report: Callable[[str], None],
) -> tuple[keras.Model, dict[str, Any]]:
    """Train by gradient descent; return the network and what the record keeps of it."""
    rows = fit_phases(network, recipe, data, run, validation, report)
    if rows:
        draw_curves(run / "history.csv", run / "curves.png")
    return network, _sum_up(rows, recipe, data)


def _sum_up(rows: list[Row], recipe: Recipe, data: Data) -> dict[str, Any]:
    """Return what the record keeps of a history."""
    views = recipe.steps * recipe.batch_size if recipe.sampling == "draws" else len(data.train)
    seconds = sum(row["seconds"] for row in rows)
    best = None
    for number, phase in enumerate(recipe.phases, start=1):
        if own := rows_of(rows, number):
            best = int(own[find_best(own, phase.monitor)]["epoch"])
    masses = [sum(sample.weight for sample in data.train if sample.label == label) for label in (0, 1)]
    return {
        "history": rows,
        "best_epoch": best,
        # Of training alone, over all calls that it took.
        "seconds": round(seconds, 1),
        "images_per_second": round(views * len(rows) / seconds, 1) if seconds else None,
        "class_weights": None if recipe.sampling == "draws" else [len(data.train) / (2 * mass) for mass in masses],
    }


def _fit_support_vectors(
    network: keras.Model,
    recipe: Recipe,
    data: Data,
    run: Path,
    validation: Validation,
    report: Callable[[str], None],
) -> tuple[keras.Model, dict[str, Any]]:
    """Fit support vectors on a network's features; return the whole as one network, and the grid's results."""
    from training.support_vectors import fit_support_vectors

    began = time.monotonic()
    crops, kept = load_crops(data.train, data.faces, data.root, recipe.side, data.settings)
    machine, results = fit_support_vectors(
        network,
        crops,
        np.array([sample.label for sample in kept]),
        [sample.group for sample in kept],
        seed=recipe.seed,
        report=report,
    )
    grid = results.pop("grid", [])
    write_history(run / "history.csv", grid)
    return machine, {"support_vectors": results, "history": grid, "seconds": round(time.monotonic() - began, 1)}


def _save(network: keras.Model, path: Path) -> None:
    """Save anew, without the optimiser, whose state takes three times the network's size."""
    with replacing(path) as unfinished:
        without_optimizer(network).save(unfinished)


def _make_card(
    network: keras.Model,
    recipe: Recipe,
    preset: str,
    views: Sequence[FaceViews],
    samples: Sequence[Sample],
    clips: Mapping[str, str],
    digest: str,
) -> dict[str, Any]:
    """Say what the network is and how its logits are to be read, as fitted on the validation groups."""
    labels = np.array([sample.label for sample in samples])
    scored = predict_views(network, views) if samples else []
    rule = fit_rule(labels, scored) if recipe.native else ViewRule()
    logits = join_views(scored, rule)
    card: dict[str, Any] = {
        "name": preset,
        "version": f"{now()[:10]}-{digest[:8]}",
        "preset": preset,
        "architecture": recipe.architecture,
        "side": recipe.side,
        "evidence": any(layer.name == "evidence" for layer in network.layers),
        "published": PRESETS[preset].published if preset in PRESETS else "",
        "parameters": network.count_params(),
        # What an evaluation may call never seen.
        "left_out": [*recipe.left_out],
    }
    if recipe.native:
        card["views"] = asdict(rule)
    try:
        fitted = fit_calibrations(
            labels,
            logits,
            [sample.source for sample in samples],
            [sample.group for sample in samples],
            [clips.get(sample.path, "") for sample in samples],
            [sample.method for sample in samples],
        )
        calibration = fitted.calibrations
        card["promise"] = fitted.promise
    except ValueError as error:
        calibration = UNCALIBRATED
        card["uncalibrated"] = f"The logits are taken as they are: {error}."
    card["calibration"] = asdict(calibration)
    figures: dict[str, Any] = {"pictures": len(samples), "auc": auc(labels, logits)}
    if len(samples):
        probabilities = np.array([calibration.picture.probability(float(logit)) for logit in logits])
        figures |= measure(labels, probabilities)
    card["validation"] = figures
    return card


def _count(samples: Sequence[Sample]) -> dict[str, int]:
    return {name: sum(sample.label == label for sample in samples) for label, name in enumerate(("real", "fake"))}
