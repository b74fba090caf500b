"""Face crops become logits and evidence maps."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chalicelib.detector import Detector, normalise
from chalicelib.errors import ModelUnavailable


def one_colour(red: int, blue: int) -> np.ndarray:
    return np.tile(np.uint8([red, 90, blue]), (32, 32, 1))


@pytest.mark.parametrize("options", [{}, {"swapped": True}, {"quantised": False}], ids=str)
def test_logits_and_maps_follow_the_network_whatever_its_types_and_the_order_of_its_outputs(
    write_models: Callable[..., Path], tmp_path: Path, options: dict[str, Any]
) -> None:
    detector = Detector(write_models(tmp_path, **options))
    half = one_colour(255, 0)
    half[:, 16:] = one_colour(0, 255)[:, 16:]
    crops = np.stack([one_colour(255, 0), one_colour(0, 255), one_colour(100, 100), half])
    logits, maps = detector.score(crops)
    assert (logits.dtype, maps.dtype, maps.shape) == (np.float32, np.float32, (4, 4, 4))
    np.testing.assert_allclose(logits, [8, -8, 0, 0], atol=0.1)
    np.testing.assert_allclose(maps[:3], logits[:3, None, None] + np.zeros((3, 4, 4)), atol=0.1)
    np.testing.assert_allclose(maps[3, 0], [8, 8, -8, -8], atol=0.1)


def test_no_crops_give_no_logits(models: Path) -> None:
    logits, maps = Detector(models).score(np.empty((0, 32, 32, 3), np.uint8))
    assert (logits.shape, maps.shape) == ((0,), (0, 4, 4))


def test_side_and_card_are_told(models: Path, parts: Any) -> None:
    detector = Detector(models)
    assert detector.side == 32
    assert detector.card == parts.card
    assert detector.calibration.picture.temperature == 2


def test_the_network_sees_pixels_from_minus_one_to_one() -> None:
    np.testing.assert_allclose(normalise(np.uint8([0, 255])), [-1, 1])
    assert normalise(np.uint8([7])).dtype == np.float32


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((1, 31, 32, 3), np.uint8),
        np.zeros((1, 32, 32), np.uint8),
        np.zeros((32, 32, 3), np.uint8),
        np.zeros((1, 32, 32, 3), np.float32),
    ],
    ids=lambda crops: f"{crops.dtype}{crops.shape}",
)
def test_crops_of_another_kind_are_a_mistake_of_the_caller(models: Path, crops: np.ndarray) -> None:
    with pytest.raises(ValueError, match="Received"):
        Detector(models).score(crops)


def test_threads_that_share_a_detector_do_not_mix_their_crops(models: Path) -> None:
    detector = Detector(models)
    reds = [0, 80, 160, 255]
    wrong: list[float] = []

    def score_often(red: int) -> None:
        expected = detector.score(one_colour(red, 0)[None])[0][0]
        wrong.extend(
            value for _ in range(50) for value in detector.score(one_colour(red, 0)[None])[0] if value != expected
        )

    threads = [threading.Thread(target=score_often, args=(red,)) for red in reds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_network_that_answers_no_number_is_a_failure(write_models: Callable[..., Path], tmp_path: Path) -> None:
    detector = Detector(write_models(tmp_path, quantised=False))
    detector._levels = np.full(256, np.nan, np.float32)
    with pytest.raises(ModelUnavailable, match="no usable score"):
        detector.score(np.zeros((1, 32, 32, 3), np.uint8))


def _remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _fill(name: str, data: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(data) and None


def _cut_in_half(folder: Path) -> None:
    path = folder / "detector.tflite"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _use_a_face_network(folder: Path) -> None:
    (folder / "detector.tflite").write_bytes((folder / "onet.tflite").read_bytes())


def _change_card(**change: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "model_card.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(_remove("detector.tflite"), id="no network"),
        pytest.param(_remove("model_card.json"), id="no card"),
        pytest.param(_fill("detector.tflite", b""), id="empty network"),
        pytest.param(_fill("detector.tflite", b"TFL3" * 100), id="garbage for a network"),
        pytest.param(_cut_in_half, id="half a network"),
        pytest.param(_use_a_face_network, id="another network"),
        pytest.param(_fill("model_card.json", b"{"), id="broken card"),
        pytest.param(_fill("model_card.json", b"\xff\xfe"), id="card in no encoding"),
        pytest.param(_fill("model_card.json", b"[]"), id="card of another kind"),
        pytest.param(_fill("model_card.json", b"{}"), id="empty card"),
        pytest.param(_change_card(calibration=None), id="card without calibration"),
        pytest.param(_change_card(calibration={"picture": {}}), id="card with half a calibration"),
        pytest.param(_change_card(input_side=64), id="card of another network"),
    ],
)
def test_a_missing_or_damaged_model_is_told_in_a_sentence(
    write_models: Callable[..., Path], tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = write_models(tmp_path)
    damage(folder)
    with pytest.raises(ModelUnavailable) as told:
        Detector(folder)
    assert told.value.message.endswith(".")
    assert str(tmp_path) not in told.value.message


def test_a_network_with_one_output_is_refused(write_models: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="one logit and one map"):
        Detector(write_models(tmp_path, outputs=1))
