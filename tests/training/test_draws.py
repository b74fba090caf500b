"""What is told of a training's views is told of the very views that it gets."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from chalicelib.detector import normalise
from chalicelib.settings import Settings
from training.batches import FORGED, UNKNOWN, FaceBatches, find_originals
from training.faces import LocatedFace
from training.forgeries.mix import Mix
from training.manifest import Sample, read_manifest
from training.probes import cover

HALF_MADE = Mix(0.25, 0.25)


def make(collection: Path, faces: dict[str, LocatedFace], mix: Mix = HALF_MADE, cells: int = 0) -> FaceBatches:
    samples = read_manifest(collection / "faces.csv")
    options = {"side": 64, "batch_size": 16, "weights": {}, "mix": mix, "settings": Settings(), "seed": 3}
    return FaceBatches(samples, faces, collection, cells=cells, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("mix", [Mix(0.25, 0.25), Mix(0.0), Mix(0.5, 0.25, 0.25)])
def test_the_views_are_those_of_the_batch(collection: Path, faces: dict[str, LocatedFace], mix: Mix) -> None:
    batches = make(collection, faces, mix)
    for step in (0, 5):
        views, labels = batches[step]
        drawn = list(batches.draw(step))
        assert np.array_equal(views, normalise(np.stack([view.view for view in drawn])))
        assert labels[:, 0].tolist() == [view.label for view in drawn]
        assert sum(view.made for view in drawn) == 2 * round(8 * mix.total)


def test_both_halves_of_a_pair_are_of_one_photo_and_the_rest_has_its_own_label(
    collection: Path, faces: dict[str, LocatedFace]
) -> None:
    draws = make(collection, faces)
    drawn = list(draws.draw(0))
    made = [view for view in drawn if view.made]
    for real, fake in zip(made[::2], made[1::2], strict=True):
        assert (real.label, fake.label) == (0, 1)
        assert real.sample == fake.sample
        assert real.sample.label == 0
    assert all(view.label == view.sample.label for view in drawn if not view.made)


def test_what_is_altered_is_drawn_no_differently(collection: Path, faces: dict[str, LocatedFace]) -> None:
    draws = make(collection, faces)
    plain, covered = list(draws.draw(2)), list(draws.draw(2, cover))
    assert [(view.sample, view.label) for view in plain] == [(view.sample, view.label) for view in covered]
    assert all(not np.array_equal(one.view, other.view) for one, other in zip(plain, covered, strict=True))
    # With all of a picture altered in the same way, nothing but the draw of its degradation is left.
    dark = list(draws.draw(2, lambda pixels, box: np.zeros_like(pixels)))
    made = [view.view for view in dark if view.made]
    assert all(np.array_equal(real, fake) for real, fake in zip(made[::2], made[1::2], strict=True))


def test_cells_are_taught_where_a_pair_was_forged_and_nowhere_else(
    collection: Path, faces: dict[str, LocatedFace]
) -> None:
    draws = make(collection, faces, Mix(0.5), cells=4)
    targets = draws[2][1]
    assert targets.shape == (16, 1 + 16)
    for drawn, (label, *cells) in zip(draws.draw(2), targets, strict=True):
        assert label == drawn.label
        if not label:
            assert not any(cells)
        elif not drawn.made:
            assert set(cells) == {UNKNOWN}
        else:
            assert drawn.mask is not None
            assert 0 <= min(cells) < 0.5 < max(cells) < 1.001
            assert np.mean(cells) == pytest.approx((drawn.mask > FORGED * drawn.mask.max()).mean(), abs=0.01)


def test_the_mask_lies_in_the_view_as_the_forgery_does(collection: Path, faces: dict[str, LocatedFace]) -> None:
    draws = make(collection, faces, Mix(0.0, 0.0, 1.0))
    drawn = [view for step in range(4) for view in draws.draw(step)]
    agreeing = []
    for real, fake in zip(drawn[::2], drawn[1::2], strict=True):
        assert fake.mask is not None
        changed = np.abs(real.view.astype(float) - fake.view).mean(axis=2)
        mask = cv2.resize(fake.mask, changed.shape) > 0.5
        if mask.any() and changed.max() > 8:
            agreeing.append(changed[mask].mean() > changed[~mask].mean())
    assert len(agreeing) > 5
    assert np.mean(agreeing) > 0.9


def test_a_teacher_is_asked_about_whole_faces_of_the_sources_it_knows(
    collection: Path, faces: dict[str, LocatedFace]
) -> None:
    samples = read_manifest(collection / "faces.csv")
    known = samples[0].source
    options = {"side": 64, "batch_size": 16, "weights": {}, "mix": HALF_MADE, "settings": Settings(), "seed": 3}
    batches = FaceBatches(samples, faces, collection, native=0.5, taught=(known,), **options)  # type: ignore[arg-type]
    asked, shown = set(), set()
    for step in range(6):
        _, targets = batches[step]
        for view, flag in zip(batches.draw(step), targets[:, -1], strict=True):
            assert flag == (view.sample.source == known and not view.native)
            asked.add(flag)
            shown.add(view.native)
    assert asked == shown == {0, 1}


def test_a_fake_and_the_photo_that_it_was_made_of_go_through_the_same(tmp_path: Path) -> None:
    """Both pictures are one and the same here, so that whatever is drawn for them must be equal too."""
    pixels = np.random.default_rng(0).integers(0, 256, (120, 120, 3), np.uint8)
    rows = ["path,label,source,group"]
    for number in range(6):
        for label in ("real", "fake"):
            cv2.imwrite(str(tmp_path / f"{label}{number}.png"), np.roll(pixels, 9 * number, 0))
            rows.append(f"{label}{number}.png,{label},{label}s,pair {number}")
    (tmp_path / "faces.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    samples = read_manifest(tmp_path / "faces.csv")
    face = LocatedFace((30.0, 30.0, 60.0, 60.0), ((45, 50), (75, 50), (60, 65), (48, 78), (72, 78)))
    batches = FaceBatches(
        samples,
        {sample.path: face for sample in samples},
        tmp_path,
        side=48,
        batch_size=8,
        weights={},
        mix=Mix(0.0),
        settings=Settings(),
        seed=0,
        native=0.5,
    )
    drawn = [view for step in range(8) for view in batches.draw(step)]
    assert {view.native for view in drawn} == {False, True}
    for real, fake in zip(drawn[::2], drawn[1::2], strict=True):
        assert (real.label, fake.label) == (0, 1)
        assert real.sample.group == fake.sample.group
        assert np.array_equal(real.view, fake.view)


def test_whose_original_is_not_sure_has_none() -> None:
    rows = [(0, "a"), (1, "a"), (1, "a"), (0, "b"), (0, "b"), (1, "b"), (1, "c"), (0, "d")]
    samples = [Sample(f"{i}.png", label, "some", "", group) for i, (label, group) in enumerate(rows)]
    assert find_originals(samples) == {1: 0, 2: 0}


def test_an_original_that_the_manifest_states_counts_before_the_group() -> None:
    rows = [(0, ""), (0, ""), (1, "1.png"), (1, "gone.png"), (1, "")]
    samples = [Sample(f"{i}.png", label, "some", "", "one", original=stated) for i, (label, stated) in enumerate(rows)]
    assert find_originals(samples) == {2: 1}


def test_halves_of_two_sizes_are_framed_and_degraded_alike(tmp_path: Path) -> None:
    """The fake is the original with a margin round it: each is framed round its own face, which is the same."""
    rng = np.random.default_rng(0)
    rows = ["path,label,source,group,original"]
    faces = {}
    points = ((45, 50), (75, 50), (60, 65), (48, 78), (72, 78))
    for number in range(4):
        pixels = cv2.GaussianBlur(rng.integers(0, 256, (200, 200, 3), np.uint8), (0, 0), 3)
        cv2.imwrite(str(tmp_path / f"real{number}.png"), pixels)
        cv2.imwrite(str(tmp_path / f"fake{number}.png"), np.pad(pixels, ((20, 20), (20, 20), (0, 0))))
        rows += [f"real{number}.png,real,reals,all,", f"fake{number}.png,fake,fakes,all,real{number}.png"]
        for name, shift in (("real", 40), ("fake", 60)):
            moved = tuple((x + shift, y + shift) for x, y in points)
            faces[f"{name}{number}.png"] = LocatedFace((30.0 + shift, 30.0 + shift, 60.0, 60.0), moved)
    (tmp_path / "faces.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    batches = FaceBatches(
        read_manifest(tmp_path / "faces.csv"),
        faces,
        tmp_path,
        side=48,
        batch_size=8,
        weights={},
        mix=Mix(0.0),
        settings=Settings(),
        seed=0,
    )
    drawn = [view for step in range(4) for view in batches.draw(step)]
    for real, fake in zip(drawn[::2], drawn[1::2], strict=True):
        assert fake.sample.original == real.sample.path
        assert np.array_equal(real.view, fake.view)
