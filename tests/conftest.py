"""What every test may need: the shared data beside the checkout, and pictures that anybody may have."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of labelled faces and clips beside the checkout; skips where it is absent."""
    folder = ROOT.parent / "shared"
    if not (folder / "data" / "faces.csv").is_file():
        pytest.skip("needs ../shared beside the checkout (labelled faces, not part of the repository)")
    return folder


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """A public-domain NASA portrait with one face, uint8 RGB [512, 512, 3]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skimage import data

        return np.asarray(data.astronaut())


@pytest.fixture(scope="session")
def cat() -> np.ndarray:
    """A picture without a human face, uint8 RGB [300, 451, 3]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skimage import data

        return np.asarray(data.chelsea())
