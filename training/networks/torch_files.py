"""Tensors from a file that `torch.save` wrote, read without PyTorch.

Since PyTorch 1.6 such a file is a zip archive: `data.pkl` is a pickle that describes the tensors, and `data/0`,
`data/1`, … hold their values. Before, it was a row of pickles, after which the values follow. A pickle can name any
function of any module; this reader resolves only the names that a state dict of plain tensors needs and refuses all
others, so that a file from elsewhere can run no code.
"""

from __future__ import annotations

import collections
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

# What PyTorch calls the storage of each number format that is read here; whole numbers only count batches.
_STORAGES = {
    "HalfStorage": np.float16,
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "LongStorage": np.int64,
}
# What a file of a version before 1.6 begins with.
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """Return the tensors of a state dict by name, as float32 arrays.

    Args:
        path: a .pth file, little-endian.

    Raises:
        ValueError: the file is damaged, or holds something other than a dict of float tensors.
        OSError: it cannot be read.
    """
    try:
        tensors = _read_archive(path) if zipfile.is_zipfile(path) else _read_pickles(path)
        if not isinstance(tensors, dict) or not all(isinstance(value, np.ndarray) for value in tensors.values()):
            raise ValueError("it is no dict of tensors")
    except (
        zipfile.BadZipFile,
        pickle.UnpicklingError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        EOFError,
        StopIteration,
    ) as error:
        raise ValueError(f"{path} is no state dict of float tensors. ({error})") from error
    return {name: np.asarray(value, np.float32) for name, value in tensors.items()}


def _read_archive(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        description = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        folder = description.removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
            raise ValueError("it is big-endian")
        with archive.open(description) as file:
            # The unpickler below resolves a few harmless names and no other.
            return _Unpickler(file, lambda key, size: archive.read(f"{folder}data/{key}")).load()


def _read_pickles(path: Path) -> Any:
    with path.open("rb") as file:
        if [_load(file) for _ in range(2)] != [_MAGIC, _PROTOCOL]:
            raise ValueError("it is no file of PyTorch")
        if not _load(file)["little_endian"]:
            raise ValueError("it is big-endian")
        # Values follow what describes them, so the description is read twice: for the sizes, and with the values.
        start, left = file.tell(), path.stat().st_size
        sizes: dict[str, int] = {}

        def note_size(key: str, size: int) -> bytes:
            if size > left:
                raise EOFError("it ends too early")
            sizes[key] = size
            return bytes(size)

        _Unpickler(file, note_size).load()
        values = {}
        for key in _load(file):
            # How many values there are is said once more before them.
            file.seek(8, os.SEEK_CUR)
            values[key] = file.read(sizes[key])
        file.seek(start)
        return _Unpickler(file, lambda key, size: values[key]).load()


def _load(file: BinaryIO) -> Any:
    return _Unpickler(file, lambda key, size: b"").load()


class _Unpickler(pickle.Unpickler):
    """Reads a state dict: every tensor becomes a numpy array.

    Args:
        file: to read from.
        read: returns the bytes of a storage from its key and its size.
    """

    def __init__(self, file: Any, read: Callable[[str, int], bytes]) -> None:
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
        kind, dtype, key, _, count, *_ = described
        if kind != "storage":
            raise pickle.UnpicklingError(f"{kind!r} is not allowed")
        stored = np.dtype(dtype).newbyteorder("<")
        return np.frombuffer(self._read(key, count * stored.itemsize), stored, count)


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
