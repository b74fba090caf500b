"""A network's file at half its size."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import h5py
import numpy as np

from training.files import replacing

_WEIGHTS = "model.weights.h5"


def halve(path: Path) -> None:
    """Rewrite a .keras file with its weights in float16; it loads and computes in float32 as before.

    A weight keeps three digits, which changes a logit by less than an image's noise does.

    Args:
        path: a .keras file; nothing changes where it holds no float32.

    Raises:
        ValueError: it is no .keras file, or a weight is too large for float16.
        WriteFailed: it cannot be written; the old file is still there.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        weights = files[_WEIGHTS]
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"{path} is missing or is no .keras file. ({error})") from error
    files[_WEIGHTS] = _halve_weights(weights)
    with replacing(path) as unfinished, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            # A date of its own would make equal networks unequal files.
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


def _halve_weights(data: bytes) -> bytes:
    rewritten = io.BytesIO()
    with h5py.File(io.BytesIO(data)) as old, h5py.File(rewritten, "w") as new:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                made = new.require_group(name)
            else:
                values = item[()]
                if getattr(values, "dtype", None) == np.float32:
                    values = _round(name, values)
                made = new.create_dataset(name, data=values)
            made.attrs.update(item.attrs)

        new.attrs.update(old.attrs)
        old.visititems(copy)
    return rewritten.getvalue()


def _round(name: str, values: np.ndarray) -> np.ndarray:
    if np.abs(values).max(initial=0.0) > np.finfo(np.float16).max:
        raise ValueError(f"the weight {name} is too large for float16")
    return values.astype(np.float16)
