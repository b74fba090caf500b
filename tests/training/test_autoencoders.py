"""Small auto-encoders of every kind learn to give photos back, and are kept in folders."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from training import autoencoding
from training.autoencoding import measure_edges, measure_quality
from training.commands import autoencoders as command
from training.forgeries.remakers import Remakers
from training.networks.autoencoders import CARD, LATENTS, WAYS, build_autoencoder, load_autoencoder
from training.networks.pixel_shuffle import PixelShuffle


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command.autoencoders, [str(argument) for argument in arguments])


def test_the_command_offers_what_there_is() -> None:
    assert command.WAYS == WAYS
    assert [int(factor) for factor in command.FACTORS] == list(LATENTS)
    assert command.LOSSES == autoencoding.LOSSES


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("factor", LATENTS)
def test_a_picture_of_any_size_goes_there_and_back(portrait: np.ndarray, way: str, factor: int) -> None:
    photo = portrait[60:101, 150:183]
    codec = build_autoencoder(way, factor, width=4)
    latents = codec.encode(photo)
    assert latents.shape == (-(-41 // factor), -(-33 // factor), LATENTS[factor])
    back = codec.decode(latents, photo.shape)
    assert back.shape == photo.shape
    assert 0 <= back.min() <= back.max() <= 255
    assert codec.name == f"{way}-x{factor}"


def test_channels_become_pixels_block_by_block() -> None:
    maps = np.arange(2 * 3 * 8, dtype=np.float32).reshape(1, 2, 3, 8)
    large = keras.ops.convert_to_numpy(PixelShuffle(2)(maps))
    assert large.shape == (1, 4, 6, 2)
    for row, column in np.ndindex(2, 3):
        block = large[0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        assert np.array_equal(block.reshape(-1), maps[0, row, column])


def test_edges_cost_more_than_their_pixels() -> None:
    flat = np.zeros((1, 8, 8, 3), np.float32)
    shifted, stepped = flat + 0.5, flat.copy()
    stepped[:, :, ::2] = 1
    assert float(measure_edges(flat, shifted)) == pytest.approx(0.5)
    assert float(measure_edges(flat, stepped)) == pytest.approx(1.5)


def test_training_brings_the_photos_nearer_and_what_is_there_stays(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autoencoding, "BATCH", 4)
    monkeypatch.setattr(autoencoding, "HELD", 2)
    arguments = ("--faces", collection / "faces.csv", "--out", tmp_path, "--way", "shuffle", "--factor", "4")
    assert run(*arguments, "--steps", 1, "--loss", "mse").exit_code == 0
    result = run(*arguments, "--steps", 40)
    assert result.exit_code == 0, result.output
    assert "shuffle-x4-mae: 40 of 40 steps done" in result.output
    assert str(tmp_path / "shuffle-x4-mae") in result.output
    photos = [np.asarray(Image.open(path).convert("RGB"))[:96, :96] for path in sorted(collection.rglob("*.png"))[:2]]
    early, late = (
        measure_quality(load_autoencoder(tmp_path / name), photos) for name in ("shuffle-x4-mse", "shuffle-x4-mae")
    )
    assert late > early + 2
    card = json.loads((tmp_path / "shuffle-x4-mae" / CARD).read_text())
    assert (card["name"], card["factor"], card["steps"]) == ("shuffle-x4-mae", 4, 40)
    written = (tmp_path / "shuffle-x4-mae" / CARD).stat().st_mtime_ns
    assert run(*arguments, "--steps", 1).exit_code == 0
    assert (tmp_path / "shuffle-x4-mae" / CARD).stat().st_mtime_ns == written
    drawn = Remakers((str(tmp_path / "shuffle-x4-mae"),)).draw_codec(np.random.default_rng(0))
    assert drawn.name == "shuffle-x4-mae"


def test_what_cannot_be_trained_or_read_is_said(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "small.png")
    with (tmp_path / "faces.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label", "split"], ["small.png", "real", "train"]])
    result = run("--faces", tmp_path / "faces.csv", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "None of 1 real photos" in result.output
    (tmp_path / CARD).write_text("{")
    with pytest.raises(ValueError, match="holds no auto-encoder"):
        load_autoencoder(tmp_path)
    with pytest.raises(ValueError, match="'bilinear'"):
        build_autoencoder("bilinear", 4)
