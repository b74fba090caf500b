"""Training of small auto-encoders on real photos, whose decoders then leave their traces in forgeries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from keras import ops

from chalicelib.errors import UnmaskError
from chalicelib.images import decode
from chalicelib.settings import Settings
from training.datasets.pace import Pace
from training.manifest import Sample
from training.networks.autoencoders import CARD, AutoEncoder, build_autoencoder, save_autoencoder
from training.splits import limit_by_class, split_by_group

# What the distance from the photo is measured by: the mean absolute error of pixels, the mean squared one, which
# smears, or the first with that of differences between neighbours, which keeps edges.
LOSSES = ("mae", "mse", "edges")
# Photos that patches are cut from, and how many of them are kept back to measure by.
PHOTOS = 2000
HELD = 32
SIDE = 64
BATCH = 16
RATE = 2e-3


class NoPhotos(ValueError):
    """There is nothing to train on; the message says why."""


def train_autoencoders(
    kinds: Sequence[tuple[str, int]],
    samples: Sequence[Sample],
    root: Path,
    out: Path,
    *,
    loss: str,
    steps: int,
    seed: int,
    settings: Settings,
    report: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Train auto-encoders one after the other, passing over those that are there.

    Args:
        kinds: the way up and the factor of each, see `training.networks.autoencoders`.
        samples: a manifest; real photos of its training part are used.
        root: the folder that its paths start from.
        out: the folder that each gets a folder in.
        loss: one of `LOSSES`.
        steps: batches of patches that each is trained by.
        seed: fixes the split, where the manifest states none, and every draw.
        settings: limits of decoding.
        report: receives lines of progress.

    Returns:
        The folder of each, in the order of `kinds`.

    Raises:
        NoPhotos: no real photo is large enough.
        ValueError: a kind or a loss is unknown, or the manifest states a split that does not hold.
        WriteFailed: the disk is full, or the folder cannot be written to.
    """
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}. Received: {loss!r}")
    codecs = [build_autoencoder(way, factor) for way, factor in kinds]
    folders = [out / f"{codec.name}-{loss}" for codec in codecs]
    if all((folder / CARD).is_file() for folder in folders):
        return folders
    photos = _open_photos(samples, root, seed, settings)
    for folder, (way, factor) in zip(folders, kinds, strict=True):
        if (folder / CARD).is_file():
            report(f"{folder.name} is there already")
            continue
        keras.utils.set_random_seed(seed)
        codec = replace(build_autoencoder(way, factor), name=folder.name)
        _fit(codec, photos[HELD:] or photos, loss, steps, seed, report)
        quality = measure_quality(codec, photos[:HELD])
        about = {"way": way, "loss": loss, "steps": steps, "seed": seed, "psnr": round(quality, 2)}
        save_autoencoder(codec, folder, about)
        report(f"{folder.name}: {quality:.1f} dB on photos that it has not seen")
    return folders


def measure_quality(codec: AutoEncoder, photos: Sequence[np.ndarray]) -> float:
    """Return the mean peak signal-to-noise ratio, dB, of photos uint8 RGB [H, W, 3] that went there and back."""
    errors = [((codec.decode(codec.encode(photo), photo.shape) - photo) ** 2).mean() for photo in photos]
    return float(np.mean([10 * np.log10(255**2 / max(float(error), 1e-9)) for error in errors]))


def _open_photos(samples: Sequence[Sample], root: Path, seed: int, settings: Settings) -> list[np.ndarray]:
    """Return real photos of the training part, at least `SIDE` px a side; every source gives alike."""
    part = [sample for sample in split_by_group(samples, seed)["train"] if not sample.label]
    photos = []
    for sample in limit_by_class(part, PHOTOS, seed):
        try:
            pixels = decode((root / sample.path).read_bytes(), settings).pixels
        except (OSError, UnmaskError):
            # Damaged: another photo will do.
            continue
        if min(pixels.shape[:2]) >= SIDE:
            photos.append(pixels)
    if not photos:
        raise NoPhotos(f"None of {len(part)} real photos of the training part is at least {SIDE} px a side.")
    rng = np.random.default_rng(seed)
    return [photos[i] for i in rng.permutation(len(photos))]


def _fit(
    codec: AutoEncoder, photos: Sequence[np.ndarray], loss: str, steps: int, seed: int, report: Callable[[str], None]
) -> None:
    """Teach an auto-encoder to give patches of photos back."""
    pixels = keras.Input((SIDE, SIDE, 3))
    network = keras.Model(pixels, codec.decoder(codec.encoder(pixels)))
    rate = keras.optimizers.schedules.CosineDecay(RATE, steps, alpha=0.01)
    network.compile(keras.optimizers.Adam(rate), {"mae": "mae", "mse": "mse", "edges": measure_edges}[loss])
    rng, pace = np.random.default_rng(seed), Pace(steps, 0, lambda line: report(f"{codec.name}: {line}"), what="steps")
    for step in range(1, steps + 1):
        batch = np.stack([_cut_patch(photos[int(rng.integers(len(photos)))], rng) for _ in range(BATCH)])
        network.train_on_batch(batch, batch)
        pace.tell(step)


def measure_edges(photos: keras.KerasTensor, remade: keras.KerasTensor) -> keras.KerasTensor:
    """Return the mean absolute error of pixels and of the differences between neighbours, of [N, H, W, 3]."""
    error = photos - remade
    across, down = error[:, :, 1:] - error[:, :, :-1], error[:, 1:] - error[:, :-1]
    return ops.mean(ops.abs(error)) + ops.mean(ops.abs(across)) + ops.mean(ops.abs(down))


def _cut_patch(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut a square from a random place, mirrored every other time, float32 [SIDE, SIDE, 3] in [0, 1]."""
    top, left = (int(rng.integers(length - SIDE + 1)) for length in pixels.shape[:2])
    patch = pixels[top : top + SIDE, left : left + SIDE]
    return (patch[:, ::-1] if rng.random() < 0.5 else patch).astype(np.float32) / 255
