"""A swap lays somebody else's face where the target's was, and touches nothing beside it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.faces import LocatedFace
from training.forgeries import swaps
from training.forgeries.partners import Partners
from training.forgeries.swaps import can_swap, clone, fit_similarity, match_colour, misfit, move, swap
from training.manifest import Sample

# An upright face: eyes 60 px apart, mouth 66 px below them.
POINTS = np.array([[70, 90], [130, 90], [100, 125], [78, 156], [122, 156]], float)


def carry(points: np.ndarray, degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    angle = np.radians(degrees)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ matrix.T + shift


def turn_nose(px: float) -> np.ndarray:
    turned = POINTS.copy()
    turned[2, 0] += px
    return turned


@pytest.fixture(scope="module")
def target(portrait: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(portrait[20:240, 120:320])


@pytest.fixture(scope="module")
def source(target: np.ndarray) -> np.ndarray:
    """Another face, darker and mirrored; its points are the target's."""
    return np.ascontiguousarray((target[:, ::-1] * 0.8).astype(np.uint8))


@pytest.mark.parametrize("degrees", [-40, 0, 15, 180])
@pytest.mark.parametrize("scale", [0.4, 1.0, 2.5])
def test_a_similarity_is_found_again(degrees: float, scale: float) -> None:
    matrix = fit_similarity(POINTS, carry(POINTS, degrees, scale, (31, -7)))
    assert np.hypot(*matrix[:, 0]) == pytest.approx(scale)
    assert carry(POINTS, 0, 1, (0, 0)) @ matrix[:, :2].T + matrix[:, 2] == pytest.approx(
        carry(POINTS, degrees, scale, (31, -7))
    )
    assert misfit(matrix, POINTS, carry(POINTS, degrees, scale, (31, -7))) == pytest.approx(0, abs=1e-9)


def test_no_other_similarity_lies_nearer() -> None:
    rng = np.random.default_rng(0)
    onto = carry(POINTS, 10, 1.2, (5, 5)) + rng.normal(0, 3, (5, 2))
    best = fit_similarity(POINTS, onto)
    for _ in range(200):
        turn, grow = rng.normal(0, 0.02, 2)
        other = best.copy()
        other[:, :2] = best[:, :2] @ np.array([[1 + grow, -turn], [turn, 1 + grow]])
        other[:, 2] += rng.normal(0, 0.5, 2)
        assert misfit(best, POINTS, onto) <= misfit(other, POINTS, onto)


def test_a_mirrored_face_does_not_fit() -> None:
    mirrored = POINTS * (-1, 1) + (200, 0)
    assert misfit(fit_similarity(POINTS, mirrored), POINTS, mirrored) > swaps.MOST_MISFIT


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1), (12, 1.3), (-20, 0.6), (5, 0.4), (90, 2.2)])
def test_the_moved_points_land_on_the_targets(degrees: float, scale: float) -> None:
    source_points = carry(POINTS - POINTS.mean(axis=0), -degrees, 1 / scale, (150, 150))
    matrix = fit_similarity(source_points, POINTS)
    for place, (x, y) in zip(POINTS, source_points.round().astype(int), strict=True):
        dot = np.zeros((300, 300, 3), np.uint8)
        cv2.circle(dot, (int(x), int(y)), max(2, round(3 / scale)), (255, 255, 255), -1)
        weights = move(dot, matrix, (220, 200))[0][..., 0].astype(float)
        rows, columns = np.indices(weights.shape)
        landed = np.array([(columns * weights).sum(), (rows * weights).sum()]) / weights.sum()
        assert np.hypot(*(landed - place)) < 2
        # What is more than that is where the dot was drawn, to a whole px.
        assert np.hypot(*(landed - matrix @ (x, y, 1))) < 0.15


def test_what_the_source_does_not_hold_is_not_valid() -> None:
    moved, valid = move(np.full((40, 40, 3), 200, np.uint8), np.array([[1.0, 0, 30], [0, 1, 30]]), (100, 100))
    assert (moved == 200).all(), "no black border"
    rows, columns = np.nonzero(valid)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (31, 68, 31, 68)


def test_real_and_fake_differ_inside_the_mask_alone(target: np.ndarray, source: np.ndarray) -> None:
    ways = set()
    for seed in range(40):
        pair = swap(target, POINTS, source, POINTS, np.random.default_rng(seed))
        assert pair is not None
        assert pair.real is target
        assert pair.fake.shape == target.shape
        assert pair.mask.dtype == np.float32
        assert 0 <= pair.mask.min() <= pair.mask.max() <= 1 + 1e-6
        assert np.array_equal(pair.real[pair.mask == 0], pair.fake[pair.mask == 0])
        assert (pair.real != pair.fake).any()
        ways.add(pair.about.split(", ")[1])
    assert ways == {"cloned", "blended"}


def test_cloning_can_be_switched_off(target: np.ndarray, source: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swaps, "CLONED", 0.0)
    pairs = [swap(target, POINTS, source, POINTS, np.random.default_rng(seed)) for seed in range(8)]
    assert all(pair and "blended" in pair.about for pair in pairs)


def test_the_same_state_swaps_the_same_pair(target: np.ndarray, source: np.ndarray) -> None:
    once, again, other = (swap(target, POINTS, source, POINTS, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert once and again and other
    assert np.array_equal(once.fake, again.fake)
    assert not np.array_equal(once.fake, other.fake)


def test_the_inputs_are_left_as_they_were(target: np.ndarray, source: np.ndarray) -> None:
    before = target.copy(), source.copy(), POINTS.copy()
    for seed in range(6):
        swap(target, POINTS, source, POINTS, np.random.default_rng(seed))
    for array, copy in zip((target, source, POINTS), before, strict=True):
        assert np.array_equal(array, copy)


@pytest.mark.parametrize(
    ("points", "source_points", "why"),
    [
        (POINTS * 0.1, POINTS, "target too small"),
        (POINTS, POINTS * 0.1, "source too small"),
        (POINTS, np.full((5, 2), np.nan), "no points"),
        (POINTS, POINTS * (-1, 1) + (200, 0), "eyes the wrong way round"),
        (POINTS, POINTS * 0.3, "enlarged more than three times"),
        (POINTS * 0.32, POINTS, "shrunk more than three times"),
        (POINTS, turn_nose(18), "looks away"),
        (POINTS, POINTS * (0.75, 1), "another pose"),
        (POINTS - (90, 0), POINTS, "the target's picture ends inside the mask"),
        (carry(POINTS, 0, 1, (400, 0)), POINTS, "the target lies beside its picture"),
        (POINTS, POINTS - (90, 0), "the source's picture ends inside the mask"),
    ],
)
def test_what_would_not_look_right_is_refused(
    target: np.ndarray, source: np.ndarray, points: np.ndarray, source_points: np.ndarray, why: str
) -> None:
    for seed in range(5):
        assert swap(target, points, source, source_points, np.random.default_rng(seed)) is None, why


def test_a_turned_head_can_be_blended_with_itself_but_not_swapped() -> None:
    assert can_swap(POINTS)
    assert can_swap(carry(POINTS, 70, 1, (200, 0)))
    assert not can_swap(turn_nose(17))


def test_colours_become_the_targets(target: np.ndarray, source: np.ndarray) -> None:
    mask = np.zeros(target.shape[:2], np.float32)
    mask[60:180, 50:150] = 1
    matched = match_colour(source, target, mask)
    inside = mask > 0
    assert np.abs(source[inside].mean(axis=0) - target[inside].mean(axis=0)).max() > 15
    assert np.abs(matched[inside].mean(axis=0) - target[inside].mean(axis=0)).max() < 4
    assert matched[inside].std() == pytest.approx(target[inside].std(), rel=0.15)


def test_a_flat_source_is_not_stretched_into_noise(target: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    flat = (120 + rng.normal(0, 1, target.shape)).astype(np.uint8)
    matched = match_colour(flat, target, np.ones(target.shape[:2], np.float32))
    assert matched.std(axis=(0, 1)).max() < 5


def test_a_clone_of_the_picture_itself_is_the_picture(target: np.ndarray) -> None:
    mask = np.zeros(target.shape[:2], np.float32)
    mask[60:181, 50:150] = 1
    answer = clone(target, target, mask)
    assert answer is not None
    inner, cloned = answer
    assert np.array_equal(inner, mask)
    # Any shift, were it one px, would show along every edge.
    assert np.abs(cloned.astype(int) - target).max() <= 2


def test_a_clone_takes_the_targets_colour_and_keeps_the_sources_detail() -> None:
    target = np.full((100, 100, 3), (150, 120, 100), np.uint8)
    source = np.full((100, 100, 3), (140, 110, 105), np.uint8)
    source[45:55, 45:55] += 40
    mask = np.zeros((100, 100), np.float32)
    mask[20:80, 20:80] = 1
    answer = clone(source, target, mask)
    assert answer is not None
    assert np.abs(answer[1][25:35, 25:35].astype(int) - target[25:35, 25:35]).max() <= 3
    assert np.abs(answer[1][47:53, 47:53].astype(int) - (190, 160, 140)).max() <= 6


def test_a_clone_that_would_stain_is_left() -> None:
    """A dark blue collar along the mask's edge floods the face with blue."""
    target = np.full((100, 100, 3), (200, 160, 140), np.uint8)
    target[60:] = (10, 10, 90)
    mask = np.zeros((100, 100), np.float32)
    mask[20:80, 20:80] = 1
    assert clone(np.full((100, 100, 3), (200, 160, 140), np.uint8), target, mask) is None


def test_a_mask_along_the_rim_is_cut_rather_than_cloned_outside() -> None:
    picture = np.random.default_rng(0).integers(90, 110, (60, 60, 3), np.uint8)
    answer = clone(picture, picture, np.ones((60, 60), np.float32))
    assert answer is not None
    assert answer[0][:2].sum() == answer[0][-2:].sum() == answer[0][:, :2].sum() == answer[0][:, -2:].sum() == 0
    assert answer[0][2:-2, 2:-2].min() == 1


@pytest.fixture(scope="module")
def crowd() -> tuple[list[Sample], dict[str, LocatedFace]]:
    """Three hundred real faces of thirty groups, each a little different, and some fakes."""
    rng = np.random.default_rng(0)
    samples, faces = [], {}
    for index in range(330):
        points = carry(POINTS + rng.normal(0, 2.5, (5, 2)), rng.uniform(-20, 20), rng.uniform(0.4, 2.5), (50, 50))
        path = f"{index}.jpg"
        samples.append(Sample(path, int(index >= 300), "street", "", f"group {index % 30}"))
        faces[path] = LocatedFace((0, 0, 100, 130), tuple((float(x), float(y)) for x, y in points))
    return samples, faces


def test_a_partner_is_real_of_another_group_and_looks_the_same_way(
    crowd: tuple[list[Sample], dict[str, LocatedFace]],
) -> None:
    samples, faces = crowd
    partners, rng, met = Partners(samples, faces), np.random.default_rng(1), 0
    for sample in samples[:100]:
        landmarks = np.array(faces[sample.path].landmarks)
        for partner in partners.find(sample.group, landmarks, rng):
            theirs = np.array(faces[partner.path].landmarks)
            matrix = fit_similarity(theirs, landmarks)
            assert partner.group != sample.group
            assert partner.label == 0
            assert misfit(matrix, theirs, landmarks) <= swaps.MOST_MISFIT + 1e-9
            met += 1
    assert met > 200


def test_partners_are_fixed_by_the_seed_and_vary_with_it(crowd: tuple[list[Sample], dict[str, LocatedFace]]) -> None:
    samples, faces = crowd
    partners, landmarks = Partners(samples, faces), np.array(faces["0.jpg"].landmarks)
    drawn = [[s.path for s in partners.find("group 0", landmarks, np.random.default_rng(seed))] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    everyone = {s.path for seed in range(60) for s in partners.find("group 0", landmarks, np.random.default_rng(seed))}
    assert len(everyone) > 20


def test_nobody_is_swapped_within_a_single_group(crowd: tuple[list[Sample], dict[str, LocatedFace]]) -> None:
    samples, faces = crowd
    family = [sample for sample in samples if sample.group == "group 3"]
    assert Partners(family, faces).find("group 3", POINTS, np.random.default_rng(0)) == []
    assert Partners([], {}).find("group 3", POINTS, np.random.default_rng(0)) == []
