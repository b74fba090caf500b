"""What every test may need: the shared data beside the checkout, and pictures that anybody may have."""

from __future__ import annotations

import csv
import signal
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parent.parent

# A shell that runs the tests in its background has them ignore Ctrl-C, and every process that they start would too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray) -> Path:
    """A folder with faces.csv and 40 portraits: "fakes" wear a checkered pattern, twenty groups of two."""
    root = tmp_path_factory.mktemp("collection")
    rng = np.random.default_rng(0)
    checks = np.kron(np.indices((64, 64)).sum(axis=0) % 2, np.ones((4, 4)))[..., None] * 30
    rows = []
    for index in range(40):
        label = "fake" if index % 2 else "real"
        x, y, side = *rng.integers(60, 100, 2), rng.integers(230, 260)
        picture = cv2.resize(portrait[y - 60 : y - 60 + side, x + 10 : x + 10 + side], (256, 256))
        picture = picture.astype(float) + rng.normal(0, 4, picture.shape) + (checks if label == "fake" else 0)
        path = root / label / f"{index:02}.png"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), np.clip(picture, 0, 255).astype(np.uint8)[..., ::-1])
        source = ("studio", "street")[index // 20]
        rows.append([f"{label}/{index:02}.png", label, source, "checks" * (label == "fake"), f"person {index // 2}"])
    with (root / "faces.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label", "source", "method", "group"], *rows])
    return root
