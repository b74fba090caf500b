"""What a network is shown of a face, and how its answers become one."""

from __future__ import annotations

import numpy as np
import pytest

from chalicelib.errors import ModelUnavailable
from chalicelib.face_views import FaceViews, ViewRule, cut_views, join_logits, lay_maps, score_views
from chalicelib.faces import crop_face

SIDE = 32
RULE = ViewRule(places=((0.5, 0.4), (0.5, 0.7)), weight=0.6)


def picture(side: int) -> np.ndarray:
    return np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)


@pytest.mark.parametrize(
    ("face", "squares"),
    [(16, 0), (22, 0), (24, 1), (29, 1), (30, 2), (60, 2)],
    ids=["smaller", "about as large", "just larger", "larger", "one and a half times", "much larger"],
)
def test_only_a_large_face_has_squares(face: int, squares: int) -> None:
    """The square round a face is 1.6 times its box: from 1.15 × 32 px on there is a square, from 1.5 × on two."""
    views = cut_views(picture(200), (70.0, 70.0, face, face), SIDE, RULE)
    assert views.pixels.shape == (1 + squares, SIDE, SIDE, 3)
    assert len(views.squares) == squares


def test_the_first_view_is_the_whole_face_as_ever() -> None:
    pixels, box = picture(200), (60.0, 50.0, 70.0, 80.0)
    assert np.array_equal(cut_views(pixels, box, SIDE, RULE).pixels[0], crop_face(pixels, box, SIDE))


def test_squares_are_the_pictures_own_pixels_where_the_rule_says() -> None:
    pixels = picture(200)
    views = cut_views(pixels, (50.0, 50.0, 50.0, 50.0), SIDE, RULE)
    # The whole face is the square of 80 px at 35, 35; its places .5, .4 and .5, .7 are at 75, 67 and 75, 91.
    for view, (x, y), told in zip(views.pixels[1:], ((59, 51), (59, 75)), views.squares, strict=True):
        assert np.array_equal(view, pixels[y : y + SIDE, x : x + SIDE])
        assert told == pytest.approx(((x - 35) / 80, (y - 35) / 80, SIDE / 80))


def test_squares_stay_inside_the_face_region() -> None:
    corners = ViewRule(places=((0.0, 0.0), (1.0, 1.0)), weight=0.5)
    views = cut_views(picture(200), (50.0, 50.0, 50.0, 50.0), SIDE, corners)
    assert views.squares[0][:2] == (0, 0)
    assert views.squares[1] == pytest.approx((1 - SIDE / 80, 1 - SIDE / 80, SIDE / 80))


def test_a_huge_face_is_shrunk_before_squares_are_cut() -> None:
    views = cut_views(picture(1400), (100.0, 100.0, 800.0, 800.0), 224, RULE)
    assert [square[2] for square in views.squares] == pytest.approx([224 / 640] * 2)


class Answers:
    """Gives each view its own mean as logit and map."""

    def score(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits = crops.mean(axis=(1, 2, 3)).astype(np.float32)
        return logits, np.tile(logits[:, None, None], (1, 4, 4))


def flat(*levels: int) -> np.ndarray:
    return np.stack([np.full((SIDE, SIDE, 3), level, np.uint8) for level in levels])


def test_views_become_one_logit_by_the_rule() -> None:
    rule = ViewRule(RULE.places, weight=0.75, scale=2.0, bias=-1.0)
    faces = [FaceViews(flat(7)), FaceViews(flat(4, 8, 12), ((0.0, 0.0, 0.5), (0.5, 0.5, 0.5))), FaceViews(flat(9))]
    logits, maps = score_views(Answers(), faces, rule)
    # 2 · (.25 · 4 + .75 · 10) − 1; faces without squares keep the network's own word.
    assert logits.tolist() == pytest.approx([7, 16, 9])
    assert join_logits(4, [8, 12], rule) == pytest.approx(16)
    assert maps[0].tolist() == np.full((4, 4), 7.0).tolist()
    assert maps[1][0, 0] == pytest.approx(2 * (0.25 * 4 + 0.75 * 8) - 1)
    assert maps[1][3, 3] == pytest.approx(2 * (0.25 * 4 + 0.75 * 12) - 1)
    # No square shows that corner.
    assert maps[1][0, 3] == pytest.approx(2 * 4 - 1)


def test_maps_lie_where_their_squares_lie() -> None:
    bright = np.zeros((4, 4), np.float32)
    bright[0, 0] = 1
    seen, covered = lay_maps(np.stack([bright]), [(0.5, 0.25, 0.5)], (8, 8))
    assert np.unravel_index(seen.argmax(), seen.shape) == (2, 4)
    assert covered[2:6, 4:8].min() == 1
    assert covered[7].max() == 0


def test_a_card_without_a_rule_is_of_whole_faces() -> None:
    assert ViewRule.from_card({}) == ViewRule()
    assert cut_views(picture(200), (50.0, 50.0, 100.0, 100.0), SIDE, ViewRule()).squares == ()


def test_a_rule_comes_back_from_a_card() -> None:
    stated = {"places": [[0.5, 0.4], [0.5, 0.7]], "weight": 0.6, "scale": 1.0, "bias": 0.0}
    assert ViewRule.from_card({"views": stated}) == RULE


@pytest.mark.parametrize(
    "views",
    [
        {},
        [],
        {"places": [[0.5]], "weight": 0.5, "scale": 1, "bias": 0},
        {"places": [[0.5, 2]], "weight": 0.5, "scale": 1, "bias": 0},
        {"places": [], "weight": 2, "scale": 1, "bias": 0},
        {"places": [], "weight": 0.5, "scale": 0, "bias": 0},
        {"places": [], "weight": 0.5, "scale": 1, "bias": "nan"},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(views: object) -> None:
    with pytest.raises(ModelUnavailable, match="rule of views"):
        ViewRule.from_card({"views": views})
