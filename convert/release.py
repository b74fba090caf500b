"""From a finished training run to the two files that are served: detector.tflite and model_card.json."""

from __future__ import annotations

import hashlib
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
from chalicelib.face_views import FaceViews, ViewRule
from chalicelib.settings import Settings
from chalicelib.verdicts import Calibration, Calibrations
from convert.card_page import describe_model
from convert.provenance import list_sources
from convert.quantisation import GateError, Loss, Quantiser, compare_kernels, measure_loss
from convert.quantisation_aware import LEARNING_RATE, fine_tune
from convert.views import BATCH, Held, Views
from training.bench import Bench
from training.calibration import Fitted, fit_calibrations
from training.comparison import examine
from training.contrasts import Contrast
from training.crops import join_views, predict_views
from training.evaluation import to_json
from training.faces import LocatedFace, locate_faces
from training.files import hash_file
from training.generators import measure_generators
from training.left_out_runs import LeftOutRun
from training.levels import name_clips
from training.localisation import localise
from training.manifest import Sample, count_by_source, read_manifest
from training.networks.loading import load_network
from training.progress import every
from training.reporting.terminal import print_evaluation
from training.splits import leave_out, split_by_group
from training.view_rule import fit_rule

CARD, PAGE = "model_card.json", "MODEL_CARD.md"
# What the card keeps of a row of figures.
FIGURES = (
    *("title", "against", "reals", "fakes", "pictures", "auc", "auc_interval", "tpr_at_5_fpr", "tpr_pooled", "ece"),
    *("real_called_fake", "real_no_traces", "fake_called_fake", "fake_no_traces", "uncertain", "lost"),
)
# How many operators at the start stay in float: the first of these that passes the gate. Most are ends of blocks.
FLOAT_OPERATORS = (0, 10, 17, 21, 24, 28, 32, 36, 39, 43, 47)
# Test pictures of one class from which on a source has figures of its own on the card.
LEAST_OF_SOURCE = 40
# How often a view of a fine-tuning is a square at native size, where such are served.
NATIVE = 0.6
# One face in so many goes through the slow reference kernels too.
KERNEL_STRIDE = 18


@dataclass(frozen=True, slots=True)
class Facts:
    """What only a person can say of a model; the rest of its card is measured.

    Attributes:
        name: of the model.
        uses: sentences on what it is meant for, and what not.
        covers: sentences on what it was trained to see.
        limits: sentences on what it cannot see.
        terms: under which it may be used, given its training data.
        retrain: how to make one of pictures with other terms.
    """

    name: str
    uses: tuple[str, ...]
    covers: tuple[str, ...]
    limits: tuple[str, ...]
    terms: str
    retrain: str

    @classmethod
    def read(cls, path: Path) -> Facts:
        """Read a JSON file with these keys.

        Raises:
            ValueError: it is no JSON, or a key is missing or unknown.
        """
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            lists = {name: tuple(facts.pop(name)) for name in ("uses", "covers", "limits")}
            return cls(**{**facts, **lists})
        except (OSError, KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            keys = "name, uses, covers, limits, terms and retrain"
            raise ValueError(f"{path} must hold {keys}, and nothing else.") from error


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
    contrasts: Sequence[Contrast] = (),
    degradations: bool = True,
    left_out_runs: Sequence[LeftOutRun] = (),
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
        out: models folder, which holds the face networks; receives `detector.tflite`, `model_card.json` and
            `MODEL_CARD.md`, which says the same to a person.
        facts: what a person says of the model.
        settings: limits of decoding; its models folder serves the face finder.
        seed: the run's seed, which fixed the split.
        quantise_aware_steps: of fine-tuning; 0 for none.
        contrasts: rows that the card's figures begin with.
        degradations: whether to try degraded pictures too, which takes minutes.
        left_out_runs: scores by networks like this one that were trained without some families of fakes; the lower
            threshold is then also as low as these ask for.
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
    left_out = list(read_run(network).get("left_out", ()))
    parts = leave_out(split_by_group(samples, seed), left_out)
    student = load_network(network)
    side = int(student.input.shape[1])

    run = read_run(network)
    rule = ViewRule.from_card(run)
    views = Views(faces, root, manifest, side, settings, seed, rule, NATIVE if rule.places else 0.0)
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out) as folder:
        staging = Path(folder)
        card = {
            **_begin_card(facts),
            "input_side": side,
            "left_out": left_out,
            "data": _describe(parts, faces, manifest),
            **_quantise_within_gate(
                student,
                views.sample(parts["train"]),
                lambda: views.draw(parts["train"]),
                quantise_aware_steps,
                _Trial(student, views.hold(parts["validation"]), staging, facts, settings, rule, left_out_runs),
                report,
            ),
        }
        _write_card(card, staging)
        clips, clip_rule = name_clips(parts["test"], manifest)
        bench = Bench(parts["test"], root, settings, manifest, "test", seed, clips, clip_rule, report=report)
        harms = bench.find_harms()[1] if degradations else []
        entry = examine(bench, facts.name, str(staging), harms=harms, contrasts=contrasts)
        card |= _measure(entry)
        calibration = Calibrations.from_card(card).picture
        card["metrics"] = {
            **keep_large(card["metrics"], card["data"]["faces"]["test"]),
            "generators": measure_generators(entry["rows"], left_out_runs, calibration),
        }
        card["localisation"] = localise(
            Detector(staging, settings.threads),
            parts["test"],
            faces,
            root,
            settings,
            seed=seed,
            progress=every(5, "forged and located", report),
        ).figures
        report(print_evaluation(entry))
        _write_card(card, staging)
        (staging / PAGE).write_text(describe_model(to_json(card)), encoding="utf-8")
        for name in ("detector.tflite", CARD, PAGE):
            (staging / name).replace(out / name)
    report(f"wrote {card['name']} {card['version']} to {out}")
    return to_json(card)


def _measure(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a card says of an examined model; of a table's rows and bands only the figures that are read."""
    return {
        "metrics": entry["metrics"],
        "families": [_slim(row) for row in entry["table"]["rows"]],
        "bands": {name: [_slim(row) for row in rows] for name, rows in entry["bands"].items()},
        "degradations": {harm: _slim(figures) for harm, figures in entry["grid"].items()},
    }


def keep_large(metrics: Mapping[str, Any], counts: Mapping[str, int]) -> dict[str, Any]:
    """Return an evaluation's figures without those of sources that say more of chance than of the model.

    Everybody who asks for the model is sent its figures, and a data set may hold hundreds of small sources.

    Args:
        metrics: as `training.evaluation.summarise` returns them.
        counts: test pictures by "source/real" and "source/fake".
    """
    large = {name.rpartition("/")[0] for name, count in counts.items() if count >= LEAST_OF_SOURCE}

    def keep(figures: Mapping[str, Any]) -> dict[str, Any]:
        # Titles go on after the source's name: ", METHOD" or " against its own real".
        return {title: own for title, own in figures.items() if _source_of(title) in large}

    levels = {
        level: {**own, "against_real": keep(own["against_real"])} for level, own in metrics.get("levels", {}).items()
    }
    kept = {part: keep(metrics[part]) for part in ("sources", "against_real") if part in metrics}
    return {**metrics, **kept, **({"levels": levels} if levels else {})}


def _source_of(title: str) -> str:
    return title.partition(",")[0].partition(" against ")[0]


def _slim(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: figures[name] for name in FIGURES if name in figures}


def read_run(network: Path) -> dict[str, Any]:
    """Return the card of a run's network: the families that it was not trained on, what it is shown; or nothing."""
    card = network.with_name("card.json")
    return dict(json.loads(card.read_text(encoding="utf-8"))) if card.is_file() else {}


class _Trial:
    """Tries int8 models against the float student on the validation part.

    Attributes:
        views: how many faces it is tried on.
    """

    def __init__(
        self,
        student: keras.Model,
        validation: Held,
        staging: Path,
        facts: Facts,
        settings: Settings,
        rule: ViewRule,
        left_out_runs: Sequence[LeftOutRun] = (),
    ) -> None:
        self._float_logits = predict_views(student, validation.views)
        self.views = len(validation.views)
        self._validation, self._staging, self._facts, self._settings = validation, staging, facts, settings
        self._rule, self._left_out_runs = rule, left_out_runs

    def run(self, model: bytes, float_operators: int, steps: int, report: Callable[[str], None]) -> _Tried:
        """Try a model, and say what it loses; see `_Tried`."""
        views, labels = self._validation.views, self._validation.labels
        self.stage(model)
        scored = _score(Detector(self._staging, self._settings.threads), views)
        rule = fit_rule(labels, scored, self._rule) if self._rule.places else self._rule
        logits = join_views(scored, rule)
        held = self._validation
        fitted = fit_calibrations(
            labels, logits, held.sources, held.groups, held.clips, held.methods, self._left_out_runs
        )
        picture = fitted.calibrations.picture
        loss = measure_loss(
            labels,
            calibrate(picture, join_views(self._float_logits, rule)),
            calibrate(picture, logits),
            compare_kernels(model, np.concatenate([face.pixels for face in views[::KERNEL_STRIDE]])),
        )
        tried = _Tried(model, float_operators, steps, loss, fitted, rule)
        report(tried.describe())
        return tried

    def stage(self, model: bytes) -> None:
        """Leave a model in the staging folder."""
        (self._staging / "detector.tflite").write_bytes(model)
        # Scoring needs a card, and the card's calibration needs the scores: until then, that of a bare logit.
        bare = asdict(Calibrations.alike(Calibration(1.0, 0.0, 0.5, 0.5)))
        _write_card({**_begin_card(self._facts), "calibration": bare}, self._staging)


@dataclass(frozen=True, slots=True)
class _Tried:
    """An int8 model that was tried.

    Attributes:
        model: the .tflite.
        float_operators: at the start of the network that stay in float.
        steps: of fine-tuning before.
        loss: against the float student.
        fitted: how it is to be read, and what that promises.
        rule: what it is to be shown.
    """

    model: bytes
    float_operators: int
    steps: int
    loss: Loss
    fitted: Fitted
    rule: ViewRule

    def describe(self) -> str:
        """Return a line for a person."""
        lost = ", ".join(f"{name} {value:.4f}" for name, value in asdict(self.loss).items())
        tuned = f" and {self.steps} steps of fine-tuning" if self.steps else ""
        return f"int8 after the first {self.float_operators} operators{tuned} loses {lost}"


def _quantise_within_gate(
    student: keras.Model,
    ranges: np.ndarray,
    draw_views: Callable[[], Iterator[np.ndarray]],
    steps: int,
    trial: _Trial,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Write the most quantised detector.tflite that passes the gate; return its part of the card.

    More operators in float are taken to lose no more than fewer, so the fewest that pass are found by halving.
    The fine-tuned network is not itself the student any more, so it is of use in int8 alone.
    """
    quantiser = Quantiser(student, ranges)
    first, *more = FLOAT_OPERATORS
    tries = [trial.run(quantiser.quantise(first), first, 0, report)]
    if steps and not tries[-1].loss.passes():
        tuned = fine_tune(student, draw_views(), ranges, steps, report=report)
        tries.append(trial.run(Quantiser(tuned, ranges).quantise(first), first, steps, report))
    if not tries[-1].loss.passes():
        tries += _halve(more, lambda operators: trial.run(quantiser.quantise(operators), operators, 0, report))
    passed = [tried for tried in tries if tried.loss.passes()]
    if not passed:
        raise GateError(f"int8 loses more than the gate allows: {tries[-1].describe()}")
    best = min(passed, key=lambda tried: tried.float_operators)
    trial.stage(best.model)
    return {
        "version": f"{datetime.now(UTC):%Y.%m}-{hashlib.sha256(best.model).hexdigest()[:8]}",
        "bytes": len(best.model),
        "calibration": asdict(best.fitted.calibrations),
        "promise": best.fitted.promise,
        **({"views": asdict(best.rule)} if best.rule.places else {}),
        "quantisation": {
            "float_operators": best.float_operators,
            "quantise_aware_steps": best.steps,
            **({"learning_rate": LEARNING_RATE, "views_a_step": BATCH} if best.steps else {}),
            "views": trial.views,
            **asdict(best.loss),
        },
    }


def _score(model: Detector, faces: Sequence[FaceViews]) -> list[np.ndarray]:
    """Return the logits of the views of each face."""
    return [model.score(face.pixels)[0] for face in faces]


def _halve(choices: Sequence[int], attempt: Callable[[int], _Tried]) -> list[_Tried]:
    """Try what is needed to find the first of rising choices that passes; return all that was tried."""
    tries = []
    low, high = 0, len(choices)
    while low < high:
        middle = (low + high) // 2
        tries.append(attempt(choices[middle]))
        low, high = (low, middle) if tries[-1].loss.passes() else (middle + 1, high)
    return tries


def calibrate(calibration: Calibration, logits: np.ndarray) -> np.ndarray:
    """Turn logits [N] into calibrated probabilities [N]."""
    return np.array([calibration.probability(float(logit)) for logit in logits])


def _begin_card(facts: Facts) -> dict[str, Any]:
    """Begin a card with what a person says; what is measured comes later."""
    return {**asdict(facts), "version": "", "metrics": {}}


def _describe(
    parts: Mapping[str, Sequence[Sample]], faces: Mapping[str, LocatedFace], manifest: Path
) -> dict[str, Any]:
    """Say what data made the model: faces by part and source, where each source is from, and the manifest's hash."""
    return {
        "manifest_sha256": hash_file(manifest),
        "faces": {
            part: {
                f"{source}/{('real', 'fake')[label]}": count
                for (source, label), count in count_by_source([s for s in rows if s.path in faces]).items()
            }
            for part, rows in parts.items()
        },
        "sources": list_sources((s.source for rows in parts.values() for s in rows if s.path in faces), manifest),
    }


def _write_card(card: Mapping[str, Any], folder: Path) -> None:
    (folder / CARD).write_text(json.dumps(to_json(card), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
