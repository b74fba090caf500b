"""The model that is trained round a network, when it is taught more than a label."""

from __future__ import annotations

import keras

from training.networks.rounding import add_noise


def make_learner(
    network: keras.Model, *, cells: bool = False, teacher: keras.Model | None = None, rounding: float = 0.0
) -> keras.Model:
    """Return a model whose first answer is the network's logit, followed by what else is taught.

    Args:
        network: float32 [N, S, S, 3] to a logit [N, 1]; with a layer "evidence" where cells are taught.
        cells: whether every cell of the evidence map is an answer.
        teacher: float32 [N, T, T, 3] to a logit [N, 1], which is the last answer; it is not trained. It sees the very
            view that the network sees, in its own size.

        rounding: steps of int8 of the noise that the network is trained under; see `training.networks.rounding`.

    Returns:
        The network's own layers, to [N, 1 + cells + teacher]; the network itself where nothing else is taught.
    """
    if not cells and teacher is None and not rounding:
        return network
    inputs, logit = network.input, network.output
    evidence = network.get_layer("evidence").output if cells else None
    if rounding:
        noisy = add_noise(network, rounding)
        inputs, (logit, evidence) = noisy.input, noisy.output
    answers = [logit]
    if cells:
        answers.append(keras.layers.Flatten(name="cells")(evidence))
    if teacher is not None:
        teacher.trainable = False
        view, side = inputs, int(teacher.input.shape[1])
        if side != inputs.shape[1]:
            view = keras.layers.Resizing(side, side, antialias=True, name="teachers_view")(view)
        answers.append(keras.Model(teacher.input, teacher.output, name="teacher")(view, training=False))
    joined = keras.layers.Concatenate(name="answers")(answers) if len(answers) > 1 else logit
    return keras.Model(inputs, joined, name=network.name)


def count_cells(network: keras.Model) -> int:
    """Return how many cells a side of the evidence map has."""
    return int(network.get_layer("evidence").output.shape[1])
