"""Logits become calibrated probabilities, and those become verdicts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import ModelUnavailable
from chalicelib.verdicts import (
    LEAST_FRAMES,
    Calibration,
    Judgement,
    judge_clip,
    judge_face,
    judge_picture,
    judge_track,
)

PLAIN = Calibration(temperature=1, bias=0, real_below=0.3, fake_above=0.7)


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


@pytest.mark.parametrize(
    ("temperature", "bias", "given_logit", "expected"),
    [
        (1, 0, 0, 0.5),
        (1, 0, 2, 0.880797),
        (2, 0, 2, 0.731059),
        (2, -1, 2, 0.5),
        (0.5, 0, 1, 0.880797),
        (1, 0, 1e9, 1.0),
        (1, 0, -1e9, 0.0),
    ],
)
def test_probability_is_the_sigmoid_of_logit_over_temperature_plus_bias(
    temperature: float, bias: float, given_logit: float, expected: float
) -> None:
    calibration = Calibration(temperature, bias, 0.3, 0.7)
    assert calibration.probability(given_logit) == pytest.approx(expected, abs=1e-6)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_higher_logit_never_means_a_lower_probability(one: float, other: float) -> None:
    low, high = sorted((PLAIN.probability(one), PLAIN.probability(other)))
    assert 0 <= low <= high <= 1
    assert (PLAIN.probability(max(one, other))) == high


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_a_failure_and_not_a_verdict(bad: float) -> None:
    with pytest.raises(ModelUnavailable):
        judge_face(bad, 100, PLAIN, 48)


@pytest.mark.parametrize(
    ("probability", "larger_side", "verdict", "reasons"),
    [
        (0.95, 100, "likely_fake", ()),
        (0.7001, 100, "likely_fake", ()),
        (0.7, 100, "uncertain", ("between_thresholds",)),
        (0.5, 100, "uncertain", ("between_thresholds",)),
        (0.3, 100, "uncertain", ("between_thresholds",)),
        (0.2999, 100, "likely_real", ()),
        (0.01, 100, "likely_real", ()),
        (0.95, 48, "likely_fake", ()),
        (0.95, 47.9, "uncertain", ("face_too_small",)),
        (0.5, 20, "uncertain", ("face_too_small",)),
        (0.01, 20, "uncertain", ("face_too_small",)),
    ],
)
def test_a_face_is_judged_by_its_band_and_its_size(
    probability: float, larger_side: float, verdict: str, reasons: tuple[str, ...]
) -> None:
    face = judge_face(logit(probability), larger_side, PLAIN, min_face=48)
    assert (face.verdict, face.reasons, face.probability) == (verdict, reasons, probability)


def test_the_number_that_is_shown_is_the_number_that_is_judged() -> None:
    face = judge_face(logit(0.70004), 100, PLAIN, min_face=48)
    assert (face.probability, face.verdict) == (0.7, "uncertain")


FAKE, FAKER = Judgement(0.8, "likely_fake"), Judgement(0.93, "likely_fake")
REAL, REALER = Judgement(0.2, "likely_real"), Judgement(0.1, "likely_real")
BETWEEN = Judgement(0.5, "uncertain", ("between_thresholds",))
TINY = Judgement(0.99, "uncertain", ("face_too_small",))


@pytest.mark.parametrize(
    ("faces", "verdict", "probability", "reasons"),
    [
        ([], "no_face", None, []),
        ([REAL], "likely_real", 0.2, []),
        ([REALER, REAL], "likely_real", 0.2, []),
        ([REAL, FAKE, REALER], "likely_fake", 0.8, []),
        ([FAKE, FAKER], "likely_fake", 0.93, []),
        ([REAL, BETWEEN], "uncertain", 0.5, ["between_thresholds"]),
        ([REAL, TINY], "uncertain", 0.99, ["face_too_small"]),
        ([BETWEEN, TINY, BETWEEN], "uncertain", 0.99, ["between_thresholds", "face_too_small"]),
        # The higher number belongs to a face that nobody can judge; it must not decorate the verdict.
        ([TINY, FAKER], "likely_fake", 0.93, []),
    ],
)
def test_a_picture_is_as_bad_as_its_worst_face(
    faces: list[Judgement], verdict: str, probability: float | None, reasons: list[str]
) -> None:
    picture = judge_picture(faces)
    assert (picture.verdict, picture.probability, list(picture.reasons)) == (verdict, probability, reasons)


def test_faces_that_were_left_out_are_told_beside_every_other_reason() -> None:
    assert judge_picture([REAL], faces_left_out=3).reasons == ("more_faces_than_checked",)
    assert judge_picture([BETWEEN], faces_left_out=1).reasons == (
        "between_thresholds",
        "more_faces_than_checked",
    )


@pytest.mark.parametrize(
    ("probabilities", "sides", "verdict", "probability", "reasons"),
    [
        pytest.param([0.9] * 4, [60] * 4, "likely_fake", 0.9, (), id="fake throughout"),
        pytest.param([0.1] * 9, [60] * 9, "likely_real", 0.1, (), id="real throughout"),
        pytest.param([0.5] * 4, [60] * 4, "uncertain", 0.5, ("between_thresholds",), id="in between"),
        # Log-odds of 0 and 4 × logit(.95): the mean of the probabilities would be .86.
        pytest.param([0.5, 0.95, 0.95, 0.95, 0.95], [60] * 5, "likely_fake", 0.9134, (), id="the mean is of logits"),
        pytest.param([0.9] * 3, [60] * 3, "uncertain", 0.9, ("too_few_frames",), id="three frames of a fake"),
        pytest.param([0.1], [60], "uncertain", 0.1, ("too_few_frames",), id="one frame of a real face"),
        pytest.param([0.1] * 4 + [0.99], [60] * 4 + [47], "likely_real", 0.1, (), id="a small frame does not count"),
        pytest.param(
            [0.1] * 3 + [0.99],
            [60] * 3 + [47],
            "uncertain",
            0.1,
            ("too_few_frames", "face_too_small"),
            id="nor does it make up the number",
        ),
        pytest.param(
            [0.9] * 9, [47] * 9, "uncertain", 0.9, ("too_few_frames", "face_too_small"), id="small throughout"
        ),
    ],
)
def test_a_track_is_judged_by_the_mean_of_its_usable_frames(
    probabilities: list[float], sides: list[int], verdict: str, probability: float, reasons: tuple[str, ...]
) -> None:
    track = judge_track([logit(value) for value in probabilities], sides, PLAIN, min_face=48)
    assert (track.verdict, track.probability, track.reasons) == (verdict, probability, reasons)


def test_a_frame_without_a_score_is_a_failure_of_the_whole_track() -> None:
    with pytest.raises(ModelUnavailable):
        judge_track([0.0, 0.0, math.nan, 0.0], [60] * 4, PLAIN, min_face=48)


BRIEF = Judgement(0.95, "uncertain", ("too_few_frames",))


@pytest.mark.parametrize(
    ("tracks", "cut_short", "verdict", "probability", "reasons"),
    [
        ([], 0, "no_face", None, []),
        ([REAL, FAKE], 0, "likely_fake", 0.8, []),
        ([REAL, BRIEF], 0, "uncertain", 0.95, ["too_few_frames"]),
        ([FAKE, BRIEF], 0, "likely_fake", 0.8, []),
        ([REAL], LEAST_FRAMES - 1, "likely_real", 0.2, []),
        ([REAL], LEAST_FRAMES, "likely_real", 0.2, ["more_faces_than_checked"]),
    ],
)
def test_a_clip_is_as_bad_as_its_worst_track(
    tracks: list[Judgement], cut_short: int, verdict: str, probability: float | None, reasons: list[str]
) -> None:
    clip = judge_clip(tracks, cut_short)
    assert (clip.verdict, clip.probability, list(clip.reasons)) == (verdict, probability, reasons)


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0},
        {"temperature": -1},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"bias": math.nan},
        {"real_below": 0.8},
        {"real_below": -0.1},
        {"fake_above": 1.1},
        {"fake_above": math.nan},
        {"bias": "much"},
        {"bias": None},
    ],
)
def test_a_calibration_that_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    numbers = {"temperature": 1, "bias": 0, "real_below": 0.3, "fake_above": 0.7, **change}
    with pytest.raises(ModelUnavailable, match="calibration"):
        Calibration.from_card({"calibration": numbers})


@pytest.mark.parametrize("card", [{}, {"calibration": {}}, {"calibration": None}, {"calibration": [1, 2]}])
def test_a_card_without_calibration_is_refused(card: dict[str, object]) -> None:
    with pytest.raises(ModelUnavailable, match="calibration"):
        Calibration.from_card(card)
