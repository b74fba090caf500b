"""Weights files of Keras 2: a group a layer, the names of its arrays in an attribute."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np


def read_layers(path: str | Path) -> dict[str, list[np.ndarray]]:
    """Return the arrays of every layer that has any, by the layer's name, in the file's order.

    Raises:
        ValueError: the file is of another layout.
        OSError: it cannot be read.
    """
    with h5py.File(path) as file:
        if "layer_names" not in file.attrs:
            raise ValueError(f"{path} is no weights file of Keras 2")
        found = {}
        for raw in file.attrs["layer_names"]:
            name = raw.decode()
            group = file[name]
            arrays = [np.asarray(group[inner.decode()]) for inner in group.attrs.get("weight_names", ())]
            if arrays:
                found[name] = arrays
        return found


def order_by_birth(layers: dict[str, list[np.ndarray]]) -> dict[str, list[list[np.ndarray]]]:
    """Return the layers of each kind in the order in which they were made, which their numbers tell.

    Keras 2 numbered the layers of a session by kind (`conv2d_7`), whatever the session had built before.
    """
    numbered: dict[str, list[tuple[int, list[np.ndarray]]]] = {}
    for name, arrays in layers.items():
        match = re.fullmatch(r"(.+)_(\d+)", name)
        if match is None:
            raise ValueError(f"the layer {name!r} bears no number")
        numbered.setdefault(match[1], []).append((int(match[2]), arrays))
    return {kind: [arrays for _, arrays in sorted(of_kind, key=lambda p: p[0])] for kind, of_kind in numbered.items()}
