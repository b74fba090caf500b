"""Maps are held against masks in the very crops that a model sees; the chance levels are those of geometry."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend import overlays
from chalicelib.face_views import ViewRule
from chalicelib.faces import crop_face
from chalicelib.settings import Settings
from chalicelib.verdicts import Calibration, Calibrations
from training import localisation
from training.contact_sheet import GAP, LINE, TILE
from training.evidence_sheet import draw_examples, outline, tiles, tint
from training.faces import LocatedFace
from training.forgeries.masks import BAND_NAMES
from training.localisation import (
    LocalisationError,
    choose_photos,
    crop_mask,
    describe_maps,
    forge,
    format_localisation,
    inside,
    localise,
    locate,
    meets_aim,
)
from training.manifest import Sample, read_manifest

SETTINGS = Settings()
FACE = LocatedFace((170.0, 60.0, 100.0, 120.0), ((200, 105), (245, 105), (222, 130), (203, 155), (242, 155)))
PHOTO = Sample("portrait.png", 0, "street", "", "her")


def square(side: int, top: int, left: int, size: int) -> np.ndarray:
    """A mask float32 [side, side] of 1 in a square and 0 elsewhere."""
    mask = np.zeros((side, side), np.float32)
    mask[top : top + size, left : left + size] = 1
    return mask


@pytest.mark.parametrize("box", [(60.0, 50.0, 80.0, 100.0), (0.0, 0.0, 60.0, 60.0), (130.0, 120.0, 70.0, 80.0)])
@pytest.mark.parametrize("side", [64, 300])
def test_a_mask_is_cropped_as_the_picture_that_it_lies_on(box: tuple[float, float, float, float], side: int) -> None:
    mask = np.zeros((200, 220), np.float32)
    mask[40:110, 90:150] = 1
    painted = np.repeat((mask * 255).astype(np.uint8)[..., None], 3, axis=2)
    assert crop_mask(mask, box, side).shape == (side, side)
    assert np.allclose(crop_mask(mask, box, side), crop_face(painted, box, side)[..., 0] / 255, atol=1 / 255)


def test_photo_fake_and_mask_of_a_case_lie_on_one_another(portrait: np.ndarray) -> None:
    cases = [forge(portrait, FACE, PHOTO, 160, np.random.default_rng(seed)) for seed in range(24)]
    # Where the altered copy is what is laid over, the fake is the photo itself outside the mask; that is every other.
    laid_over = [case for case in cases if np.array_equal(case.photo[case.mask == 0], case.fake[case.mask == 0])]
    assert 6 <= len(laid_over) <= 18
    for case in cases:
        assert np.array_equal(case.photo, crop_face(portrait, FACE.box, 160))
        assert np.array_equal(case.twin[case.mask == 0], case.fake[case.mask == 0])
        assert not np.array_equal(case.twin[case.mask > 0], case.fake[case.mask > 0])
        assert 0.02 < inside(case.mask).mean() < 0.6
    assert {case.band for case in cases} == set(BAND_NAMES)
    assert {round(case.strength, 5) for case in cases} == {0.25, 0.5, 0.75, 1.0}


def test_the_band_of_a_case_is_the_one_that_its_mask_covers(portrait: np.ndarray) -> None:
    heights: dict[str, list[float]] = {}
    for seed in range(24):
        case = forge(portrait, FACE, PHOTO, 160, np.random.default_rng(seed))
        heights.setdefault(case.band, []).append(float(np.flatnonzero(inside(case.mask).any(axis=1)).mean()))
    assert max(heights["eyes and nose"]) < min(heights["mouth and chin"])


def test_a_perfect_map_scores_one_and_one_at_the_border_nought() -> None:
    mask = square(60, 20, 25, 15)
    perfect = locate(np.where(mask > 0, 3.0, -3.0), mask)
    assert perfect["mass_inside"] == perfect["points_inside"] == 1
    assert perfect["mass"] == pytest.approx(3 * 225 / 3600)
    border = np.full((6, 6), -1.0)
    border[0, 3] = 2.0
    assert locate(border, mask)["mass_inside"] == locate(border, mask)["points_inside"] == 0


def test_an_even_map_scores_the_share_of_the_square_that_the_mask_takes() -> None:
    mask = square(60, 20, 25, 15)
    even = locate(np.full((5, 5), 0.7), mask)
    assert even["mass_inside"] == pytest.approx(even["area"]) == 225 / 3600
    assert even["mass_inside_widened"] == pytest.approx(even["area_widened"])
    assert even["centre_inside"] == 1
    assert locate(np.full((5, 5), 0.7), square(60, 0, 0, 15))["centre_inside"] == 0


def test_a_coarse_map_spills_over_and_no_map_without_evidence_is_credited() -> None:
    mask = square(60, 20, 20, 20)
    coarse = locate(np.eye(1, 9, 4).reshape(3, 3), mask)
    assert coarse["mass_inside"] == pytest.approx(coarse["coarse_inside"], abs=1e-6)
    assert 0.4 < coarse["coarse_inside"] < 0.8
    assert coarse["mass_inside"] < coarse["mass_inside_widened"] < 1
    nothing = locate(np.full((3, 3), -2.0), mask)
    assert np.isnan(nothing["mass_inside"])
    assert nothing["mass"] == 0


def test_the_edge_of_a_mask_goes_by_its_own_strength_and_reaches_so_many_pixels_further() -> None:
    faint = 0.25 * square(60, 20, 20, 10)
    faint[0, 0] = 0.02
    assert np.array_equal(inside(faint), square(60, 20, 20, 10) > 0)
    widened = inside(faint, 3.0)
    assert np.flatnonzero(widened.any(axis=0)).tolist() == list(range(17, 33))
    assert not widened[17, 17], "in every direction alike, so the corners are round"


def test_the_middle_of_the_highest_cell_is_what_points() -> None:
    grid = np.zeros((4, 5))
    grid[1, 4] = 1
    # Cell (1, 4) of 4 × 5 over 60 px: rows 15 to 29, columns 48 to 59; its middle is (22, 54).
    assert locate(grid, square(60, 22, 54, 1))["points_inside"] == 1
    assert locate(grid, square(60, 23, 55, 5))["points_inside"] == 0


def test_maps_are_described_by_what_would_be_seen_of_them() -> None:
    cells = np.array([[-3.0, -1.0, 0.0, 0.0], [0.5, -1.0, 5.0, 0.5]])
    assert describe_maps(cells) == {
        "evidence": pytest.approx(1 / 8),
        "positive": pytest.approx(6 / 8),
        "cells_visible": 3 / 8,
        "maps_visible": 0.5,
        "maps_full": 0.5,
        "highest": 2.5,
    }


class Stub:
    """A model whose maps are made of the crops: photo, twin and fake come by turns."""

    side = 64
    calibration = Calibrations.alike(Calibration(2.0, -1.0, 0.4, 0.6))
    views = ViewRule()

    def __init__(self, kind: str = "difference") -> None:
        self.card: dict[str, Any] = {"evidence": kind != "none"}
        self.kind = kind
        self.most = 0

    def score(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.most = max(self.most, len(crops))
        twins, fakes = crops[1::3].astype(np.float32), crops[2::3].astype(np.float32)
        maps = np.full((len(crops), 64, 64), -4.0, np.float32)
        if self.kind == "difference":
            maps[2::3] = np.abs(fakes - twins).sum(axis=3) * 4 - 4
        else:
            maps[2::3, 0] = 4
        return np.tile(np.array([-9, -5, 9], np.float32), len(fakes)), maps


def test_a_model_that_sees_the_forgery_is_told_from_one_that_looks_at_the_rim(
    collection: Path, faces: dict[str, LocatedFace]
) -> None:
    samples = read_manifest(collection / "faces.csv")
    seeing, blind = (
        localise(Stub(kind), samples, faces, collection, SETTINGS, shown=3) for kind in ("difference", "rim")
    )
    assert seeing.figures["pairs"] == blind.figures["pairs"] == 20
    row = seeing.figures["fakes"]["all"]
    assert row["mass_inside"] > 0.9
    assert row["points_inside"] == row["auc"] == row["called_fake"] == row["with_mass"] == 1
    assert row["mass_inside"] <= row["mass_inside_widened"] <= 1
    assert meets_aim(seeing.figures)
    assert blind.figures["fakes"]["all"]["mass_inside"] == blind.figures["fakes"]["all"]["points_inside"] == 0
    assert not meets_aim(blind.figures)
    # A map of −4 all over is −4 / 2 − 1 as it is served.
    for half in ("photo", "twin"):
        maps = seeing.figures["maps"][half]
        assert maps["evidence"] == pytest.approx(-3)
        assert maps["positive"] == maps["maps_visible"] == maps["called_fake"] == 0
    assert seeing.figures["maps"]["fake"]["maps_full"] == 1
    bands = sum(seeing.figures["fakes"][band]["pairs"] for band in BAND_NAMES)
    assert bands == seeing.figures["fakes"]["strong"]["pairs"] <= 20
    assert [example.probabilities for example in seeing.examples] == [(0.0041, 0.0293, 0.9707)] * 3


def test_the_table_says_what_was_measured(collection: Path, faces: dict[str, LocatedFace]) -> None:
    samples = read_manifest(collection / "faces.csv")
    figures = localise(Stub("rim"), samples, faces, collection, SETTINGS, limit=3).figures
    table = format_localisation(figures)
    lines = table.splitlines()
    assert next(line for line in lines if line.startswith("all fakes")).split()[2:6] == ["3", "1.000", "1.000", "0.000"]
    assert all(any(band in line for line in lines) for band in BAND_NAMES)
    assert lines[-1].endswith("not reached")


def test_the_seed_fixes_the_pairs_and_a_photo_is_forged_alike_whatever_goes_beside_it(
    collection: Path, faces: dict[str, LocatedFace]
) -> None:
    samples = read_manifest(collection / "faces.csv")

    def run(**options: int) -> localisation.Localisation:
        return localise(Stub(), samples, faces, collection, SETTINGS, shown=20, **options)

    assert run(limit=6).figures == run(limit=6).figures
    assert run(limit=6).figures["fakes"] != run(limit=6, seed=1).figures["fakes"]
    few, all_of_them = run(limit=6).examples, {e.case.sample.path: e for e in run(limit=0).examples}
    assert len(few) == 6
    assert len(all_of_them) == 20
    for example in few:
        assert np.array_equal(example.case.fake, all_of_them[example.case.sample.path].case.fake)


def test_crops_are_scored_in_batches_of_limited_size(collection: Path, faces: dict[str, LocatedFace]) -> None:
    stub = Stub()
    done: list[tuple[int, int]] = []
    samples = read_manifest(collection / "faces.csv")
    localise(stub, samples, faces, collection, SETTINGS, progress=lambda *at: done.append(at))
    assert stub.most == 30, "ten cases of three make a batch of at most 32"
    assert done == [(n, 20) for n in range(1, 21)]


def test_sources_give_alike_and_only_real_photos_that_a_mask_fits_on_are_chosen(
    collection: Path, faces: dict[str, LocatedFace]
) -> None:
    samples = read_manifest(collection / "faces.csv")
    chosen = choose_photos(samples, faces, 6, 0)
    assert [sample.label for sample in chosen] == [0] * 6
    assert sorted(sample.source for sample in chosen) == ["street"] * 3 + ["studio"] * 3
    far = {
        path: LocatedFace(face.box, tuple((x / 20, y / 20) for x, y in face.landmarks)) for path, face in faces.items()
    }
    assert choose_photos(samples, far, 6, 0) == []


@pytest.mark.parametrize(
    ("kind", "label", "says"), [("none", 0, "makes no maps"), ("rim", 1, "None of the pictures is a real photo")]
)
def test_what_cannot_be_measured_is_refused(
    collection: Path, faces: dict[str, LocatedFace], kind: str, label: int, says: str
) -> None:
    samples = [sample for sample in read_manifest(collection / "faces.csv") if sample.label == label]
    with pytest.raises(LocalisationError, match=says):
        localise(Stub(kind), samples, faces, collection, SETTINGS)


def test_the_scale_is_that_of_the_page_and_of_saved_maps(portrait: np.ndarray) -> None:
    words = (Path(overlays.__file__).parent / "chalicelib" / "page" / "words.js").read_text(encoding="utf-8")
    notable = re.search(r"^const NOTABLE = ([\d.]+);$", words, re.MULTILINE)
    assert notable is not None
    assert localisation.FULL_COLOUR == overlays.FULL_COLOUR
    assert pytest.approx(overlays.FULL_COLOUR * float(notable[1])) == localisation.VISIBLE
    grid = np.random.default_rng(0).normal(0, 3, (5, 5))
    face: Any = {
        "box": [300, 20, 40, 40],
        "verdict": "no_traces",
        "fake_probability": 0.1,
        "evidence": {"grid": grid.tolist(), "box": [0, 0, 512, 512]},
    }
    assert np.array_equal(tint(portrait, grid)[100:], overlays.draw(portrait, [face])[100:])


def test_a_sheet_shows_each_example_with_the_edge_of_its_mask(collection: Path, faces: dict[str, LocatedFace]) -> None:
    samples = read_manifest(collection / "faces.csv")
    examples = localise(Stub(), samples, faces, collection, SETTINGS, limit=4, shown=3).examples
    assert draw_examples(examples, "three").size == (2 * (4 * TILE + GAP) + GAP, 3 * LINE + 2 * (TILE + 2 * LINE + GAP))
    assert draw_examples(examples[:1], "one").size == (4 * TILE + 2 * GAP, 3 * LINE + TILE + 2 * LINE + GAP)
    assert all(tile.shape == (TILE, TILE, 3) and tile.dtype == np.uint8 for tile in tiles(examples[0]))
    drawn = outline(np.full((60, 60, 3), 90, np.uint8), square(60, 20, 20, 20))
    assert (drawn[20, 20:40] == 255).all()
    assert (drawn[25:35, 25:35] == 90).all()
    assert (drawn[:15] == 90).all()
    with pytest.raises(ValueError, match="at least one example"):
        draw_examples([], "none")
