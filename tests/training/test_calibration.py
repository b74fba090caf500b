"""Calibration mends what a network overstates and keeps false alarms within bounds in every source."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chalicelib.verdicts import LEAST_FRAMES, Calibration
from training.calibration import FALSE_ALARMS, MISSES, OMISSIONS, fit_calibration, fit_calibrations


def draw(count: int, scale: float, shift: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that overstate honest log-odds by `scale` and are off by `shift`."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 2, count)
    labels = (rng.random(count) < 1 / (1 + np.exp(-odds))).astype(int)
    return labels, odds * scale + shift


def test_an_overstated_and_shifted_network_is_put_right() -> None:
    labels, logits = draw(40_000, scale=3, shift=1.5)
    calibration = fit_calibration(labels, logits, ["street"] * len(labels))
    assert calibration.temperature == pytest.approx(3, rel=0.05)
    assert calibration.bias == pytest.approx(-0.5, abs=0.05)


def judge(calibration: Calibration, logits: np.ndarray) -> np.ndarray:
    return np.array([calibration.probability(float(logit)) for logit in logits])


def test_thresholds_keep_what_they_promise() -> None:
    labels, logits = draw(20_000, scale=1, shift=0)
    calibration = fit_calibration(labels, logits, ["street"] * len(labels))
    probabilities = judge(calibration, logits)
    real, fake = probabilities[labels == 0], probabilities[labels == 1]
    assert (real > calibration.fake_above).mean() == pytest.approx(FALSE_ALARMS, abs=0.001)
    missed, kept = (fake < calibration.no_traces_below).mean(), (real < calibration.no_traces_below).mean()
    assert missed / (missed + kept) == pytest.approx(OMISSIONS, abs=0.005)
    assert calibration.no_traces_below < 0.5 < calibration.fake_above


def test_no_source_of_fakes_is_given_up_for_the_sake_of_easy_ones() -> None:
    rng = np.random.default_rng(0)
    # Nine easy sources, and one whose fakes look like anybody.
    logits = np.concatenate([rng.normal(-2, 1, 1000), rng.normal(4, 1, 900), rng.normal(-1, 1, 100)])
    sources = ["street"] * 1000 + [f"easy{n % 9}" for n in range(900)] + ["hard"] * 100
    calibration = fit_calibration(np.repeat([0, 1], 1000), logits, sources)
    missed = judge(calibration, logits[-100:]) < calibration.no_traces_below
    assert missed.mean() == pytest.approx(MISSES, abs=0.02)
    alone = fit_calibration(np.repeat([0, 1], [1000, 905]), logits[:1905], sources[:1905])
    assert alone.no_traces_below > calibration.no_traces_below, "a handful does not hold the threshold back"


def test_with_few_groups_the_threshold_lies_further_out() -> None:
    rng = np.random.default_rng(0)
    people = rng.normal(0, 2, 60)
    who = np.repeat(np.arange(60), 20)
    logits = np.concatenate([people[who] - 3 + rng.normal(0, 0.5, 1200), rng.normal(3, 1, 1200)])
    labels = np.repeat([0, 1], 1200)
    sources = ["street"] * 2400
    alone = fit_calibration(labels, logits, sources)
    grouped = fit_calibration(labels, logits, sources, [*map(str, who), *map(str, range(100, 1300))])
    assert grouped.fake_above > alone.fake_above
    # A handful of people promises nothing; then no real picture that is known may be called fake.
    few = who < 5
    kept = np.concatenate([few, np.ones(1200, bool)])
    fitted = fit_calibration(labels[kept], logits[kept], sources[: kept.sum()], [*map(str, who[few]), *["x"] * 1200])
    assert fitted.fake_above == pytest.approx(max(0.5, judge(fitted, logits[:1200][few]).max()), abs=1e-4)


def test_of_new_groups_few_are_called_fake() -> None:
    shares = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        odds = rng.normal(-2, 1.5, 200)[:, None] + rng.normal(0, 0.7, (200, 10))
        fakes = rng.normal(2, 1.5, 1000)
        logits = np.concatenate([odds[:100].ravel(), fakes])
        groups = [*map(str, np.repeat(np.arange(100), 10)), *map(str, range(1000, 2000))]
        fitted = fit_calibration(np.repeat([0, 1], 1000), logits, ["street"] * 2000, groups)
        shares.append((judge(fitted, odds[100:].ravel()) > fitted.fake_above).mean())
    assert np.mean(shares) <= FALSE_ALARMS


def test_a_large_easy_source_does_not_buy_the_threshold_of_a_small_hard_one() -> None:
    rng = np.random.default_rng(0)
    easy_labels = rng.integers(0, 2, 10_000)
    easy = np.where(easy_labels == 1, 6.0, -6.0) + rng.normal(0, 1, 10_000)
    hard_labels, hard = draw(500, 1, 0)
    both = fit_calibration(
        np.concatenate([easy_labels, hard_labels]),
        np.concatenate([easy, hard]),
        ["easy"] * 10_000 + ["hard"] * 500,
    )
    probabilities = np.array([both.probability(float(logit)) for logit in hard[hard_labels == 0]])
    assert (probabilities > both.fake_above).mean() <= 2 * FALSE_ALARMS + 0.01


@pytest.mark.parametrize(
    ("labels", "logits", "says"),
    [([0, 0], [1.0, 2.0], "real and fake"), ([0, 0, 1, 1], [3.0, 2.0, -1.0, -2.0], "below reals")],
)
def test_what_cannot_be_calibrated_is_refused(labels: list[int], logits: list[float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        fit_calibration(np.array(labels), np.array(logits), ["street"] * len(labels))


def film(clips: int, frames: int = 10, photos: int = 400, shift: float = 0.0, seed: int = 0) -> tuple[Any, ...]:
    """Photos whose logits are honest log-odds, and clips of each class whose logits are off by `shift`."""
    rng = np.random.default_rng(seed)
    labels, logits = draw(photos, 1, 0, seed)
    of_clips = np.repeat([0, 1], clips)
    odds = np.where(of_clips, 1.5, -1.5) + np.tile(np.linspace(-2, 2, clips), 2) + shift
    labels = np.concatenate([labels, np.repeat(of_clips, frames)])
    logits = np.concatenate([logits, np.repeat(odds, frames) + rng.normal(0, 0.5, 2 * clips * frames)])
    names = [""] * photos + [f"c{n}" for n in np.repeat(np.arange(2 * clips), frames)]
    groups = [name or f"p{n}" for n, name in enumerate(names)]
    sources = ["film" if name else "street" for name in names]
    return labels, logits, sources, groups, names


def test_without_clips_every_medium_is_read_as_pictures_are() -> None:
    labels, logits, sources, groups, clips = film(0)
    fitted = fit_calibrations(labels, logits, sources, groups, clips)
    assert fitted.picture == fitted.frame == fitted.video == fit_calibration(labels, logits, sources, groups)


def test_clips_of_one_class_tell_nothing() -> None:
    labels, logits, sources, groups, clips = film(6)
    clips = [clip if label == 0 else "" for clip, label in zip(clips, labels, strict=True)]
    fitted = fit_calibrations(labels, logits, sources, groups, clips)
    assert fitted.picture == fitted.frame == fitted.video


def test_few_clips_move_the_calibration_a_little_and_many_as_far_as_they_say() -> None:
    # The clips' logits are two too high.
    moved = []
    for count in (3, 12, 400):
        fitted = fit_calibrations(*film(count, frames=LEAST_FRAMES, photos=20_000, shift=2.0))
        apart = [medium.log_odds(2.0) - fitted.picture.log_odds(2.0) for medium in (fitted.frame, fitted.video)]
        moved.append(apart)
    for few, some, many in zip(*moved, strict=True):
        assert 0 > few > some > many
        assert few > -0.5
    # In the middle between the classes a clip is as likely fake as real.
    assert fitted.video.log_odds(2.0) == pytest.approx(0, abs=0.2)


def test_a_long_clip_weighs_as_much_as_a_short_one() -> None:
    labels, logits, sources, groups, clips = film(4, shift=1.0)
    once = fit_calibrations(labels, logits, sources, groups, clips)
    # The frames of clips ten times over: as many witnesses as before. Photos stay as they are.
    more = [i for i, clip in enumerate(clips) for _ in range(10 if clip else 1)]
    often = fit_calibrations(
        labels[more], logits[more], *([names[i] for i in more] for names in (sources, groups, clips))
    )
    photos = [i for i, clip in enumerate(clips) if not clip]
    assert len(photos) == 400
    frame_move = once.frame.bias - once.picture.bias
    assert often.frame.bias - often.picture.bias == pytest.approx(frame_move, abs=0.15)


def test_a_clip_of_too_few_frames_counts_as_frames_only() -> None:
    fitted = fit_calibrations(*film(8, frames=LEAST_FRAMES - 1, shift=2.0))
    assert fitted.video == fitted.picture
    assert fitted.frame.bias < fitted.picture.bias


def test_clips_that_rank_the_wrong_way_are_read_as_pictures() -> None:
    labels, logits, sources, groups, clips = film(300, frames=LEAST_FRAMES, photos=20_000)
    inside = np.array([clip != "" for clip in clips])
    fitted = fit_calibrations(labels, np.where(inside, -logits, logits), sources, groups, clips)
    assert fitted.video == fitted.picture
