"""Batches are half fake, balanced over sources, and the same whenever they are drawn."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from chalicelib.detector import normalise
from chalicelib.faces import crop_face
from chalicelib.images import decode
from chalicelib.settings import Settings
from training.batches import FaceBatches, PassBatches, load_crops
from training.faces import LocatedFace, locate_faces
from training.manifest import Sample, read_manifest

SETTINGS = Settings()


@pytest.fixture(scope="module")
def faces(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, LocatedFace]:
    cache = tmp_path_factory.mktemp("faces") / "faces_found.csv"
    return locate_faces(read_manifest(collection / "faces.csv"), collection, cache, SETTINGS)


def make(
    collection: Path, faces: dict[str, LocatedFace], samples: list[Sample] | None = None, **changes: object
) -> FaceBatches:
    options = {
        "side": 64,
        "batch_size": 8,
        "weights": {},
        "self_blended": 0.5,
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
        parts = [batches[epoch * 4 + place] for place in range(4)]
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
    for place, (views, labels) in zip([3, 2, 1, 0, 1, 2], made, strict=True):
        assert np.array_equal(views, whole[8 + place][0])
        assert np.array_equal(labels, whole[8 + place][1])
    assert not np.array_equal(whole[0][1], whole[4][1])


def test_a_draw_is_the_same_whatever_is_held(collection: Path, faces: dict[str, LocatedFace]) -> None:
    held, read = make(collection, faces), make(collection, faces, budget=0)
    for step in (0, 1, 0):
        assert np.array_equal(held[step][0], read[step][0])


def test_a_class_that_is_rarer_weighs_more(collection: Path, faces: dict[str, LocatedFace]) -> None:
    samples = read_manifest(collection / "faces.csv")
    fewer = [sample for index, sample in enumerate(samples) if sample.label == 0 or index < 10]
    assert make_passes(collection, faces, fewer).weigh_classes() == {0: 25 / 40, 1: 25 / 10}


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
