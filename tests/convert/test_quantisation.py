"""A quantised network keeps its answers; one that does not is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from chalicelib.detector import normalise
from chalicelib.runtime import load_interpreter
from convert.quantisation import Loss, Quantiser, compare_kernels, measure_loss, quantise
from training.networks.efficientnet_lite import build_efficientnet_lite
from training.networks.student import add_evidence


@pytest.fixture(scope="module")
def crops(portrait: np.ndarray) -> np.ndarray:
    """64 crops of a portrait at many places and sizes."""
    import cv2

    rng = np.random.default_rng(0)
    cut = []
    for _ in range(64):
        side = int(rng.integers(120, 400))
        x, y = rng.integers(0, 512 - side, 2)
        cut.append(cv2.resize(portrait[y : y + side, x : x + side], (64, 64), interpolation=cv2.INTER_AREA))
    return np.stack(cut)


@pytest.fixture(scope="module")
def student(crops: np.ndarray, make_student: Callable[[np.ndarray], keras.Model]) -> keras.Model:
    """A small network whose normalisations have seen these crops."""
    return make_student(normalise(crops))


@pytest.fixture(scope="module")
def model(student: keras.Model, crops: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "detector.tflite"
    path.write_bytes(quantise(student, crops))
    return path


def run(path: Path, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    interpreter = load_interpreter(path)
    outputs = sorted(interpreter.get_output_details(), key=lambda output: len(output["shape"]))
    answers = []
    for crop in crops:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], normalise(crop[None]))
        interpreter.invoke()
        answers.append([interpreter.get_tensor(output["index"]) for output in outputs])
    return np.array([a[0][0, 0] for a in answers]), np.concatenate([a[1] for a in answers])


def test_int8_keeps_the_order_and_operators_in_float_lose_less(
    model: Path, student: keras.Model, crops: np.ndarray, tmp_path: Path
) -> None:
    wanted = keras.ops.convert_to_numpy(student(normalise(crops), training=False))[:, 0]
    mostly_float = tmp_path / "detector.tflite"
    mostly_float.write_bytes(quantise(student, crops, 60))
    lost = [np.abs(run(path, crops)[0] - wanted).mean() for path in (model, mostly_float)]
    assert np.corrcoef(wanted, run(model, crops)[0])[0, 1] > 0.5
    assert 0 < lost[1] < lost[0] / 2


def test_the_map_still_adds_up_to_the_logit(model: Path, student: keras.Model, crops: np.ndarray) -> None:
    logits, maps = run(model, crops[:8])
    assert maps.shape == (8, 2, 2, 1)
    assert np.allclose(maps.mean(axis=(1, 2, 3)), logits, atol=1e-4)
    assert add_evidence(student).output_shape[1] == (None, 2, 2, 1)


def types_of_operators(model: Path) -> list[tuple[str, type]]:
    """Return what each operator is and of what type its first input is, in the order in which they run."""
    interpreter = load_interpreter(model)
    types = {tensor["index"]: tensor["dtype"] for tensor in interpreter.get_tensor_details()}
    return [
        (op["op_name"], types[op["inputs"][0]])
        for op in interpreter._get_ops_details()
        if op["op_name"] not in ("QUANTIZE", "DEQUANTIZE", "DELEGATE")
    ]


@pytest.mark.parametrize("leading", [0, 10])
def test_the_trunk_is_int8_and_the_head_and_what_is_asked_for_are_float(
    student: keras.Model, crops: np.ndarray, tmp_path: Path, leading: int
) -> None:
    path = tmp_path / "detector.tflite"
    path.write_bytes(quantise(student, crops[:8], leading))
    operators = types_of_operators(path)
    assert operators[-2:] == [("CONV_2D", np.float32), ("MEAN", np.float32)]
    assert {kind for _, kind in operators[:leading]} <= {np.float32}
    assert {kind for _, kind in operators[leading + 1 : -2]} == {np.int8}
    assert len(operators) > 40


def test_both_heads_of_a_network_with_two_are_float(crops: np.ndarray, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    path = tmp_path / "detector.tflite"
    path.write_bytes(quantise(build_efficientnet_lite(32), crops[:8, :32, :32]))
    operators = types_of_operators(path)
    # Between a head and the mean the deeper map is enlarged and both are added.
    in_float = [name for name, kind in operators if kind == np.float32]
    assert in_float.count("CONV_2D") == 2
    assert (in_float[-2:], "DEPTHWISE_CONV_2D" in in_float) == (["ADD", "MEAN"], False)
    assert [kind for _, kind in operators].count(np.int8) > 40


def test_models_of_one_quantiser_are_those_of_many(student: keras.Model, crops: np.ndarray, model: Path) -> None:
    quantiser = Quantiser(student, crops)
    partly = quantiser.quantise(10)
    assert quantiser.quantise() == model.read_bytes() != partly


def test_kernels_disagree_less_the_more_is_in_float(model: Path, student: keras.Model, crops: np.ndarray) -> None:
    all_int8, mostly_float = model.read_bytes(), quantise(student, crops, 60)
    assert 0 <= compare_kernels(mostly_float, crops[:16]) < compare_kernels(all_int8, crops[:16])


def test_loss_is_what_int8_gives_away() -> None:
    labels = np.array([0, 0, 1, 1])
    loss = measure_loss(labels, np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.1, 0.6, 0.5, 0.9]), 0.5)
    assert loss.auc == pytest.approx(0.25)
    assert loss.tpr_at_1_fpr == pytest.approx(0.5)
    assert loss.probability_p99 == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize("broken", ["auc", "tpr_at_1_fpr", "probability_p99", "kernel_steps"])
def test_a_loss_over_the_gate_does_not_pass(broken: str) -> None:
    within = {"auc": 0.005, "tpr_at_1_fpr": 0.02, "probability_p99": 0.05, "kernel_steps": 1.0}
    assert Loss(**within).passes()
    assert not Loss(**{**within, broken: 1.1}).passes()
