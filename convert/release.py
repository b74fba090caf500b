"""From a finished training run to the two files that are served: detector.tflite and model_card.json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np

from chalicelib.detector import Detector, normalise
from chalicelib.images import decode
from chalicelib.settings import Settings
from convert.quantisation import CROPS_PER_CLASS, measure_loss, quantise
from training.augmentation import augment
from training.batches import load_crops
from training.calibration import fit_calibration
from training.evaluation import format_table, score, summarise, to_json
from training.faces import LocatedFace, locate_faces
from training.manifest import Sample, count_by_source, read_manifest
from training.progress import every
from training.splits import split_by_group


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
    student = keras.models.load_model(network, compile=False)
    side = int(student.input.shape[1])

    report("quantising")
    chosen = _pick(parts["train"], faces, CROPS_PER_CLASS, seed)
    model = quantise(student, np.concatenate(list(_two_views(chosen, faces, root, side, settings, seed))))

    report("comparing int8 with float on the validation part")
    validation = [sample for sample in parts["validation"] if sample.path in faces]
    views = np.concatenate(list(_two_views(validation, faces, root, side, settings, seed)))
    labels = np.tile([sample.label for sample in validation], 2)
    sources = [sample.source for sample in validation] * 2

    staging = out / "staging"
    staging.mkdir(parents=True, exist_ok=True)
    (staging / "detector.tflite").write_bytes(model)
    card: dict[str, Any] = {
        "name": facts.name,
        "version": f"{datetime.now(UTC):%Y.%m}-{hashlib.sha256(model).hexdigest()[:8]}",
        "input_side": side,
        "bytes": len(model),
        "covers": facts.covers,
        "limits": facts.limits,
        "terms": facts.terms,
        "data": _describe(parts, faces, manifest),
        "calibration": {"temperature": 1.0, "bias": 0.0, "real_below": 0.5, "fake_above": 0.5},
        "metrics": {},
    }
    _write_card(card, staging)
    int8_logits = Detector(staging, settings.threads).score(views)[0]
    calibration = fit_calibration(labels, int8_logits, sources)
    card["calibration"] = asdict(calibration)

    def probabilities(logits: np.ndarray) -> np.ndarray:
        return np.array([calibration.probability(float(logit)) for logit in logits])

    loss = measure_loss(labels, probabilities(_score_float(student, views)), probabilities(int8_logits))
    report("int8 loses " + ", ".join(f"{name} {value:.4f}" for name, value in asdict(loss).items()))
    loss.check()
    card["quantisation"] = {"views": len(views), **asdict(loss)}

    _write_card(card, staging)
    rows = score(parts["test"], root, Detector(staging, settings.threads), settings, every(5, "tested", report))
    metrics = summarise(rows)
    report(format_table(metrics))
    card["metrics"] = metrics
    card = to_json(card)
    _write_card(card, staging)
    for name in ("detector.tflite", "model_card.json"):
        (staging / name).replace(out / name)
    staging.rmdir()
    report(f"wrote {card['name']} {card['version']} to {out}")
    return card


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


def _score_float(network: keras.Model, crops: np.ndarray, batch_size: int = 64) -> np.ndarray:
    batches = (crops[start : start + batch_size] for start in range(0, len(crops), batch_size))
    return np.concatenate(
        [keras.ops.convert_to_numpy(network(normalise(batch), training=False))[:, 0] for batch in batches]
    )


def _describe(
    parts: Mapping[str, Sequence[Sample]], faces: Mapping[str, LocatedFace], manifest: Path
) -> dict[str, Any]:
    """Say what data made the model: faces by part and source, and the manifest's hash."""
    return {
        "manifest_sha256": hashlib.sha256(manifest.read_bytes()).hexdigest(),
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
