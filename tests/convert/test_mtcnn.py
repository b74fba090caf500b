"""The three .tflite files say what the package's networks say, and converting twice gives the same bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chalicelib.runtime import load_interpreter
from chalicelib.settings import MODELS
from convert import mtcnn

NETWORKS = ("pnet", "rnet", "onet")


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A folder of fresh files, and how far each network is from the package's."""
    folder = tmp_path_factory.mktemp("mtcnn") / "made" / "when" / "missing"
    return folder, mtcnn.convert_mtcnn(folder)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_converted_network_answers_as_the_package_does(
    network: str, converted: tuple[Path, dict[str, float]]
) -> None:
    assert 0 < converted[1][network] < 1e-5


def test_converting_again_gives_the_same_bytes(converted: tuple[Path, dict[str, float]], tmp_path: Path) -> None:
    # Layers made in between shift the names that Keras numbers; the files must not carry them.
    mtcnn.build_rnet()
    mtcnn.convert_mtcnn(tmp_path)
    for name in NETWORKS:
        again, before = (folder / f"{name}.tflite" for folder in (tmp_path, converted[0]))
        assert again.read_bytes() == before.read_bytes(), name


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        ("pnet", (1, 12, 12, 3)),
        ("pnet", (1, 37, 80, 3)),
        ("rnet", (1, 24, 24, 3)),
        ("rnet", (7, 24, 24, 3)),
        ("onet", (1, 48, 48, 3)),
        ("onet", (5, 48, 48, 3)),
    ],
)
def test_the_served_files_are_these_networks(
    network: str, shape: tuple[int, ...], converted: tuple[Path, dict[str, float]]
) -> None:
    pixels = np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)
    fresh, served = (_run(folder / f"{network}.tflite", pixels) for folder in (converted[0], MODELS))
    assert fresh.keys() == served.keys()
    for width, output in fresh.items():
        assert np.allclose(output, served[width], atol=1e-5)
    # The two probabilities are of no face and of a face.
    assert np.allclose(fresh[2].sum(axis=-1), 1, atol=1e-5)


def test_a_network_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mtcnn, "TOLERANCE", 1e-12)
    with pytest.raises(ValueError, match=r"pnet must differ by at most 1e-12.*Received"):
        mtcnn.convert_mtcnn(tmp_path)


def test_the_module_costs_no_tensorflow_until_it_is_used() -> None:
    code = "import sys, convert.mtcnn; sys.exit(bool({'tensorflow', 'keras', 'mtcnn'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


def _run(path: Path, pixels: np.ndarray) -> dict[int, np.ndarray]:
    interpreter = load_interpreter(path, shape=pixels.shape)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels)
    interpreter.invoke()
    return {int(d["shape"][-1]): interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()}
