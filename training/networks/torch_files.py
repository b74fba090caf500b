"""Tensors from a file that `torch.save` wrote, read without PyTorch.

Such a file is a zip archive: `data.pkl` is a pickle that describes the tensors, and `data/0`, `data/1`, … hold their
values. A pickle can name any function of any module; this reader resolves only the names that a state dict of plain
tensors needs and refuses all others, so that a file from elsewhere can run no code.
"""

from __future__ import annotations

import collections
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

# What PyTorch calls the storage of each number format that is read here.
_STORAGES = {"HalfStorage": np.float16, "FloatStorage": np.float32, "DoubleStorage": np.float64}


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """Return the tensors of a state dict by name, as float32 arrays.

    Args:
        path: a .pth file of PyTorch 1.6 or later, little-endian.

    Raises:
        ValueError: the file is damaged, or holds something other than a dict of float tensors.
        OSError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            description = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            folder = description.removesuffix("data.pkl")
            if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
                raise ValueError("it is big-endian")
            with archive.open(description) as file:
                # The unpickler below resolves four harmless names and no other.
                tensors = _Unpickler(file, lambda key: archive.read(f"{folder}data/{key}")).load()
        if not isinstance(tensors, dict) or not all(isinstance(value, np.ndarray) for value in tensors.values()):
            raise ValueError("it is no dict of tensors")
    except (zipfile.BadZipFile, pickle.UnpicklingError, ValueError, KeyError, EOFError, StopIteration) as error:
        raise ValueError(f"{path} is no state dict of float tensors. ({error})") from error
    return {name: np.asarray(value, np.float32) for name, value in tensors.items()}


class _Unpickler(pickle.Unpickler):
    """Reads a state dict: every tensor becomes a numpy array."""

    def __init__(self, file: Any, read: Callable[[str], bytes]) -> None:
        super().__init__(file)
        self._read = read

    def find_class(self, module: str, name: str) -> Any:
        """Resolve a name, of those that describe tensors alone."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed")

    def persistent_load(self, described: Any) -> np.ndarray:
        """Return the values of a storage, float [n]."""
        kind, dtype, key, _, count = described
        if kind != "storage":
            raise pickle.UnpicklingError(f"{kind!r} is not allowed")
        return np.frombuffer(self._read(key), np.dtype(dtype).newbyteorder("<"), count)


def _rebuild(
    storage: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> np.ndarray:
    """Return a tensor of a storage as an array of its own.

    Raises:
        ValueError: size and stride reach beyond the storage.
    """
    steps = zip(size, stride, strict=True)
    reach = offset + sum((length - 1) * step for length, step in steps) + 1 if all(size) else offset
    if min((offset, *size, *stride), default=0) < 0 or reach > len(storage):
        raise ValueError("a tensor reaches beyond its storage")
    byte_steps = tuple(step * storage.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(storage[offset:], size, byte_steps, writeable=False).copy()
