"""Calibration mends what a network overstates and keeps false alarms within bounds in every source."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chalicelib.aggregation import count_independent
from chalicelib.verdicts import LEAST_FRAMES, Calibration
from training.calibration import (
    REPEATING_CLIPS,
    Fitted,
    estimate_correlation,
    fit_calibration,
    fit_calibrations,
)
from training.left_out_runs import LeftOutRun
from training.promise import LOW_FAKES, REAL_ALARMS


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
    assert (real > calibration.fake_above).mean() == pytest.approx(REAL_ALARMS, abs=0.001)
    assert (fake < calibration.no_traces_below).mean() == pytest.approx(LOW_FAKES, abs=0.002)
    assert calibration.no_traces_below < 0.5 < calibration.fake_above


def test_sources_weigh_by_the_root_of_their_size_and_classes_alike() -> None:
    # Two sources of each class with one logit each: the regression's gradient is then a sum that hand can do.
    labels = np.array([0] * 400 + [0] * 100 + [1] * 100)
    logits = np.array([-1.0] * 400 + [1.0] * 100 + [1.0] * 100)
    fitted = fit_calibration(labels, logits, ["large"] * 400 + ["small"] * 100 + ["fakes"] * 100)
    # Of the real mass two thirds lie at -1 (20 to 10), and all fakes and the last third at 1: odds 3 to 1 there. Below
    # are no fakes, so the slope has no bound; at 1 the log-odds have to be those of 3 to 1.
    assert fitted.log_odds(1.0) == pytest.approx(np.log(3), abs=0.05)


def test_a_family_is_named_by_its_method_wherever_it_comes_from() -> None:
    rng = np.random.default_rng(0)
    logits = np.concatenate([rng.normal(-2, 1, 300), rng.normal(2, 1, 300), rng.normal(-1, 1, 300)])
    labels = np.repeat([0, 1, 1], 300)
    sources = ["street"] * 300 + ["web"] * 600
    methods = [""] * 300 + ["swap"] * 300 + ["paint"] * 300
    fitted = fit_calibrations(labels, logits, sources, [str(n) for n in range(900)], [""] * 900, methods)
    rows = {row["source"]: row for row in fitted.promise["picture"]["rows"]}
    assert set(rows) == {"swap", "paint"}, "one source of real pictures cannot be left out"
    assert rows["paint"]["called_low"] > 0.5 > 0.1 > rows["swap"]["called_low"]
    assert "2 families" in fitted.promise["picture"]["rests_on"]


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
    assert np.mean(shares) <= REAL_ALARMS


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
    assert (probabilities > both.fake_above).mean() <= 2 * REAL_ALARMS + 0.01


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
    read = fitted.calibrations
    assert read.picture == read.frame == read.video == fit_calibration(labels, logits, sources, groups)
    assert read.frame_correlation == 1
    assert "no clips of both classes" in fitted.promise["video"]["rests_on"]


def test_clips_of_one_class_tell_nothing() -> None:
    labels, logits, sources, groups, clips = film(6)
    clips = [clip if label == 0 else "" for clip, label in zip(clips, labels, strict=True)]
    read = fit_calibrations(labels, logits, sources, groups, clips).calibrations
    assert read.picture == read.frame == read.video
    assert read.frame_correlation == 1


def test_few_clips_move_the_calibration_a_little_and_many_as_far_as_they_say() -> None:
    # The clips' logits are two too high.
    moved = []
    for count in (3, 12, 400):
        read = fit_calibrations(*film(count, frames=LEAST_FRAMES, photos=20_000, shift=2.0)).calibrations
        moved.append(read.frame.log_odds(2.0) - read.picture.log_odds(2.0))
        assert (read.video.temperature, read.video.bias) == (read.frame.temperature, read.frame.bias)
    few, some, many = moved
    assert 0 > few > some > many
    assert few > -0.5
    # In the middle between the classes a clip is as likely fake as real.
    assert read.video.log_odds(2.0) == pytest.approx(0, abs=0.2)


def test_a_long_clip_weighs_as_much_as_a_short_one() -> None:
    labels, logits, sources, groups, clips = film(4, shift=1.0)
    once = fit_calibrations(labels, logits, sources, groups, clips).calibrations
    # The frames of clips ten times over: as many witnesses as before. Photos stay as they are.
    more = [i for i, clip in enumerate(clips) for _ in range(10 if clip else 1)]
    often = fit_calibrations(
        labels[more], logits[more], *([names[i] for i in more] for names in (sources, groups, clips))
    ).calibrations
    photos = [i for i, clip in enumerate(clips) if not clip]
    assert len(photos) == 400
    frame_move = once.frame.bias - once.picture.bias
    assert often.frame.bias - often.picture.bias == pytest.approx(frame_move, abs=0.15)


def test_a_clip_of_too_few_frames_counts_as_frames_only() -> None:
    fitted = fit_calibrations(*film(8, frames=LEAST_FRAMES - 1, shift=2.0))
    read = fitted.calibrations
    assert read.video == read.frame
    assert read.frame_correlation == 1
    assert read.frame.bias < read.picture.bias
    assert f"have {LEAST_FRAMES} frames" in fitted.promise["video"]["rests_on"]


def test_clips_that_rank_the_wrong_way_are_read_as_pictures() -> None:
    labels, logits, sources, groups, clips = film(300, frames=LEAST_FRAMES, photos=20_000)
    inside = np.array([clip != "" for clip in clips])
    read = fit_calibrations(labels, np.where(inside, -logits, logits), sources, groups, clips).calibrations
    assert read.video == read.picture


def test_the_correlation_of_frames_is_that_of_the_analysis_of_variance() -> None:
    # Three clips of two frames: between them 8, within them 2, so (8 - 2) / (8 + 2); the other class repeats less.
    odds = np.array([0.0, 2.0, 2.0, 4.0, 4.0, 6.0, 0.0, 2.0, 0.0, 2.0, 0.0, 2.0])
    labels = np.repeat([0, 1], 6)
    clips = np.repeat(["a", "b", "c", "d", "e", "f"], 2)
    assert estimate_correlation(odds, labels, clips) == pytest.approx(
        (3 * 0.6 + REPEATING_CLIPS) / (3 + REPEATING_CLIPS)
    )
    assert estimate_correlation(odds[4:], labels[4:], clips[4:]) == 1, "one clip of a class shows nothing"
    many = np.concatenate([odds + 7 * n for n in range(50)])
    drawn = estimate_correlation(many, np.tile(labels, 50), np.array([f"{n}{c}" for n in range(50) for c in clips]))
    assert drawn > 0.95, "what sets sources apart is in every frame of a clip"


def test_a_clip_that_agrees_is_surer_than_its_frames_as_far_as_these_are_independent() -> None:
    labels, logits, sources, groups, clips = film(60, frames=20)
    read = fit_calibrations(labels, logits, sources, groups, clips).calibrations
    assert 0.5 < read.frame_correlation < 1
    one, several = read.track_log_odds([3.0]), read.track_log_odds([3.0] * 20)
    assert one == pytest.approx(read.frame.log_odds(3.0))
    assert several == pytest.approx(one * count_independent(20, read.frame_correlation))
    assert several > one > 0


def test_families_that_networks_never_saw_lower_the_lower_threshold() -> None:
    rng = np.random.default_rng(0)
    logits = np.concatenate([rng.normal(-2, 1, 400), rng.normal(3, 1, 400)])
    labels = np.repeat([0, 1], 400)
    sources = ["street"] * 200 + ["studio"] * 200 + ["gan"] * 200 + ["swap"] * 200
    groups = [str(n) for n in range(800)]

    def fit(*runs: LeftOutRun) -> Fitted:
        return fit_calibrations(labels, logits, sources, groups, [""] * 800, None, runs)

    # A network of twice the logits, which never saw swaps and scores them 4 of its units lower than it does others.
    strange = np.where(np.array(sources) == "swap", 2 * logits - 4, 2 * logits)
    unseen = (labels == 1) & (np.array(sources) == "swap")
    run = LeftOutRun(labels, strange, sources, [""] * 800, groups, unseen)
    without, with_run = fit().calibrations.picture, fit(run).calibrations.picture
    assert with_run.no_traces_below < without.no_traces_below
    assert with_run.fake_above == without.fake_above
    rows = {row["source"]: row for row in fit(run).promise["picture"]["rows"]}
    assert rows["swap"]["never_seen"]
    assert rows["swap"]["called_low"] > LOW_FAKES, "judged by a margin that was found without it"
    assert "by networks trained without them" in fit(run).promise["picture"]["rests_on"]
