"""From a finished training run to the two files that are served: detector.tflite and model_card.json."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from chalicelib.verdicts import Calibration, Calibrations
from convert.quantisation import GateError, Loss, Quantiser, compare_kernels, measure_loss
from convert.quantisation_aware import LEARNING_RATE, fine_tune
from training.augmentation import augment
from training.batches import FaceBatches
from training.calibration import fit_calibrations
from training.crops import load_crops, predict_logits
from training.evaluation import format_table, score, summarise, to_json
from training.faces import LocatedFace, locate_faces
from training.files import hash_file
from training.forgeries.mix import Mix
from training.levels import name_clips
from training.localisation import localise
from training.manifest import Sample, count_by_source, read_manifest
from training.networks.loading import load_network
from training.progress import every
from training.recipe import Recipe
from training.splits import leave_out, split_by_group

# Crops of each class over which the ranges of activations are taken, each as it is and once degraded.
CROPS_PER_CLASS = 100
# How many operators at the start stay in float: the first of these that passes the gate.
FLOAT_OPERATORS = (0, 12, 20, 24, 28, 32, 40, 48, 56)
# Views of a step of fine-tuning.
QUANTISE_AWARE_BATCH = 16
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
    quantise_aware_steps: int = 0,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Quantise a network, prove that little was lost, calibrate it, measure it, and write it out.

    Where int8 throughout loses too much, the network is fine-tuned to bear rounding; where it still does, the first
    operators of the one that was not fine-tuned stay in float. What is lost is always told against that one.

    Ranges and fine-tuning take the training part, calibration and the gate from the validation part (each picture as it
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
        quantise_aware_steps: of fine-tuning; 0 for none.
        report: receives lines for a person.

    Returns:
        The model card.

    Raises:
        GateError: int8 loses more than a release may lose.
        ManifestError, ValueError: the data cannot be used, or the steps are below 0.
    """
    if quantise_aware_steps < 0:
        raise ValueError(f"quantise_aware_steps must not be below 0. Received: {quantise_aware_steps}")
    samples = read_manifest(manifest)
    faces = locate_faces(
        samples, root, network.parent / "faces_found.csv", settings, every(5, "faces searched in", report)
    )
    left_out = read_left_out(network)
    parts = leave_out(split_by_group(samples, seed), left_out)
    student = load_network(network)
    side = int(student.input.shape[1])

    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out) as folder:
        staging = Path(folder)
        chosen = _pick(parts["train"], faces, CROPS_PER_CLASS, seed)
        ranges = np.concatenate(_two_views(chosen, faces, root, side, settings, seed))
        validation = _validate(parts["validation"], faces, root, side, settings, seed, manifest)

        def draw_views() -> Iterator[np.ndarray]:
            return _draw_views(parts["train"], faces, root, side, settings, seed)

        card = {
            **_begin_card(facts),
            "input_side": side,
            "left_out": left_out,
            "data": _describe(parts, faces, manifest),
            **_quantise_within_gate(
                student,
                ranges,
                draw_views,
                quantise_aware_steps,
                _Trial(student, validation, staging, facts, settings),
                report,
            ),
        }
        _write_card(card, staging)
        detector = Detector(staging, settings.threads)
        rows = score(parts["test"], root, detector, settings, every(5, "tested", report))
        card["metrics"] = summarise(rows, detector.calibration)
        card["localisation"] = localise(
            detector, parts["test"], faces, root, settings, seed=seed, progress=every(5, "forged and located", report)
        ).figures
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
    groups: list[str]
    clips: list[str]


def read_left_out(network: Path) -> list[str]:
    """Return the families of fakes that a run's network was not trained on, as its card states."""
    card = network.with_name("card.json")
    return list(json.loads(card.read_text(encoding="utf-8")).get("left_out", ())) if card.is_file() else []


def _validate(
    samples: Sequence[Sample],
    faces: Mapping[str, LocatedFace],
    root: Path,
    side: int,
    settings: Settings,
    seed: int,
    manifest: Path,
) -> _Validation:
    kept = [sample for sample in samples if sample.path in faces]
    clips, _ = name_clips(kept, manifest)
    served = [clips.get(sample.path, "") for sample in kept]
    return _Validation(
        views=np.concatenate(_two_views(kept, faces, root, side, settings, seed)),
        labels=np.tile([sample.label for sample in kept], 2),
        sources=[sample.source for sample in kept] * 2,
        groups=[sample.group for sample in kept] * 2,
        # Degraded frames are a clip of their own, or each would be counted twice in its mean.
        clips=served + [f"{clip} degraded" if clip else "" for clip in served],
    )


def _draw_views(
    samples: Sequence[Sample],
    faces: Mapping[str, LocatedFace],
    root: Path,
    side: int,
    settings: Settings,
    seed: int,
) -> Iterator[np.ndarray]:
    """Draw batches float32 [B, side, side, 3] in [-1, 1] without end, as a training of the default recipe does."""
    recipe = Recipe()
    batches = FaceBatches(
        samples,
        faces,
        root,
        side=side,
        batch_size=QUANTISE_AWARE_BATCH,
        weights={},
        mix=Mix(recipe.self_blended, recipe.swapped, recipe.upsampled),
        settings=settings,
        seed=seed,
    )
    return (batches[step][0] for step in itertools.count())


class _Trial:
    """Tries int8 models against the float student on the validation part.

    Attributes:
        views: how many it is tried on.
    """

    def __init__(
        self, student: keras.Model, validation: _Validation, staging: Path, facts: Facts, settings: Settings
    ) -> None:
        self._float_logits = predict_logits(student, validation.views)
        self.views = len(validation.views)
        self._validation, self._staging, self._facts, self._settings = validation, staging, facts, settings

    def run(self, model: bytes) -> tuple[Loss, Calibrations]:
        """Leave the model in the staging folder; return what it loses and how it is to be read."""
        views, labels = self._validation.views, self._validation.labels
        (self._staging / "detector.tflite").write_bytes(model)
        # Scoring needs a card, and the card's calibration needs the scores: until then, that of a bare logit.
        bare = asdict(Calibrations.alike(Calibration(1.0, 0.0, 0.5, 0.5)))
        _write_card({**_begin_card(self._facts), "calibration": bare}, self._staging)
        logits = Detector(self._staging, self._settings.threads).score(views)[0]
        calibrations = fit_calibrations(
            labels, logits, self._validation.sources, self._validation.groups, self._validation.clips
        )
        loss = measure_loss(
            labels,
            calibrate(calibrations.picture, self._float_logits),
            calibrate(calibrations.picture, logits),
            compare_kernels(model, views[::KERNEL_STRIDE]),
        )
        return loss, calibrations


def _quantise_within_gate(
    student: keras.Model,
    ranges: np.ndarray,
    draw_views: Callable[[], Iterator[np.ndarray]],
    steps: int,
    trial: _Trial,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Write the most quantised detector.tflite that passes the gate; return its part of the card."""
    lost = ""
    for operators, tuned, model in _propose(student, ranges, draw_views, steps, report):
        loss, calibrations = trial.run(model)
        lost = ", ".join(f"{name} {value:.4f}" for name, value in asdict(loss).items())
        name = f"int8 after the first {operators} operators" + (f" and {tuned} steps of fine-tuning" if tuned else "")
        report(f"{name} loses {lost}")
        if loss.passes():
            quantisation = {
                "float_operators": operators,
                "quantise_aware_steps": tuned,
                **({"learning_rate": LEARNING_RATE, "views_a_step": QUANTISE_AWARE_BATCH} if tuned else {}),
                "views": trial.views,
                **asdict(loss),
            }
            return {
                "version": f"{datetime.now(UTC):%Y.%m}-{hashlib.sha256(model).hexdigest()[:8]}",
                "bytes": len(model),
                "calibration": asdict(calibrations),
                "quantisation": quantisation,
            }
    raise GateError(f"int8 loses more than the gate allows: {lost}")


def _propose(
    student: keras.Model,
    ranges: np.ndarray,
    draw_views: Callable[[], Iterator[np.ndarray]],
    steps: int,
    report: Callable[[str], None],
) -> Iterator[tuple[int, int, bytes]]:
    """Yield operators in float, steps of fine-tuning and the model, each made only when those before did not pass.

    The fine-tuned network is not itself the student any more, so it is of use in int8 alone.
    """
    quantiser = Quantiser(student, ranges)
    first, *more = FLOAT_OPERATORS
    yield first, 0, quantiser.quantise(first)
    if steps:
        tuned = fine_tune(student, draw_views(), ranges, steps, report=report)
        yield first, steps, Quantiser(tuned, ranges).quantise(first)
    for operators in more:
        yield operators, 0, quantiser.quantise(operators)


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
