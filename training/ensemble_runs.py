"""An ensemble from finished runs: members weighed on validation, saved as a run of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from chalicelib.detector import normalise
from chalicelib.face_views import FaceViews, ViewRule
from chalicelib.settings import Settings
from training.calibration import fit_calibration, fit_calibrations
from training.crops import join_views, load_views, predict_views
from training.ensembles import Weighing, find_weights, join, score_apart
from training.evaluation import to_json
from training.faces import FOUND, begin_cache, locate_faces
from training.files import hash_file, replacing
from training.left_out_runs import LeftOutRun
from training.levels import name_clips
from training.manifest import Sample, read_manifest
from training.members import CARD, NETWORK, Member, agree_on_split, find_member, read_rule
from training.metrics import auc, measure
from training.networks.compact import halve
from training.networks.loading import load_network
from training.progress import every
from training.records import RECORD, RunMismatch, hash_data, list_versions, now, write_json
from training.splits import split_by_group
from training.view_rule import fit_rule


def build_ensemble(
    paths: Sequence[Path],
    manifest: Path,
    root: Path,
    run: Path,
    *,
    average: bool = False,
    space: str = "probability",
    objective: str = "auc",
    left_out_runs: Sequence[LeftOutRun] = (),
    seed: int | None = None,
    settings: Settings | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Path:
    """Weigh members on the validation part of a manifest and save them as one network.

    The run folder receives `faces_found.csv`, `network.keras`, `card.json` and `record.json`, as that of a training
    does. Each member's logits are calibrated first, so that all speak of the same odds. No picture of the test part
    is looked at.

    Args:
        paths: run folders or .keras files, two at least.
        manifest: faces CSV that the members were trained on.
        root: the folder that its paths start from.
        run: folder of this run; made when missing.
        average: let all members weigh the same.
        space: where the mean is taken, "probability" or "logit".
        objective: what the weights serve, "auc" or "log_loss".
        left_out_runs: scores by networks like the members that were trained without some families of fakes; the lower
            threshold is then also as low as these ask for.
        seed: of the split; that of the members' records where None.
        settings: limits and models of decoding and face finding; the defaults when None.
        report: receives lines for a person.

    Returns:
        The path of the saved network.

    Raises:
        ManifestError: the manifest cannot be used.
        RunMismatch: the folder holds another run.
        WriteFailed: a file cannot be written.
        ValueError: a member cannot be loaded, members were trained on different splits, or none is of use.
    """
    settings = settings or Settings()
    members = [find_member(path) for path in paths]
    if len(members) < 2:
        raise ValueError(f"an ensemble has two members at least. Received: {len(members)}")
    seed = agree_on_split(members, manifest, seed, report)
    samples = split_by_group(read_manifest(manifest), seed)["validation"]
    record: dict[str, Any] = {
        "preset": "ensemble",
        "config": {
            "members": [member.sha256 for member in members],
            "average": average,
            "space": space,
            "objective": objective,
        },
        "manifest_sha256": hash_file(manifest),
        "data_sha256": hash_data(samples, root),
        "seed": seed,
        "versions": list_versions(),
        "started": now(),
        "finished": None,
    }
    _claim(run, record)
    networks = [load_network(member.path) for member in members]
    begin_cache(run / FOUND, *(member.path.with_name(FOUND) for member in members))
    faces = locate_faces(samples, root, run / FOUND, settings, every(5, "faces searched in", report))
    apart = score_apart(networks)
    rule = _find_rule(members)
    views, kept = load_views(samples, faces, root, int(apart.input_shape[1]), settings, rule)
    labels = np.array([sample.label for sample in kept], int)
    if len(set(labels.tolist())) < 2:
        raise ValueError("the validation part needs real and fake pictures with a face to weigh members on")
    report(f"scores {len(kept)} validation faces with {len(members)} members")
    logits = _predict_apart(apart, views, rule, report)
    slopes, biases = _calibrate(labels, logits, kept)
    usable = [i for i, slope in enumerate(slopes) if slope > 0]
    if not usable:
        raise ValueError("every member ranks fakes below reals on the validation part; there is nothing to join")
    weighing = find_weights(
        labels,
        (logits * slopes + biases)[:, usable],
        [sample.group for sample in kept],
        space=space,
        objective=objective,
    )
    weights = np.zeros(len(members))
    weights[usable] = 1 / len(usable) if average else weighing.weights
    network = join(networks, weights.tolist(), space, slopes=slopes.tolist(), biases=biases.tolist(), name=_name(run))
    rows = [
        {
            "name": member.name,
            "sha256": member.sha256,
            "side": int(own.input_shape[1]),
            "auc": auc(labels, logits[:, i]),
            "weight": float(weights[i]),
            "slope": float(slopes[i]),
            "bias": float(biases[i]),
        }
        for i, (member, own) in enumerate(zip(members, networks, strict=True))
    ]
    clips = name_clips(kept, manifest)[0]
    card = _make_card(network, run, rows, views, kept, clips, rule, left_out_runs, (faces, root, settings))
    with replacing(run / NETWORK) as unfinished:
        network.save(unfinished)
    halve(run / NETWORK)
    card["version"] = f"{record['started'][:10]}-{hash_file(run / NETWORK)[:8]}"
    write_json(run / CARD, to_json(card))
    found = {name: value for name, value in asdict(weighing).items() if name != "weights"}
    record |= {"finished": now(), "members": rows, "weighing": found, "pictures": {"validation": len(kept)}}
    write_json(run / RECORD, to_json(record))
    for line in describe(rows, weighing, card["validation"]["auc"], average):
        report(line)
    report(f"saved {run / NETWORK}")
    return run / NETWORK


def describe(rows: Sequence[Mapping[str, Any]], weighing: Weighing, joint: float, average: bool) -> list[str]:
    """Lay out members and ensemble for a terminal."""
    width = max(len(row["name"]) for row in rows) + 2
    lines = [f"{'member':<{width}}{'side':>6}{'AUC':>8}{'weight':>8}"]
    for row in rows:
        line = f"{row['name']:<{width}}{row['side']:>6}{row['auc']:>8.4f}{row['weight']:>8.2f}"
        if not row["slope"]:
            line += "  ranks fakes below reals; left out"
        elif not row["weight"]:
            line += "  gains nothing; left out"
        lines.append(line)
    lines.append(f"{'ensemble':<{width}}{'':>6}{joint:>8.4f}")
    if not average:
        lines.append(f"{'plain average':<{width}}{'':>6}{weighing.average_auc:>8.4f}")
    if not average and not np.isnan(weighing.held_out_auc):
        lines.append(f"weights found on four fifths of the groups, scored on the fifth: {weighing.held_out_auc:.4f}")
    return lines


def _claim(run: Path, record: Mapping[str, Any]) -> None:
    """Write down what this run is, or refuse to write over another one."""
    known: dict[str, Any] = {}
    if (run / RECORD).exists():
        known = json.loads((run / RECORD).read_text(encoding="utf-8"))
    elif (run / NETWORK).exists():
        raise RunMismatch(f"{run} holds a network already; choose another --out folder.")
    if known and known.get("config") != record["config"]:
        raise RunMismatch(f"{run} holds another run; choose another --out folder.")
    write_json(run / RECORD, record)


def _find_rule(members: Sequence[Member]) -> ViewRule:
    """Return what the first member that was trained on squares at native size is shown; else whole faces alone."""
    rules = [read_rule(member.path) for member in members]
    return next((rule for rule in rules if rule.places), ViewRule())


def _predict_apart(
    apart: keras.Model, faces: Sequence[FaceViews], rule: ViewRule, report: Callable[[str], None]
) -> np.ndarray:
    """Return the logit of each face by each member, [N, M], its views joined by the rule."""
    tell = every(5, "faces scored", report)
    rows = []
    for number, face in enumerate(faces, start=1):
        own = np.asarray(apart.predict_on_batch(normalise(face.pixels)))
        rows.append([join_views([logits], rule)[0] for logits in own.T])
        tell(number, len(faces))
    return np.array(rows)


def _calibrate(labels: np.ndarray, logits: np.ndarray, samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray]:
    """Return slope and bias of each member's logits; slope 0 for a member that ranks fakes below reals."""
    slopes, biases = np.zeros(logits.shape[1]), np.zeros(logits.shape[1])
    for i in range(logits.shape[1]):
        if auc(labels, logits[:, i]) <= 0.5:
            continue
        try:
            fitted = fit_calibration(labels, logits[:, i], [sample.source for sample in samples])
        except ValueError:
            continue
        slopes[i], biases[i] = 1 / fitted.temperature, fitted.bias
    return slopes, biases


def _make_card(
    network: keras.Model,
    run: Path,
    rows: Sequence[Mapping[str, Any]],
    views: Sequence[FaceViews],
    samples: Sequence[Sample],
    clips: Mapping[str, str],
    rule: ViewRule,
    left_out_runs: Sequence[LeftOutRun],
    reading: tuple[Any, Path, Settings],
) -> dict[str, Any]:
    """Score the validation part with the ensemble as it is saved, calibrate it, and say what it is."""
    side = int(network.input_shape[1])
    if views[0].pixels.shape[1] != side:
        # The largest member was left out.
        views, samples = load_views(samples, *reading[:2], side, reading[2], rule)
    labels = np.array([sample.label for sample in samples], int)
    scored = predict_views(network, views, 32)
    rule = fit_rule(labels, scored, rule) if rule.places else rule
    logits = join_views(scored, rule)
    fitted = fit_calibrations(
        labels,
        logits,
        [sample.source for sample in samples],
        [sample.group for sample in samples],
        [clips.get(sample.path, "") for sample in samples],
        [sample.method for sample in samples],
        left_out_runs,
    )
    calibration = fitted.calibrations
    probabilities = np.array([calibration.picture.probability(float(logit)) for logit in logits])
    return {
        "name": run.name,
        "preset": "ensemble",
        "architecture": "ensemble",
        "side": side,
        "evidence": any(layer.name == "evidence" for layer in network.layers),
        "parameters": network.count_params(),
        "members": [{key: row[key] for key in ("name", "sha256", "weight")} for row in rows],
        **({"views": asdict(rule)} if rule.places else {}),
        "calibration": asdict(calibration),
        "promise": fitted.promise,
        "validation": measure(labels, probabilities) | {"auc": auc(labels, logits)},
    }


def _name(run: Path) -> str:
    """Return a name for Keras, which allows no slash."""
    return run.name.replace("/", "_") or "ensemble"
