"""From a finished training run to the two files that are served: detector.tflite and model_card.json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np

from chalicelib.detector import Detector
from chalicelib.images import decode
from chalicelib.settings import Settings
from chalicelib.verdicts import Calibration
from convert.quantisation import GateError, compare_kernels, measure_loss, quantise
from training.augmentation import augment
from training.calibration import fit_calibration
from training.crops import load_crops, predict_logits
from training.evaluation import format_table, score, summarise, to_json
from training.faces import LocatedFace, locate_faces
from training.files import hash_file
from training.manifest import Sample, count_by_source, read_manifest
from training.networks.loading import load_network
from training.progress import every
from training.splits import split_by_group

# Crops of each class over which the ranges of activations are taken, each as it is and once degraded.
CROPS_PER_CLASS = 100
# How many operators at the start stay in float: the first of these that passes the gate.
FLOAT_OPERATORS = (0, 12, 24, 32, 40, 48, 56)
# One view in so many goes through the slow reference kernels too.
KERNEL_STRIDE = 18


@dataclass(frozen=True, slots=True)
class Facts:
    """What only a person can say of a model; the rest of its card is measured.

    Attributes:
        name: of the model.
        covers: sentences on what it was trained to see.
        limits: sentences on what it cannot see.
        terms: under which it may be used, given its training data.
    """

    name: str
    covers: tuple[str, ...]
    limits: tuple[str, ...]
    terms: str

    @classmethod
    def read(cls, path: Path) -> Facts:
        """Read a JSON file with these four keys.

        Raises:
            ValueError: it is no JSON, or a key is missing or unknown.
        """
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            return cls(facts.pop("name"), tuple(facts.pop("covers")), tuple(facts.pop("limits")), **facts)
        except (OSError, KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} must hold name, covers, limits and terms, and nothing else.") from error


def release(
    network: Path,
    manifest: Path,
    root: Path,
    out: Path,
    facts: Facts,
    *,
    settings: Settings,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Quantise a network, prove that little was lost, calibrate it, measure it, and write it out.

    Ranges come from the training part, calibration and the gate from the validation part (each picture as it
    is and once degraded), the card's figures from the test part, each picture going the whole served path.
    Nothing in `out` changes before all of that has succeeded.

    Args:
        network: the .keras file of a run; the run's `faces_found.csv` beside it is used and completed.
        manifest: faces CSV that the run was trained on.
        root: the folder that its paths start from.
        out: models folder, which holds the face networks; receives both files.
        facts: what a person says of the model.
        settings: limits of decoding; its models folder serves the face finder.
        seed: the run's seed, which fixed the split.
        report: receives lines for a person.

    Returns:
        The model card.

    Raises:
        GateError: int8 loses more than a release may lose.
        ManifestError, ValueError: the data cannot be used.
    """
    samples = read_manifest(manifest)
    faces = locate_faces(
        samples, root, network.parent / "faces_found.csv", settings, every(5, "faces searched in", report)
    )
    parts = split_by_group(samples, seed)
    student = load_network(network)
    side = int(student.input.shape[1])

    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out) as folder:
        staging = Path(folder)
        chosen = _pick(parts["train"], faces, CROPS_PER_CLASS, seed)
        ranges = np.concatenate(_two_views(chosen, faces, root, side, settings, seed))
        validation = _validate(parts["validation"], faces, root, side, settings, seed)
        card = {
            **_begin_card(facts),
            "input_side": side,
            "data": _describe(parts, faces, manifest),
            **_quantise_within_gate(student, ranges, validation, staging, facts, settings, report),
        }
        _write_card(card, staging)
        detector = Detector(staging, settings.threads)
        rows = score(parts["test"], root, detector, settings, every(5, "tested", report))
        card["metrics"] = summarise(rows)
        report(format_table(card["metrics"]))
        _write_card(card, staging)
        for name in ("detector.tflite", "model_card.json"):
            (staging / name).replace(out / name)
    report(f"wrote {card['name']} {card['version']} to {out}")
    return to_json(card)


@dataclass(frozen=True, slots=True)
class _Validation:
    """Crops of the validation part, each picture as it is served and once degraded."""

    views: np.ndarray
    labels: np.ndarray
    sources: list[str]


def _validate(
    samples: Sequence[Sample],
    faces: Mapping[str, LocatedFace],
    root: Path,
    side: int,
    settings: Settings,
    seed: int,
) -> _Validation:
    kept = [sample for sample in samples if sample.path in faces]
    return _Validation(
        views=np.concatenate(_two_views(kept, faces, root, side, settings, seed)),
        labels=np.tile([sample.label for sample in kept], 2),
        sources=[sample.source for sample in kept] * 2,
    )


def _quantise_within_gate(
    student: keras.Model,
    ranges: np.ndarray,
    validation: _Validation,
    staging: Path,
    facts: Facts,
    settings: Settings,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Write the most quantised detector.tflite that passes the gate; return its part of the card."""
    float_logits = predict_logits(student, validation.views)
    for operators in FLOAT_OPERATORS:
        model = quantise(student, ranges, operators)
        (staging / "detector.tflite").write_bytes(model)
        # Scoring needs a card, and the card's calibration needs the scores: until then, that of a bare logit.
        bare = asdict(Calibration(1.0, 0.0, 0.5, 0.5))
        _write_card({**_begin_card(facts), "calibration": bare}, staging)
        logits = Detector(staging, settings.threads).score(validation.views)[0]
        calibration = fit_calibration(validation.labels, logits, validation.sources)
        loss = measure_loss(
            validation.labels,
            calibrate(calibration, float_logits),
            calibrate(calibration, logits),
            compare_kernels(model, validation.views[::KERNEL_STRIDE]),
        )
        lost = ", ".join(f"{name} {value:.4f}" for name, value in asdict(loss).items())
        report(f"int8 after the first {operators} operators loses {lost}")
        if loss.passes():
            return {
                "version": f"{datetime.now(UTC):%Y.%m}-{hashlib.sha256(model).hexdigest()[:8]}",
                "bytes": len(model),
                "calibration": asdict(calibration),
                "quantisation": {"float_operators": operators, "views": len(logits), **asdict(loss)},
            }
    raise GateError(f"int8 loses more than the gate allows: {lost}")


def calibrate(calibration: Calibration, logits: np.ndarray) -> np.ndarray:
    """Turn logits [N] into calibrated probabilities [N]."""
    return np.array([calibration.probability(float(logit)) for logit in logits])


def _begin_card(facts: Facts) -> dict[str, Any]:
    """Begin a card with what a person says; what is measured comes later."""
    return {**asdict(facts), "version": "", "metrics": {}}


def _pick(samples: Sequence[Sample], faces: Mapping[str, LocatedFace], per_class: int, seed: int) -> list[Sample]:
    """Pick as many of each class, real and fake in turn."""
    rng = np.random.default_rng(seed)
    classes = [[s for s in samples if s.label == label and s.path in faces] for label in (0, 1)]
    picked = [[c[i] for i in rng.permutation(len(c))[:per_class]] for c in classes]
    return [sample for row in zip(*picked, strict=False) for sample in row]


def _two_views(
    samples: Sequence[Sample],
    faces: Mapping[str, LocatedFace],
    root: Path,
    side: int,
    settings: Settings,
    seed: int,
) -> Sequence[np.ndarray]:
    """Return two arrays uint8 [N, side, side, 3]: the crops as they are served, and each once degraded."""
    served, _ = load_crops(samples, faces, root, side, settings)
    degraded = np.empty_like(served)
    for index, sample in enumerate(samples):
        pixels = decode((root / sample.path).read_bytes(), settings).pixels
        degraded[index] = augment(pixels, faces[sample.path].box, side, np.random.default_rng((seed, index)))
    return served, degraded


def _describe(
    parts: Mapping[str, Sequence[Sample]], faces: Mapping[str, LocatedFace], manifest: Path
) -> dict[str, Any]:
    """Say what data made the model: faces by part and source, and the manifest's hash."""
    return {
        "manifest_sha256": hash_file(manifest),
        "faces": {
            part: {
                f"{source}/{('real', 'fake')[label]}": count
                for (source, label), count in count_by_source([s for s in rows if s.path in faces]).items()
            }
            for part, rows in parts.items()
        },
    }


def _write_card(card: Mapping[str, Any], folder: Path) -> None:
    (folder / "model_card.json").write_text(
        json.dumps(to_json(card), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
