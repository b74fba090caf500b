"""A release is made whole or not at all, and the shipped one is what it says it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from chalicelib.detector import Detector
from chalicelib.faces import FaceFinder, crop_face
from chalicelib.schema import ModelCard
from chalicelib.settings import MODELS, Settings
from convert import release as module
from convert.quantisation import GATE, GateError, Loss
from convert.release import Facts, release
from training.evaluation import FLOAT_STUDENT
from training.keras_detector import KerasDetector
from training.networks.student import build_student

FACTS = Facts("made-up", ("Checkered faces.",), ("Anything else.",), "For tests.")


@pytest.fixture(scope="module")
def network(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained student whose batch statistics have seen noise, so that its logits differ at all."""
    keras.utils.set_random_seed(1)
    student = build_student(64, 0.35, None, 0)
    noise = np.random.default_rng(0).uniform(-1, 1, (32, 64, 64, 3)).astype(np.float32)
    for layer in student.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.5
    for _ in range(10):
        student(noise, training=True)
    path = tmp_path_factory.mktemp("run") / "student.keras"
    student.save(path)
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
    monkeypatch.setattr(module, "fit_calibration", lambda *_: module.Calibration(1.0, 0.0, 0.4, 0.6))
    says: list[str] = []
    card = release(network, collection / "faces.csv", collection, out, FACTS, settings=Settings(), report=says.append)
    assert json.loads((out / "model_card.json").read_text()) == card
    assert card["name"] == "made-up"
    assert card["bytes"] == (out / "detector.tflite").stat().st_size
    assert card["metrics"]["overall"]["pictures"] + card["metrics"]["overall"]["unscored"] > 0
    assert {"train", "validation", "test"} == set(card["data"]["faces"])
    assert card["quantisation"]["probability_p99"] < 0.05
    assert sorted(p.name for p in out.iterdir()) == [
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
    monkeypatch.setattr(module, "fit_calibration", lambda *_: module.Calibration(1.0, 0.0, 0.4, 0.6))
    monkeypatch.setattr(module, "measure_loss", lambda *_: Loss(0.0, 0.0, 0.2, 0.0))
    with pytest.raises(GateError, match="probability_p99"):
        release(network, collection / "faces.csv", collection, out, FACTS, settings=Settings())
    assert (out / "detector.tflite").read_bytes() == b"before"
    assert (out / "model_card.json").read_text() == "before"
    assert len(list(out.iterdir())) == 5


@pytest.mark.parametrize(
    "text", ["[]", "{}", "no json", '{"name": "a", "covers": [], "limits": [], "terms": "", "x": 1}']
)
def test_facts_that_are_not_whole_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "facts.json").write_text(text)
    with pytest.raises(ValueError, match=r"facts\.json must hold"):
        Facts.read(tmp_path / "facts.json")


def test_the_shipped_card_says_what_every_answer_needs() -> None:
    card = json.loads((MODELS / "model_card.json").read_text())
    assert set(ModelCard.__annotations__) - {"thresholds"} <= set(card)
    assert card["bytes"] == (MODELS / "detector.tflite").stat().st_size
    assert all(card["quantisation"][name] <= bound for name, bound in GATE.items())
    assert {"overall", "sources", "against_real"} == set(card["metrics"])


def test_the_shipped_int8_detector_follows_the_shipped_float_student(portrait: np.ndarray) -> None:
    served, student = Detector(MODELS), KerasDetector(FLOAT_STUDENT, MODELS)
    box = FaceFinder(MODELS).find(portrait)[0].box
    crops = np.stack([crop_face(portrait, box, served.side, margin) for margin in np.linspace(0.0, 0.6, 16)])
    (int8, maps), (wanted, wanted_maps) = served.score(crops), student.score(crops)
    probability = served.calibration.probability
    apart = [abs(probability(float(a)) - probability(float(b))) for a, b in zip(int8, wanted, strict=True)]
    assert max(apart) <= GATE["probability_p99"]
    assert np.allclose(maps.mean(axis=(1, 2)), int8, atol=1e-3)
    assert maps.shape == wanted_maps.shape
