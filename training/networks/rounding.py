"""Noise as large as int8's rounding, so that a network learns to bear it while it learns everything else."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

# Steps of int8 over the range of a tensor.
STEPS = 255.0


@keras.saving.register_keras_serializable(package="unmask")
class RoundingNoise(keras.layers.Layer):
    """Adds even noise of so many steps of int8 over the batch's own range; in training alone.

    Noise stands for rounding because what rounding does is noise: two kernels that round differently in one value of a
    thousand differ in most after ten blocks.
    """

    def __init__(self, steps: float = 1.0, seed: int | None = None, **options: Any) -> None:
        """Take the width of the noise in steps, ≥ 0; rounding alone makes one."""
        super().__init__(**options)
        self._steps, self._seed = steps, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Return the tensor, with noise where it is trained."""
        if not training:
            return inputs
        width = ops.stop_gradient(ops.max(inputs) - ops.min(inputs)) * (self._steps / STEPS)
        return inputs + width * keras.random.uniform(ops.shape(inputs), -0.5, 0.5, seed=self.seed_generator)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape that it takes."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "steps": self._steps, "seed": self._seed}


def add_noise(network: keras.Model, steps: float) -> keras.Model:
    """Return a model of the network's own layers with noise after its input, its linear convolutions and its sums.

    After an activation rounding is far finer, against what passes there, than in a tensor whose range a few outliers
    set.

    Args:
        network: a functional network of layers with one output each.
        steps: width of the noise, see `RoundingNoise`.

    Returns:
        The network's input to its logit [N, 1] and its layer "evidence" [N, h, w, 1].
    """
    tensors: dict[int, Any] = {}
    named: dict[str, Any] = {}
    for layer in network.layers:
        node = layer._inbound_nodes[0]
        if isinstance(layer, keras.layers.InputLayer):
            made = keras.Input(layer.batch_shape[1:], name=layer.name)
            start = made
        else:
            inputs = [tensors[id(tensor)] for tensor in node.input_tensors]
            made = layer(inputs[0] if len(inputs) == 1 else inputs)
        named[layer.name] = made
        if _is_rounded_coarsely(layer):
            made = RoundingNoise(steps, name=f"{layer.name}_noise")(made)
        tensors[id(node.output_tensors[0])] = made
    return keras.Model(start, [tensors[id(network.output)], named["evidence"]], name=network.name)


def _is_rounded_coarsely(layer: keras.Layer) -> bool:
    return isinstance(layer, (keras.layers.InputLayer, keras.layers.Add)) or layer.name.endswith("_project")
