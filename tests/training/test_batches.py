"""Batches are half fake, balanced over sources, and the same whenever they are drawn."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chalicelib.faces import crop_face
from chalicelib.images import decode
from chalicelib.settings import Settings
from training.batches import FaceBatches
from training.crops import load_crops
from training.faces import LocatedFace
from training.forgeries.mix import Mix
from training.manifest import Sample, read_manifest

SETTINGS = Settings()


def make(
    collection: Path, faces: dict[str, LocatedFace], samples: list[Sample] | None = None, **changes: object
) -> FaceBatches:
    options = {
        "side": 64,
        "batch_size": 8,
        "weights": {},
        "mix": Mix(0.5),
        "settings": SETTINGS,
        "seed": 0,
        **changes,
    }
    return FaceBatches(samples or read_manifest(collection / "faces.csv"), faces, collection, **options)  # type: ignore[arg-type]


def test_a_batch_is_half_fake_and_in_the_networks_range(collection: Path, faces: dict[str, LocatedFace]) -> None:
    views, labels = make(collection, faces)[0]
    assert views.shape == (8, 64, 64, 3)
    assert views.dtype == np.float32
    assert -1 <= views.min() < -0.2 < 0.2 < views.max() <= 1
    assert labels.shape == (8, 1)
    assert labels.sum() == 4


def test_a_later_start_draws_what_an_uninterrupted_one_would_have_drawn(
    collection: Path, faces: dict[str, LocatedFace]
) -> None:
    whole, resumed = make(collection, faces), make(collection, faces, first_step=5)
    assert np.array_equal(whole[7][0], resumed[2][0])
    assert not np.array_equal(whole[2][0], resumed[2][0])


def test_a_weight_draws_a_source_more_often(collection: Path, faces: dict[str, LocatedFace]) -> None:
    samples = read_manifest(collection / "faces.csv")
    for weights, share in (({}, 1 / 2), ({"studio": 3.0}, 3 / 4), ({"studio/fake": 3.0}, 3 / 4)):
        indices, odds = make(collection, faces, weights=weights)._classes[1]
        drawn = Counter[str]()
        for index, chance in zip(indices, odds, strict=True):
            drawn[samples[index].source] += chance
        assert drawn["studio"] == pytest.approx(share)


def test_a_picture_is_drawn_as_often_as_its_own_weight_says(collection: Path, faces: dict[str, LocatedFace]) -> None:
    samples = read_manifest(collection / "faces.csv")
    place = next(i for i, sample in enumerate(samples) if sample.label)
    heavy = [replace(sample, weight=3.0 if i == place else 1.0) for i, sample in enumerate(samples)]
    odds = make(collection, faces, heavy)._classes[1][1]
    own = [odds[i] for i, sample in enumerate(s for s in samples if s.label) if sample.source == samples[place].source]
    assert own[0] == pytest.approx(3 * own[1])
    assert odds.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"batch_size": 7}, "even"), ({"weights": {"stduio": 2.0}}, "stduio"), ({"keep": 0}, "no fake picture")],
)
def test_what_cannot_be_drawn_from_is_refused(
    collection: Path, faces: dict[str, LocatedFace], changes: dict[str, object], says: str
) -> None:
    keep = changes.pop("keep", None)
    samples = [s for s in read_manifest(collection / "faces.csv") if keep is None or s.label == keep]
    with pytest.raises(ValueError, match=says):
        make(collection, faces, samples, **changes)


def test_validation_crops_are_those_that_serving_makes(collection: Path, faces: dict[str, LocatedFace]) -> None:
    samples = read_manifest(collection / "faces.csv")[:3]
    extra = Sample("real/none.png", 0, "street", "", "nobody")
    crops, kept = load_crops([*samples, extra], faces, collection, 160, SETTINGS)
    assert kept == samples
    for crop, sample in zip(crops, kept, strict=True):
        pixels = decode((collection / sample.path).read_bytes(), SETTINGS).pixels
        assert np.array_equal(crop, crop_face(pixels, faces[sample.path].box, 160))


def test_a_draw_is_the_same_whatever_is_held(collection: Path, faces: dict[str, LocatedFace]) -> None:
    held, read = make(collection, faces), make(collection, faces, budget=0)
    for step in (0, 1, 0):
        assert np.array_equal(held[step][0], read[step][0])
