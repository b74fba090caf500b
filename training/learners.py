"""The model that is trained round a network, when it is taught more than a label."""

from __future__ import annotations

import keras


def make_learner(network: keras.Model, *, cells: bool = False, teacher: keras.Model | None = None) -> keras.Model:
    """Return a model whose first answer is the network's logit, followed by what else is taught.

    Args:
        network: float32 [N, S, S, 3] to a logit [N, 1]; with a layer "evidence" where cells are taught.
        cells: whether every cell of the evidence map is an answer.
        teacher: float32 [N, T, T, 3] to a logit [N, 1], which is the last answer; it is not trained. It sees the very
            view that the network sees, in its own size.

    Returns:
        The network's own layers, to [N, 1 + cells + teacher]; the network itself where nothing else is taught.
    """
    answers = [network.output]
    if cells:
        answers.append(keras.layers.Flatten(name="cells")(network.get_layer("evidence").output))
    if teacher is not None:
        teacher.trainable = False
        view, side = network.input, int(teacher.input.shape[1])
        if side != network.input.shape[1]:
            view = keras.layers.Resizing(side, side, antialias=True, name="teachers_view")(view)
        answers.append(keras.Model(teacher.input, teacher.output, name="teacher")(view, training=False))
    if len(answers) == 1:
        return network
    return keras.Model(network.input, keras.layers.Concatenate(name="answers")(answers), name=network.name)


def count_cells(network: keras.Model) -> int:
    """Return how many cells a side of the evidence map has."""
    return int(network.get_layer("evidence").output.shape[1])
