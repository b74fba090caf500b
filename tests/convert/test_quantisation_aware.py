"""The twin errs as int8 will, and a network that was trained through it errs less."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from chalicelib.detector import normalise
from chalicelib.runtime import load_interpreter
from convert.quantisation import quantise
from convert.quantisation_aware import Twin, fine_tune
from training.crops import predict_logits

SIDE = 32


def make_network(extra: keras.Layer | None = None) -> keras.Model:
    """A student in small: all kinds of layers that one has, and one channel so loud that it drowns the others."""
    keras.utils.set_random_seed(3)
    view = keras.Input((SIDE, SIDE, 3))
    wide = keras.layers.ReLU(6.0)(keras.layers.Conv2D(8, 3, strides=2, padding="same", name="first")(view))
    padded = keras.layers.ZeroPadding2D(((0, 1), (0, 1)))(wide)
    deep = keras.layers.ReLU(6.0)(keras.layers.DepthwiseConv2D(3, strides=2, name="depthwise")(padded))
    narrow = keras.layers.Conv2D(6, 1, name="narrow")(deep)
    again = keras.layers.Conv2D(6, 1, name="again")(keras.layers.ReLU(6.0)(narrow))
    summed = keras.layers.Add()([narrow, again])
    last = keras.layers.ReLU(6.0)(keras.layers.Conv2D(16, 1, name="last")(summed))
    last = keras.layers.Dropout(0.2)(extra(last) if extra else last)
    evidence = keras.layers.Conv2D(1, 1, name="evidence")(last)
    network = keras.Model(view, keras.layers.GlobalAveragePooling2D(name="logit")(evidence), name="small")
    for name in ("first", "depthwise", "narrow", "again", "last", "evidence"):
        layer = network.get_layer(name)
        kernel, bias = layer.get_weights()
        if name == "narrow":
            kernel[..., 0] *= 100
        if name == "last":
            kernel[:, :, 0] /= 100
        layer.set_weights([kernel * 2, bias])
    return network


def draw_crops(count: int, seed: int) -> np.ndarray:
    """Coarse patterns, uint8 [count, SIDE, SIDE, 3]."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3))
    return np.kron(coarse, np.ones((1, 4, 4, 1))).astype(np.uint8)


def draw_views(seed: int) -> Iterator[np.ndarray]:
    while True:
        yield normalise(draw_crops(16, seed))
        seed += 1


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return make_network()


@pytest.fixture(scope="module")
def ranges() -> np.ndarray:
    return draw_crops(64, 0)


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return draw_crops(64, 1)


def run_int8(network: keras.Model, ranges: np.ndarray, crops: np.ndarray, path: Path) -> np.ndarray:
    path.write_bytes(quantise(network, ranges))
    interpreter = load_interpreter(path)
    logit = next(output for output in interpreter.get_output_details() if len(output["shape"]) == 2)
    logits = []
    for crop in crops:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], normalise(crop[None]))
        interpreter.invoke()
        logits.append(interpreter.get_tensor(logit["index"])[0, 0])
    return np.array(logits)


def run_twin(network: keras.Model, ranges: np.ndarray, crops: np.ndarray, bits: int = 8) -> np.ndarray:
    twin = Twin(network, bits)
    twin.measure_ranges(ranges)
    return twin.model.predict_on_batch(normalise(crops))[0][:, 0]


def rms(errors: np.ndarray) -> float:
    return float(np.sqrt(np.mean(errors**2)))


def test_the_twin_errs_as_int8_does(
    network: keras.Model, ranges: np.ndarray, crops: np.ndarray, tmp_path: Path
) -> None:
    wanted, int8 = predict_logits(network, crops), run_int8(network, ranges, crops, tmp_path / "detector.tflite")
    twin = run_twin(network, ranges, crops)
    assert rms(int8 - wanted) > 0.01
    assert rms(int8 - twin) < rms(int8 - wanted) / 4


def test_with_many_bits_the_twin_is_the_network(network: keras.Model, ranges: np.ndarray) -> None:
    # Within its ranges: what lies beyond is cut off however fine the steps are.
    assert np.allclose(run_twin(network, ranges, ranges, 22), predict_logits(network, ranges), atol=1e-3)


def test_fine_tuning_makes_int8_err_less(
    network: keras.Model, ranges: np.ndarray, crops: np.ndarray, tmp_path: Path
) -> None:
    before = network.get_weights()
    wanted = predict_logits(network, crops)
    says: list[str] = []
    tuned = fine_tune(network, draw_views(2), ranges, 100, learning_rate=2e-3, report=says.append)
    lost = [rms(run_int8(net, ranges, crops, tmp_path / "detector.tflite") - wanted) for net in (network, tuned)]
    assert lost[1] < lost[0] * 0.7
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))
    assert any("100 quantisation-aware steps" in line for line in says)


def test_the_same_views_give_the_same_weights(network: keras.Model, ranges: np.ndarray) -> None:
    one, same, other = (fine_tune(network, draw_views(seed), ranges, 3).get_weights() for seed in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_layers_that_were_frozen_are_fine_tuned_too(network: keras.Model, ranges: np.ndarray) -> None:
    frozen = make_network()
    frozen.get_layer("first").trainable = False
    tuned = fine_tune(frozen, draw_views(5), ranges, 3)
    assert not np.array_equal(tuned.get_layer("first").get_weights()[0], frozen.get_layer("first").get_weights()[0])


@pytest.mark.parametrize(
    ("layer", "says"),
    [(keras.layers.BatchNormalization, "BatchNormalization"), (lambda: keras.layers.Activation("tanh"), "Activation")],
)
def test_a_layer_whose_rounding_is_unknown_is_refused(layer: Callable[[], keras.Layer], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Twin(make_network(layer()))


def test_a_network_without_evidence_is_refused() -> None:
    view = keras.Input((SIDE, SIDE, 3))
    logit = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(1, 1)(view))
    with pytest.raises(ValueError, match="evidence"):
        Twin(keras.Model(view, logit))


@pytest.mark.parametrize(("steps", "rate"), [(0, 1e-3), (-1, 1e-3), (1, 0.0)])
def test_steps_and_rate_must_be_above_nought(network: keras.Model, ranges: np.ndarray, steps: int, rate: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        fine_tune(network, draw_views(0), ranges, steps, learning_rate=rate)


def test_too_few_views_are_refused(network: keras.Model, ranges: np.ndarray) -> None:
    with pytest.raises(ValueError, match="views for 1 steps, not for 2"):
        fine_tune(network, [normalise(draw_crops(4, 0))], ranges, 2)
