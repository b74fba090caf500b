"""A release is made whole or not at all, and the shipped one is what it says it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from chalicelib.detector import Detector
from chalicelib.face_views import ViewRule
from chalicelib.faces import FaceFinder, crop_face
from chalicelib.schema import ModelCard
from chalicelib.settings import MODELS, Settings
from chalicelib.verdicts import Calibration, Calibrations
from convert import release as module
from convert import views
from convert.quantisation import GATE, GateError, Loss, quantise
from convert.release import Facts, release
from training.batches import FaceBatches
from training.calibration import Fitted
from training.keras_detector import KerasDetector
from training.left_out_runs import LeftOutRun
from training.manifest import Sample, read_manifest
from training.models import FLOAT_STUDENT
from training.networks.loading import load_network
from training.promise import describe_promise
from training.splits import split_by_group

LEFT_OUT = {"source": "studio", "label": "real", "pictures": 8, "called_fake": 0.125, "called_low": 0.5}
READ = Fitted(
    Calibrations.alike(Calibration(1.0, 0.0, 0.4, 0.6)),
    {"picture": {"rests_on": "all of them", **describe_promise([LEFT_OUT])}, "video": {"rests_on": "pictures"}},
)
FACTS = Facts(
    "made-up", ("To be tested.",), ("Checkered faces.",), ("Anything else.",), "For tests.", "Draw faces of your own."
)


@pytest.fixture(scope="module")
def network(
    collection: Path, tmp_path_factory: pytest.TempPathFactory, make_student: Callable[[np.ndarray], keras.Model]
) -> Path:
    """An untrained student whose normalisations have seen noise, so that its logits differ at all."""
    noise = np.random.default_rng(0).uniform(-1, 1, (32, 64, 64, 3)).astype(np.float32)
    path = tmp_path_factory.mktemp("run") / "student.keras"
    make_student(noise).save(path)
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A models folder with a release of before."""
    for name in ("pnet", "rnet", "onet"):
        shutil.copy(MODELS / f"{name}.tflite", tmp_path)
    (tmp_path / "detector.tflite").write_bytes(b"before")
    (tmp_path / "model_card.json").write_text("before")
    return tmp_path


def test_a_release_holds_what_was_measured(
    network: Path, collection: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLOAT_OPERATORS", (60,))
    # An untrained network may rank either way; calibration and gate are tested where they live.
    for name in GATE:
        monkeypatch.setitem(GATE, name, np.inf)
    given: list[tuple[Any, ...]] = []

    def fit(*samples: Any) -> Fitted:
        given.append(samples)
        return READ

    monkeypatch.setattr(module, "fit_calibrations", fit)
    says: list[str] = []
    runs: list[LeftOutRun] = []
    card = release(
        network,
        collection / "faces.csv",
        collection,
        out,
        FACTS,
        settings=Settings(),
        left_out_runs=runs,
        report=says.append,
    )
    labels, *_, methods, passed = given[0]
    assert passed is runs
    assert len(methods) == len(labels) > 0
    assert "int8 after the first 60 operators" in "".join(says)
    assert json.loads((out / "model_card.json").read_text()) == card
    assert card["name"] == "made-up"
    assert card["bytes"] == (out / "detector.tflite").stat().st_size
    assert card["metrics"]["overall"]["pictures"] + card["metrics"]["overall"]["unscored"] > 0
    assert {"train", "validation", "test"} == set(card["data"]["faces"])
    assert set(card["data"]["sources"]) == {s.source for s in read_manifest(collection / "faces.csv")}
    assert card["quantisation"]["probability_p99"] < 0.05
    assert {row["title"] for row in card["families"]} >= {"studio", "all, one threshold"}
    assert set(card["bands"]) == {"face_side", "apparent_skin_tone"}
    assert card["degradations"]["JPEG 50"]["pictures"] > 0
    page = (out / "MODEL_CARD.md").read_text()
    assert all(words in page for words in (card["version"], *FACTS.uses, *FACTS.limits, FACTS.terms, FACTS.retrain))
    assert all(row["title"] in page for row in card["families"])
    assert card["promise"]["picture"]["rows"][0]["uncertain"] == 0.375
    assert "| real: studio | 8 | 12.5 % | 50.0 % | 37.5 % | no |" in page
    assert "Pictures: these thresholds rest on all of them." in page
    assert "Clips: these thresholds rest on pictures." in page
    assert sorted(p.name for p in out.iterdir()) == [
        "MODEL_CARD.md",
        "detector.tflite",
        "model_card.json",
        "onet.tflite",
        "pnet.tflite",
        "rnet.tflite",
    ]
    assert Detector(out).side == 64


def test_a_network_that_loses_too_much_leaves_the_old_release_alone(
    network: Path, collection: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLOAT_OPERATORS", (0,))
    monkeypatch.setattr(module, "fit_calibrations", lambda *_: READ)
    monkeypatch.setattr(module, "measure_loss", lambda *_: Loss(0.0, 0.0, 0.2, 0.0))
    with pytest.raises(GateError, match="probability_p99"):
        release(network, collection / "faces.csv", collection, out, FACTS, settings=Settings(), quantise_aware_steps=0)
    assert (out / "detector.tflite").read_bytes() == b"before"
    assert (out / "model_card.json").read_text() == "before"
    assert len(list(out.iterdir())) == 5


@pytest.fixture(scope="module")
def int8(network: Path) -> bytes:
    noise = np.random.default_rng(1).integers(0, 256, (4, 64, 64, 3)).astype(np.uint8)
    return quantise(load_network(network), noise)


@pytest.mark.parametrize(
    ("steps", "failures", "tried"),
    [
        (7, 0, [(0, 0)]),
        (7, 1, [(0, 0), (0, 7)]),
        (7, 2, [(0, 0), (0, 7), (50, 0)]),
        (0, 1, [(0, 0), (50, 0)]),
    ],
)
def test_fine_tuning_comes_before_float_operators_and_both_only_where_int8_fails(
    network: Path,
    int8: bytes,
    collection: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
    failures: int,
    tried: list[tuple[int, int]],
) -> None:
    """A trial is (operators in float, steps of fine-tuning)."""
    trials: list[tuple[int, int]] = []
    against: list[np.ndarray] = []

    class Quantiser:
        def __init__(self, quantised: keras.Model, crops: np.ndarray) -> None:
            self.tuned = steps if quantised.name == "tuned" else 0

        def quantise(self, operators: int) -> bytes:
            trials.append((operators, self.tuned))
            return int8

    def tune(
        student: keras.Model, views: Iterator[np.ndarray], crops: np.ndarray, given: int, **_: object
    ) -> keras.Model:
        batch = next(views)
        assert (given, batch.shape, batch.dtype) == (steps, (16, 64, 64, 3), np.float32)
        return keras.Model(student.input, student.output, name="tuned")

    def lose(labels: np.ndarray, wanted: np.ndarray, *_: object) -> Loss:
        against.append(wanted)
        return Loss(0.0, 0.0, 0.0 if len(trials) > failures else 1.0, 0.0)

    for name, stand_in in (("Quantiser", Quantiser), ("fine_tune", tune), ("measure_loss", lose)):
        monkeypatch.setattr(module, name, stand_in)
    monkeypatch.setattr(module, "fit_calibrations", lambda *_: READ)
    monkeypatch.setattr(module, "FLOAT_OPERATORS", (0, 50))
    card = release(
        network,
        collection / "faces.csv",
        collection,
        out,
        FACTS,
        settings=Settings(),
        quantise_aware_steps=steps,
        degradations=False,
    )
    assert trials == tried
    assert (card["quantisation"]["float_operators"], card["quantisation"]["quantise_aware_steps"]) == tried[-1]
    # It is always the student as it was trained that a model is compared with.
    assert all(np.array_equal(wanted, against[0]) for wanted in against)


@pytest.mark.parametrize(
    ("fewest", "tried", "found"),
    [(10, [30, 20, 10], 10), (20, [30, 20, 10], 20), (30, [30, 20], 30), (40, [30, 40], 40), (99, [30, 40], None)],
)
def test_the_fewest_operators_in_float_that_pass_are_found_by_halving(
    fewest: int, tried: list[int], found: int | None
) -> None:
    def attempt(operators: int) -> module._Tried:
        return module._Tried(
            b"", operators, 0, Loss(0.0, 0.0, 0.0 if operators >= fewest else 1.0, 0.0), READ, ViewRule()
        )

    tries = module._halve([10, 20, 30, 40], attempt)
    assert [each.float_operators for each in tries] == tried
    assert min((each.float_operators for each in tries if each.loss.passes()), default=None) == found


def test_fine_tuning_sees_the_training_part_alone(
    network: Path, int8: bytes, collection: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Sample] = []

    class Batches(FaceBatches):
        def __init__(self, samples: list[Sample], *given: object, **options: object) -> None:
            seen.extend(samples)
            super().__init__(samples, *given, **options)

    def give_up(student: keras.Model, views: Iterator[np.ndarray], *_: object, **__: object) -> keras.Model:
        next(views)
        raise ValueError("enough was seen")

    monkeypatch.setattr(views, "FaceBatches", Batches)
    monkeypatch.setattr(module, "fine_tune", give_up)
    monkeypatch.setattr(module, "Quantiser", lambda *_: SimpleNamespace(quantise=lambda operators: int8))
    monkeypatch.setattr(module, "fit_calibrations", lambda *_: READ)
    monkeypatch.setattr(module, "measure_loss", lambda *_: Loss(0.0, 0.0, 1.0, 0.0))
    with pytest.raises(ValueError, match="enough was seen"):
        release(network, collection / "faces.csv", collection, out, FACTS, settings=Settings(), quantise_aware_steps=1)
    parts = split_by_group(read_manifest(collection / "faces.csv"), 0)
    assert seen
    assert {sample.path for sample in seen} <= {sample.path for sample in parts["train"]}


def test_steps_below_nought_are_refused(network: Path, collection: Path, out: Path) -> None:
    with pytest.raises(ValueError, match="quantise_aware_steps"):
        release(network, collection / "faces.csv", collection, out, FACTS, settings=Settings(), quantise_aware_steps=-1)


@pytest.mark.parametrize(
    "text",
    ["[]", "{}", "no json", '{"name": "", "uses": [], "covers": [], "limits": [], "terms": "", "retrain": "", "x": 1}'],
)
def test_facts_that_are_not_whole_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "facts.json").write_text(text)
    with pytest.raises(ValueError, match=r"facts\.json must hold"):
        Facts.read(tmp_path / "facts.json")


def test_the_shipped_card_says_what_every_answer_needs() -> None:
    card = json.loads((MODELS / "model_card.json").read_text())
    assert set(ModelCard.__annotations__) - {"thresholds", "frame_thresholds", "video_thresholds"} <= set(card)
    assert card["bytes"] == (MODELS / "detector.tflite").stat().st_size
    assert all(card["quantisation"][name] <= bound for name, bound in GATE.items())
    assert {"overall", "sources", "against_real"} <= set(card["metrics"])
    assert card["localisation"]["fakes"]["all"]["mass_inside"] > 0.7


def test_the_shipped_int8_detector_follows_the_shipped_float_student(portrait: np.ndarray) -> None:
    served, student = Detector(MODELS), KerasDetector(FLOAT_STUDENT, MODELS)
    box = FaceFinder(MODELS).find(portrait)[0].box
    crops = np.stack([crop_face(portrait, box, served.side, margin) for margin in np.linspace(0.0, 0.6, 16)])
    (int8, maps), (wanted, wanted_maps) = served.score(crops), student.score(crops)
    probability = served.calibration.picture.probability
    apart = [abs(probability(float(a)) - probability(float(b))) for a, b in zip(int8, wanted, strict=True)]
    assert max(apart) <= GATE["probability_p99"]
    assert np.allclose(maps.mean(axis=(1, 2)), int8, atol=1e-3)
    assert maps.shape == wanted_maps.shape


def test_a_card_has_no_figures_of_sources_that_are_all_but_empty() -> None:
    of = {"auc": 0.9}
    metrics = {
        "overall": of,
        "sources": {"large": of, "small": of},
        "against_real": {"large": of, "large, swap, against its own real": of, "small against its own real": of},
        "levels": {"clip": {"overall": of, "against_real": {"large against its own real": of, "small": of}}},
        "aggregation": {},
    }
    kept = module.keep_large(metrics, {"large/fake": 40, "large/real": 3, "small/fake": 39})
    assert set(kept["sources"]) == {"large"}
    assert set(kept["against_real"]) == {"large", "large, swap, against its own real"}
    assert set(kept["levels"]["clip"]["against_real"]) == {"large against its own real"}
    assert (kept["overall"], kept["levels"]["clip"]["overall"], kept["aggregation"]) == (of, of, {})
    assert len(metrics["sources"]) == 2
