"""A Keras network stands in for the served detector under its own card, with or without a map."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import pytest

from chalicelib.detector import normalise
from chalicelib.errors import ModelUnavailable
from chalicelib.settings import Settings
from training.keras_detector import MOST_AT_ONCE, KerasDetector
from training.networks.catalogue import build

MODELS = Settings().models
CROPS = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
PICTURE = {"temperature": 2.0, "bias": 0.5, "no_traces_below": 0.3, "fake_above": 0.8}
CALIBRATION = {"picture": PICTURE, "frame": PICTURE, "video": {**PICTURE, "temperature": 1.5}}


def save(network: keras.Model, folder: Path, card: dict[str, object] | str | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    network.save(folder / "network.keras")
    if card is not None:
        (folder / "card.json").write_text(card if isinstance(card, str) else json.dumps(card))
    return folder / "network.keras"


@pytest.fixture(scope="module")
def mapped() -> keras.Model:
    return build("student-0.35", side=32, weights="none")


@pytest.fixture(scope="module")
def unmapped() -> keras.Model:
    return build("cnn-128", side=32, weights="none")


def test_the_card_beside_the_network_counts(unmapped: keras.Model, tmp_path: Path) -> None:
    card = {"name": "mine", "calibration": CALIBRATION, "validation": {"auc": 0.9}}
    detector = KerasDetector(save(unmapped, tmp_path, card), MODELS)
    assert (detector.calibration.picture.temperature, detector.calibration.picture.fake_above) == (2.0, 0.8)
    assert detector.calibration.video.temperature == 1.5
    assert detector.card["name"] == "mine"
    assert detector.card["metrics"] == {"auc": 0.9}
    # All that the service shows of a model, and nothing that belongs to the served one.
    assert {"version", "covers", "limits", "terms"} <= set(detector.card)
    assert detector.card["covers"] == []


def test_without_one_the_served_card_counts_under_the_networks_name(unmapped: keras.Model, tmp_path: Path) -> None:
    detector = KerasDetector(save(unmapped, tmp_path), MODELS)
    served = json.loads((MODELS / "model_card.json").read_text())
    assert asdict(detector.calibration) == {"frame_correlation": 1.0, **served["calibration"]}
    assert detector.card["name"] == "network (float)"


def test_a_network_with_a_map_gives_it(mapped: keras.Model, tmp_path: Path) -> None:
    detector = KerasDetector(save(mapped, tmp_path), MODELS)
    logits, maps = detector.score(CROPS)
    assert detector.side == 32
    assert detector.card["evidence"] is True
    assert logits.shape == (3,)
    assert maps.shape == (3, 2, 2)
    assert np.allclose(maps.mean(axis=(1, 2)), logits, atol=1e-5)


def test_a_network_without_a_map_tells_of_no_place(unmapped: keras.Model, tmp_path: Path) -> None:
    detector = KerasDetector(save(unmapped, tmp_path), MODELS)
    logits, maps = detector.score(CROPS)
    assert detector.card["evidence"] is False
    assert np.allclose(logits, unmapped.predict_on_batch(normalise(CROPS))[:, 0], atol=1e-5)
    assert maps.shape == (3, 1, 1)
    assert not maps.any()


def test_an_answer_that_is_no_number_is_no_score(tmp_path: Path) -> None:
    network = build("cnn-128", side=32, weights="none")
    network.get_layer("head_logit").bias.assign([np.nan])
    detector = KerasDetector(save(network, tmp_path), MODELS)
    with pytest.raises(ModelUnavailable, match="no usable score"):
        detector.score(CROPS)


@pytest.mark.parametrize(
    "card", ["{", "[]", "{}", json.dumps({"name": "mine", "calibration": {**CALIBRATION, "frame": {}}})]
)
def test_a_damaged_card_stops_the_start(unmapped: keras.Model, tmp_path: Path, card: str) -> None:
    with pytest.raises(ModelUnavailable, match="card"):
        KerasDetector(save(unmapped, tmp_path, card), MODELS)


def test_what_is_no_network_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.keras").write_text("no network")
    inputs = keras.Input((8,))
    keras.Model(inputs, keras.layers.Dense(3)(inputs)).save(tmp_path / "other.keras")
    for name in ("text.keras", "other.keras", "missing.keras"):
        with pytest.raises(ModelUnavailable, match="no network of ours"):
            KerasDetector(tmp_path / name, MODELS)


def test_many_crops_are_scored_in_parts_and_none_gives_none(mapped: keras.Model, tmp_path: Path) -> None:
    detector = KerasDetector(save(mapped, tmp_path), MODELS)
    many = np.random.default_rng(1).integers(0, 256, (MOST_AT_ONCE + 3, 32, 32, 3)).astype(np.uint8)
    logits, maps = detector.score(many)
    for part in (slice(0, MOST_AT_ONCE), slice(MOST_AT_ONCE, None)):
        alone = detector.score(many[part])
        np.testing.assert_allclose(logits[part], alone[0], atol=1e-4)
        np.testing.assert_allclose(maps[part], alone[1], atol=1e-4)
    logits, maps = detector.score(many[:0])
    assert len(logits) == len(maps) == 0
