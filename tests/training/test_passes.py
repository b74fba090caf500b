"""A pass shows every picture once, weighs both classes the same, and is the same whoever makes it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chalicelib.detector import normalise
from chalicelib.settings import Settings
from training.crops import load_crops
from training.faces import LocatedFace
from training.manifest import Sample, read_manifest
from training.passes import PassBatches

SETTINGS = Settings()


def make_passes(
    collection: Path, faces: dict[str, LocatedFace], samples: list[Sample] | None = None, **changes: object
) -> PassBatches:
    options = {"side": 32, "batch_size": 12, "augmentation": "geometry", "settings": SETTINGS, "seed": 0, **changes}
    return PassBatches(samples or read_manifest(collection / "faces.csv"), faces, collection, **options)  # type: ignore[arg-type]


def test_a_pass_shows_every_picture_once_as_serving_would_crop_it(
    collection: Path, faces: dict[str, LocatedFace]
) -> None:
    samples = read_manifest(collection / "faces.csv")
    batches = make_passes(collection, faces, augmentation="none")
    assert batches.steps == 4
    for epoch in range(2):
        parts = [batches[epoch * 4 + place][:2] for place in range(4)]
        assert [len(labels) for _, labels in parts] == [10, 10, 10, 10]
        seen = {
            (view.tobytes(), float(label))
            for views, labels in parts
            for view, label in zip(views, labels[:, 0], strict=True)
        }
        crops, kept = load_crops(samples, faces, collection, 32, SETTINGS)
        assert seen == {(normalise(crop).tobytes(), float(s.label)) for crop, s in zip(crops, kept, strict=True)}


@pytest.mark.parametrize("augmentation", ["none", "flip", "geometry"])
@pytest.mark.parametrize("budget", [0, 20_000, 2**30])
def test_a_pass_is_the_same_whoever_makes_it_and_whatever_is_held(
    collection: Path, faces: dict[str, LocatedFace], augmentation: str, budget: int
) -> None:
    whole = make_passes(collection, faces, augmentation=augmentation)
    resumed = make_passes(collection, faces, augmentation=augmentation, first_epoch=2, budget=budget)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(resumed.__getitem__, [3, 2, 1, 0, 1, 2]))
    for place, (views, labels, _) in zip([3, 2, 1, 0, 1, 2], made, strict=True):
        assert np.array_equal(views, whole[8 + place][0])
        assert np.array_equal(labels, whole[8 + place][1])
    assert not np.array_equal(whole[0][1], whole[4][1])


def test_a_class_that_is_rarer_weighs_more(collection: Path, faces: dict[str, LocatedFace]) -> None:
    samples = read_manifest(collection / "faces.csv")
    fewer = [sample for index, sample in enumerate(samples) if sample.label == 0 or index < 10]
    batches = make_passes(collection, faces, fewer, batch_size=25)
    assert batches.weigh_classes() == {0: 25 / 40, 1: 25 / 10}
    _, labels, weights = batches[0]
    assert np.array_equal(weights, np.where(labels[:, 0] == 1, 25 / 10, 25 / 40).astype(np.float32))


def test_a_picture_weighs_what_the_manifest_says_and_both_classes_the_same(
    collection: Path, faces: dict[str, LocatedFace]
) -> None:
    samples = read_manifest(collection / "faces.csv")
    heavy = [replace(sample, weight=3.0 if index == 0 else 1.0) for index, sample in enumerate(samples)]
    _, labels, weights = make_passes(collection, faces, heavy, batch_size=len(heavy))[0]
    masses = [weights[labels[:, 0] == label].sum() for label in (0, 1)]
    assert masses == pytest.approx([len(heavy) / 2] * 2, rel=1e-5)
    own = weights[labels[:, 0] == heavy[0].label]
    assert sorted(own / own.min())[-2:] == pytest.approx([1, 3], rel=1e-5)


def test_a_pass_needs_both_classes(collection: Path, faces: dict[str, LocatedFace]) -> None:
    with pytest.raises(ValueError, match="no fake picture"):
        make_passes(collection, faces, [s for s in read_manifest(collection / "faces.csv") if not s.label])


def test_a_picture_that_is_gone_is_named(collection: Path, faces: dict[str, LocatedFace], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"(real|fake)/\d\d\.png had a face and cannot be read"):
        PassBatches(
            read_manifest(collection / "faces.csv"),
            faces,
            tmp_path,
            side=32,
            batch_size=4,
            augmentation="none",
            settings=SETTINGS,
            seed=0,
        )[0]
