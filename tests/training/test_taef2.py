"""TAEF2 reads what PyTorch wrote, answers as PyTorch does, and gives a photo back as it was, nearly."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.networks.autoencoders import AutoEncoder
from training.networks.taef2 import WEIGHTS, load_taef2
from training.networks.torch_files import read_state_dict


@pytest.fixture(scope="module")
def codec() -> AutoEncoder:
    return load_taef2()


def psnr(picture: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / ((picture.astype(float) - other) ** 2).mean()))


@pytest.mark.parametrize("shape", [(128, 128), (101, 83)])
def test_a_photo_comes_back_nearly_as_it_was(codec: AutoEncoder, portrait: np.ndarray, shape: tuple[int, int]) -> None:
    photo = cv2.resize(portrait[40:240, 120:320], shape[::-1], interpolation=cv2.INTER_AREA)
    latents = codec.encode(photo)
    assert latents.shape == (-(-shape[0] // 8), -(-shape[1] // 8), 32)
    back = codec.decode(latents, photo.shape)
    assert back.shape == photo.shape
    assert 0 <= back.min() <= back.max() <= 255
    assert 27 < psnr(back, photo) < 45
    assert np.array_equal(back, codec.decode(codec.encode(photo), photo.shape))


def test_the_tensors_are_those_that_pytorch_reads() -> None:
    torch = pytest.importorskip("torch")
    path = WEIGHTS / "taef2_encoder.pth"
    expected = torch.load(path, weights_only=True)
    tensors = read_state_dict(path)
    assert tensors.keys() == expected.keys()
    for name, values in tensors.items():
        assert values.dtype == np.float32
        assert np.array_equal(values, expected[name].float().numpy()), name


def test_it_answers_as_the_same_network_of_pytorch_does(codec: AutoEncoder, portrait: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    photo = portrait[60:156, 150:230]
    inputs = torch.from_numpy(photo.astype(np.float32) / 255).permute(2, 0, 1)[None]
    with torch.inference_mode():
        latents = run_encoder(torch, torch.load(WEIGHTS / "taef2_encoder.pth", weights_only=True), inputs)
        back = run_decoder(torch, torch.load(WEIGHTS / "taef2_decoder.pth", weights_only=True), latents)
    ours = codec.encode(photo)
    assert np.abs(ours - latents[0].permute(1, 2, 0).numpy()).max() < 1e-3
    assert np.abs(codec.decode(ours, photo.shape) - 255 * back[0].permute(1, 2, 0).numpy()).max() < 0.1


def run_block(torch, tensors, place: int, maps):  # type: ignore[no-untyped-def]
    """One block, written from its description in PyTorch's own functions."""
    functional = torch.nn.functional

    def convolve(name: str, given, **options):  # type: ignore[no-untyped-def]
        bias = tensors.get(f"{place}.{name}.bias")
        return functional.conv2d(
            given, tensors[f"{place}.{name}.weight"].float(), None if bias is None else bias.float(), **options
        )

    if f"{place}.pool.0.weight" in tensors:
        scale, shift = (tensors[f"{place}.pool.1.{part}"].float() for part in ("weight", "bias"))
        wide = functional.group_norm(convolve("pool.0", maps), 4, scale, shift)
        maps = maps + convolve("pool.3", wide.relu())
    inner = convolve("conv.2", convolve("conv.0", maps, padding=1).relu(), padding=1).relu()
    return (maps + convolve("conv.4", inner, padding=1)).relu()


def run_chain(torch, tensors, maps, places, *, stride: int = 1):  # type: ignore[no-untyped-def]
    """The layers of some places one after the other, a plain convolution or a block each."""
    for place in places:
        if f"{place}.weight" in tensors:
            bias = tensors.get(f"{place}.bias")
            maps = torch.nn.functional.conv2d(
                maps,
                tensors[f"{place}.weight"].float(),
                None if bias is None else bias.float(),
                stride=stride if bias is None else 1,
                padding=1,
            )
        else:
            maps = run_block(torch, tensors, place, maps)
    return maps


def run_encoder(torch, tensors, pixels):  # type: ignore[no-untyped-def]
    return run_chain(torch, tensors, pixels, range(15), stride=2)


def run_decoder(torch, tensors, latents):  # type: ignore[no-untyped-def]
    maps = run_chain(torch, tensors, torch.tanh(latents / 3) * 3, [1]).relu()
    maps = run_chain(torch, tensors, maps, (3, 4, 5))
    for places in ((7, 8, 9, 10), (12, 13, 14, 15), (17, 18, 19)):
        maps = maps.repeat_interleave(2, 2).repeat_interleave(2, 3)
        maps = run_chain(torch, tensors, maps, places)
    return maps.clamp(0, 1)


class Harmful:
    """Asks whoever unpickles it to make a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.mkdir, (self.path,)


@pytest.mark.parametrize("kind", ["harmful", "a list", "no zip", "torn"])
def test_a_file_that_is_no_state_dict_is_refused_and_runs_nothing(tmp_path: Path, kind: str) -> None:
    path, made = tmp_path / "file.pth", tmp_path / "made"
    content = {"harmful": pickle.dumps({"0.weight": Harmful(made)}), "a list": pickle.dumps([1]), "torn": b"\x80"}
    if kind == "no zip":
        path.write_bytes(b"no archive")
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("file/data.pkl", content[kind])
    with pytest.raises(ValueError, match="no state dict"):
        read_state_dict(path)
    assert not made.exists()


def test_other_weights_are_refused(tmp_path: Path) -> None:
    for name in ("taef2_encoder.pth", "taef2_decoder.pth"):
        (tmp_path / name).write_bytes((WEIGHTS / "taef2_decoder.pth").read_bytes())
    with pytest.raises(ValueError, match="holds no weights of the layer 0 of taef2_encoder"):
        load_taef2(tmp_path)
    with pytest.raises(OSError, match="missing"):
        load_taef2(tmp_path / "missing")
