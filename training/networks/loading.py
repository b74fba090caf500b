"""Any network of ours from its file, whichever layers it holds."""

from __future__ import annotations

from pathlib import Path

import keras

# Layers of our own register themselves when their modules are imported.
from training.networks import high_pass, joining, kernel_machine, preprocessing  # noqa: F401


def load_network(path: Path) -> keras.Model:
    """Load a .keras file.

    Returns:
        float32 [N, S, S, 3] in [-1, 1] to a logit [N, 1].

    Raises:
        ValueError: it is missing, damaged, or no such network.
    """
    try:
        network = keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is missing or is no Keras network. ({error})") from error
    shape, answer = network.input_shape, network.output_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[1] != shape[2] or answer != (None, 1):
        raise ValueError(f"{path} does not turn a square RGB crop into one logit.")
    return network
