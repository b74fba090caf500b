"""MTCNN's three networks, from the weights inside the `mtcnn` package to .tflite files.

The package (MIT) ships subclassed Keras models, which the converter cannot give a free picture size, so each is
written out again here as a functional model and takes over the weights.

Source: Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks", 2016.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from chalicelib.runtime import load_interpreter

# Largest difference between an output of the package's network and of the converted one that we accept.
TOLERANCE = 1e-4


def convert_mtcnn(out: Path) -> dict[str, float]:
    """Write `pnet.tflite`, `rnet.tflite` and `onet.tflite` (float32) and compare them with the package's networks.

    P-Net takes [1, height, width, 3] of any size from 12 × 12 px, R-Net [n, 24, 24, 3], O-Net [n, 48, 48, 3], all
    RGB scaled to (value - 127.5) / 128. Each gives box offsets [..., 4] and probabilities [..., 2] of (no face, face);
    O-Net also gives landmarks [n, 10], five x then five y, in units of the crop.

    Args:
        out: folder for the three files; made when missing.

    Returns:
        Largest absolute difference over all outputs on random inputs, by network name.

    Raises:
        ValueError: a network differs by more than `TOLERANCE`.
    """
    from mtcnn.stages import StageONet, StagePNet, StageRNet

    out.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    worst = {}
    for name, stage, build, shapes in (
        ("pnet", StagePNet, build_pnet, [(1, 12, 12, 3), (1, 61, 94, 3), (1, 180, 320, 3)]),
        ("rnet", StageRNet, build_rnet, [(1, 24, 24, 3), (33, 24, 24, 3)]),
        ("onet", StageONet, build_onet, [(1, 48, 48, 3), (9, 48, 48, 3)]),
    ):
        original = stage().model
        model = build()
        model.set_weights(original.get_weights())
        path = out / f"{name}.tflite"
        path.write_bytes(_to_tflite(model))
        inputs = [random.uniform(-1, 1, shape).astype(np.float32) for shape in shapes]
        worst[name] = max(_difference(original, path, batch) for batch in inputs)
        if not worst[name] <= TOLERANCE:
            raise ValueError(
                f"The converted {name} must differ by at most {TOLERANCE} from the package's. Received: {worst[name]}"
            )
    return worst


def build_pnet() -> Any:
    """Return P-Net as an untrained functional Keras model, [1, height, width, 3] -> offsets, probabilities."""
    import keras

    picture = keras.Input(batch_shape=(1, None, None, 3), name="pixels")
    x = _convolve(picture, 10, 3, "1")
    x = keras.layers.MaxPooling2D(2, 2, padding="same", name="pool1")(x)
    x = _convolve(x, 16, 3, "2")
    x = _convolve(x, 32, 3, "3")
    offsets = keras.layers.Conv2D(4, 1, name="offsets")(x)
    probabilities = keras.layers.Conv2D(2, 1, activation="softmax", name="probabilities")(x)
    return keras.Model(picture, [offsets, probabilities], name="pnet")


def build_rnet() -> Any:
    """Return R-Net as an untrained functional Keras model, [n, 24, 24, 3] -> offsets, probabilities."""
    import keras

    crops = keras.Input((24, 24, 3), name="pixels")
    x = _convolve(crops, 28, 3, "1")
    x = keras.layers.MaxPooling2D(3, 2, padding="same", name="pool1")(x)
    x = _convolve(x, 48, 3, "2")
    x = keras.layers.MaxPooling2D(3, 2, name="pool2")(x)
    x = _convolve(x, 64, 2, "3")
    x = _connect(x, 128)
    offsets = keras.layers.Dense(4, name="offsets")(x)
    probabilities = keras.layers.Dense(2, activation="softmax", name="probabilities")(x)
    return keras.Model(crops, [offsets, probabilities], name="rnet")


def build_onet() -> Any:
    """Return O-Net as an untrained functional Keras model, [n, 48, 48, 3] -> offsets, landmarks, probabilities."""
    import keras

    crops = keras.Input((48, 48, 3), name="pixels")
    x = _convolve(crops, 32, 3, "1")
    x = keras.layers.MaxPooling2D(3, 2, padding="same", name="pool1")(x)
    x = _convolve(x, 64, 3, "2")
    x = keras.layers.MaxPooling2D(3, 2, name="pool2")(x)
    x = _convolve(x, 64, 3, "3")
    x = keras.layers.MaxPooling2D(2, 2, padding="same", name="pool3")(x)
    x = _convolve(x, 128, 2, "4")
    x = _connect(x, 256)
    offsets = keras.layers.Dense(4, name="offsets")(x)
    landmarks = keras.layers.Dense(10, name="landmarks")(x)
    probabilities = keras.layers.Dense(2, activation="softmax", name="probabilities")(x)
    return keras.Model(crops, [offsets, landmarks, probabilities], name="onet")


# Every layer is named: names that Keras counts up would make the bytes depend on what a process built before.
def _convolve(x: Any, filters: int, kernel: int, number: str) -> Any:
    import keras

    x = keras.layers.Conv2D(filters, kernel, name=f"conv{number}")(x)
    return keras.layers.PReLU(shared_axes=[1, 2], name=f"prelu{number}")(x)


def _connect(x: Any, units: int) -> Any:
    import keras

    # The weights come from a framework that stores pictures column by column.
    x = keras.layers.Permute((2, 1, 3), name="permute")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(units, name="dense")(x)
    return keras.layers.PReLU(name="prelu")(x)


def _to_tflite(model: Any) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    content: bytes = converter.convert()
    return content


def _difference(original: Callable[[np.ndarray], Any], path: Path, batch: np.ndarray) -> float:
    interpreter = load_interpreter(path, shape=batch.shape)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], batch)
    interpreter.invoke()
    # Every output of a network has a width of its own, which tells them apart whatever their order.
    converted = {d["shape"][-1]: interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()}
    return max(float(np.abs(o.numpy() - converted[o.shape[-1]]).max()) for o in original(batch))
