"""Logits become calibrated probabilities, and those become verdicts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import ModelUnavailable
from chalicelib.schema import Reason
from chalicelib.verdicts import (
    LEAST_FRAMES,
    Calibration,
    Calibrations,
    Judgement,
    judge_clip,
    judge_face,
    judge_picture,
    judge_track,
    spell_probability,
)

PLAIN = Calibration(temperature=1, bias=0, no_traces_below=0.3, fake_above=0.7)
ALIKE = Calibrations.alike(PLAIN)
MEDIA = ("picture", "frame", "video")


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
        judge_face(bad, (), PLAIN)


@pytest.mark.parametrize(
    ("probability", "flaws", "verdict", "reasons"),
    [
        (0.95, (), "likely_fake", ()),
        (0.7001, (), "likely_fake", ()),
        (0.7, (), "uncertain", ("between_thresholds",)),
        (0.5, (), "uncertain", ("between_thresholds",)),
        (0.3, (), "uncertain", ("between_thresholds",)),
        (0.2999, (), "no_traces", ()),
        (0.01, (), "no_traces", ()),
        (0.95, ("face_too_small",), "uncertain", ("face_too_small",)),
        (0.5, ("face_too_blurred",), "uncertain", ("face_too_blurred",)),
        (0.01, ("face_too_small", "face_too_dark"), "uncertain", ("face_too_small", "face_too_dark")),
    ],
)
def test_a_face_is_judged_by_its_band_unless_it_cannot_be_judged(
    probability: float, flaws: tuple[Reason, ...], verdict: str, reasons: tuple[str, ...]
) -> None:
    face = judge_face(logit(probability), flaws, PLAIN)
    assert (face.verdict, face.reasons, face.probability) == (verdict, reasons, probability)


def test_the_number_that_is_shown_is_the_number_that_is_judged() -> None:
    face = judge_face(logit(0.70004), (), PLAIN)
    assert (face.probability, face.verdict) == (0.7, "uncertain")


FAKE, FAKER = Judgement(0.8, "likely_fake"), Judgement(0.93, "likely_fake")
REAL, REALER = Judgement(0.2, "no_traces"), Judgement(0.1, "no_traces")
BETWEEN = Judgement(0.5, "uncertain", ("between_thresholds",))
TINY = Judgement(0.99, "uncertain", ("face_too_small",))


@pytest.mark.parametrize(
    ("faces", "verdict", "probability", "reasons"),
    [
        ([], "no_face", None, []),
        ([REAL], "no_traces", 0.2, []),
        ([REALER, REAL], "no_traces", 0.2, []),
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


CLEAR: tuple[Reason, ...] = ()
SMALL, BLURRED, DARK = (("face_too_small",), ("face_too_blurred",), ("face_too_dark",))


@pytest.mark.parametrize(
    ("probabilities", "flaws", "verdict", "probability", "reasons"),
    [
        pytest.param([0.9] * 4, [CLEAR] * 4, "likely_fake", 0.9, (), id="fake throughout"),
        pytest.param([0.1] * 9, [CLEAR] * 9, "no_traces", 0.1, (), id="real throughout"),
        pytest.param([0.5] * 4, [CLEAR] * 4, "uncertain", 0.5, ("between_thresholds",), id="in between"),
        # Log-odds of 0 and 4 × logit(.95): the mean of the probabilities would be .86.
        pytest.param([0.5] + [0.95] * 4, [CLEAR] * 5, "likely_fake", 0.9134, (), id="the mean is of logits"),
        pytest.param([0.9] * 3, [CLEAR] * 3, "uncertain", 0.9, ("too_few_frames",), id="three frames of a fake"),
        pytest.param([0.1], [CLEAR], "uncertain", 0.1, ("too_few_frames",), id="one frame of a real face"),
        pytest.param(
            [0.1] * 4 + [0.99] * 3,
            [CLEAR] * 4 + [SMALL, BLURRED, DARK],
            "no_traces",
            0.1,
            (),
            id="frames with a flaw do not count",
        ),
        pytest.param(
            [0.1] * 3 + [0.99] * 3,
            [CLEAR] * 3 + [BLURRED, SMALL, BLURRED],
            "uncertain",
            0.1,
            ("too_few_frames", "face_too_blurred", "face_too_small"),
            id="nor do they make up the number",
        ),
        pytest.param(
            [0.9] * 9, [DARK] * 9, "uncertain", 0.9, ("too_few_frames", "face_too_dark"), id="dark throughout"
        ),
    ],
)
def test_a_track_is_judged_by_the_mean_of_its_usable_frames(
    probabilities: list[float],
    flaws: list[tuple[Reason, ...]],
    verdict: str,
    probability: float,
    reasons: tuple[str, ...],
) -> None:
    track = judge_track([logit(value) for value in probabilities], flaws, ALIKE)
    assert (track.verdict, track.probability, track.reasons) == (verdict, probability, reasons)


def test_a_track_is_read_as_a_video_and_one_of_too_few_frames_as_frames() -> None:
    media = Calibrations(
        picture=PLAIN,
        frame=Calibration(1, 1, 0.3, 0.7),
        video=Calibration(temperature=2, bias=0, no_traces_below=0, fake_above=1),
    )
    whole = judge_track([2.0] * LEAST_FRAMES, [CLEAR] * LEAST_FRAMES, media)
    assert (whole.probability, whole.verdict) == (round(PLAIN.probability(1.0), 4), "uncertain")
    assert judge_track([2.0], [CLEAR], media).probability == round(PLAIN.probability(3.0), 4)


# Frames are read as log-odds, those of a clip correlated by a half.
CORRELATED = Calibrations(PLAIN, PLAIN, PLAIN, frame_correlation=0.5)


@pytest.mark.parametrize(
    ("logits", "log_odds"),
    [
        ([0.6], 0.6),
        # 2 / (1 + 1/2) = 4/3 independent frames, 4 / (1 + 3/2) = 8/5, 32 / (1 + 31/2) = 64/33.
        ([0.3, 0.9], 0.6 * 4 / 3),
        ([0.6] * 4, 0.6 * 8 / 5),
        ([-0.6] * 32, -0.6 * 64 / 33),
        ([1.0, -1.0] * 8, 0.0),
    ],
)
def test_a_clip_is_the_surer_the_more_frames_agree(logits: list[float], log_odds: float) -> None:
    assert CORRELATED.track_log_odds(logits) == pytest.approx(log_odds)


def test_one_frame_is_read_as_a_single_frame_is() -> None:
    media = Calibrations(PLAIN, Calibration(2, 0.5, 0.3, 0.7), Calibration(2, 0.5, 0.2, 0.8), frame_correlation=0.3)
    assert media.track_log_odds([1.7]) == pytest.approx(media.frame.log_odds(1.7))


def test_a_clip_has_a_verdict_where_one_of_its_frames_has_none() -> None:
    # Log-odds of .6 lie between the thresholds, 32 times .6 beyond: .6 x 64/33 = 1.16, over logit(.7) = .85.
    assert judge_face(0.6, CLEAR, CORRELATED.frame).verdict == "uncertain"
    track = judge_track([0.6] * 32, [CLEAR] * 32, CORRELATED)
    assert (track.verdict, track.probability) == ("likely_fake", 0.762)
    assert judge_track([0.6] * 32, [CLEAR] * 32, ALIKE).verdict == "uncertain", "a card that states no correlation"


def test_only_usable_frames_make_a_clip_surer() -> None:
    many = judge_track([0.6] * 32, [CLEAR] * 4 + [SMALL] * 28, CORRELATED)
    assert many == judge_track([0.6] * 4, [CLEAR] * 4, CORRELATED)
    none = judge_track([0.6] * 32, [SMALL] * 32, CORRELATED)
    assert none.probability == judge_face(0.6, SMALL, CORRELATED.frame).probability


LOGITS = st.floats(-20, 20)


@given(st.lists(LOGITS, min_size=1, max_size=40), st.data(), st.floats(0, 10), st.floats(0, 1))
def test_a_frame_that_looks_more_fake_never_makes_a_clip_look_less_so(
    logits: list[float], data: st.DataObject, rise: float, correlation: float
) -> None:
    media = Calibrations(PLAIN, Calibration(1.7, -0.3, 0.3, 0.7), Calibration(1.7, -0.3, 0.3, 0.7), correlation)
    at = data.draw(st.integers(0, len(logits) - 1))
    raised = [*logits[:at], logits[at] + rise, *logits[at + 1 :]]
    assert media.track_log_odds(raised) >= media.track_log_odds(logits) - 1e-9


@given(LOGITS, st.integers(1, 100), st.integers(0, 100), st.floats(0, 1))
def test_more_frames_that_say_the_same_are_never_less_sure(
    logit: float, frames: int, more: int, correlation: float
) -> None:
    media = Calibrations(PLAIN, PLAIN, PLAIN, correlation)
    few, many = (media.track_log_odds([logit] * count) for count in (frames, frames + more))
    assert abs(many) >= abs(few) - 1e-9
    assert many * few >= 0


@pytest.mark.parametrize("correlation", [-0.1, 1.1, math.nan, "much", None])
def test_a_correlation_that_makes_no_sense_is_refused(correlation: object) -> None:
    sound = {"temperature": 1, "bias": 0, "no_traces_below": 0.3, "fake_above": 0.7}
    card = {"calibration": {**dict.fromkeys(MEDIA, sound), "frame_correlation": correlation}}
    with pytest.raises(ModelUnavailable, match="calibration"):
        Calibrations.from_card(card)


def test_a_card_states_how_far_frames_repeat_each_other_and_an_old_one_does_not() -> None:
    sound = {"temperature": 1, "bias": 0, "no_traces_below": 0.3, "fake_above": 0.7}
    media: dict[str, object] = dict.fromkeys(MEDIA, sound)
    assert Calibrations.from_card({"calibration": media}).frame_correlation == 1
    assert Calibrations.from_card({"calibration": {**media, "frame_correlation": 0.25}}).frame_correlation == 0.25


def test_a_frame_without_a_score_is_a_failure_of_the_whole_track() -> None:
    with pytest.raises(ModelUnavailable):
        judge_track([0.0, 0.0, math.nan, 0.0], [CLEAR] * 4, ALIKE)


BRIEF = Judgement(0.95, "uncertain", ("too_few_frames",))
PASSING = Judgement(0.45, "uncertain", ("too_few_frames",))


@pytest.mark.parametrize(
    ("tracks", "left_out", "verdict", "probability", "reasons"),
    [
        ([], 0, "no_face", None, []),
        ([REAL, FAKE], 0, "likely_fake", 0.8, []),
        ([REAL, BRIEF], 0, "uncertain", 0.95, ["too_few_frames"]),
        ([FAKE, BRIEF], 0, "likely_fake", 0.8, []),
        # Who only passes by holds nothing back, unless these frames look fake, or there is nobody else.
        ([REAL, PASSING], 0, "no_traces", 0.2, []),
        ([PASSING], 0, "uncertain", 0.45, ["too_few_frames"]),
        ([REAL], LEAST_FRAMES - 1, "no_traces", 0.2, []),
        ([REAL], LEAST_FRAMES, "no_traces", 0.2, ["more_faces_than_checked"]),
    ],
)
def test_a_clip_is_as_bad_as_its_worst_track(
    tracks: list[Judgement], left_out: int, verdict: str, probability: float | None, reasons: list[str]
) -> None:
    clip = judge_clip(tracks, frames_left_out=left_out)
    assert (clip.verdict, clip.probability, list(clip.reasons)) == (verdict, probability, reasons)
    told = judge_clip(tracks, frames_left_out=left_out, still=True, cut_short=True)
    assert (told.verdict, list(told.reasons)) == (verdict, [*reasons, "only_a_thumbnail", "clip_cut_short"])


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0},
        {"temperature": -1},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"bias": math.nan},
        {"no_traces_below": 0.8},
        {"no_traces_below": -0.1},
        {"fake_above": 1.1},
        {"fake_above": math.nan},
        {"bias": "much"},
        {"bias": None},
    ],
)
def test_a_calibration_that_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    sound = {"temperature": 1, "bias": 0, "no_traces_below": 0.3, "fake_above": 0.7}
    for medium in MEDIA:
        with pytest.raises(ModelUnavailable, match="calibration"):
            Calibrations.from_card({"calibration": {**dict.fromkeys(MEDIA, sound), medium: {**sound, **change}}})


@pytest.mark.parametrize("missing", MEDIA)
def test_a_card_tells_of_each_medium(missing: str) -> None:
    media = {
        medium: {"temperature": number, "bias": 0, "no_traces_below": 0.3, "fake_above": 0.7}
        for number, medium in enumerate(MEDIA, start=1)
    }
    read = Calibrations.from_card({"calibration": media})
    assert [read.of(medium).temperature for medium in ("picture", "frame", "video")] == [1, 2, 3]
    del media[missing]
    with pytest.raises(ModelUnavailable, match="calibration"):
        Calibrations.from_card({"calibration": media})


def test_a_logit_can_be_had_back_from_its_log_odds() -> None:
    calibration = Calibration(1.7, -0.3, 0.3, 0.7)
    assert calibration.logit(calibration.log_odds(2.5)) == pytest.approx(2.5)


@pytest.mark.parametrize("card", [{}, {"calibration": {}}, {"calibration": None}, {"calibration": [1, 2]}])
def test_a_card_without_calibration_is_refused(card: dict[str, object]) -> None:
    with pytest.raises(ModelUnavailable, match="calibration"):
        Calibrations.from_card(card)


@pytest.mark.parametrize(
    ("probability", "words"),
    [(0.0, "<1%"), (0.0099, "<1%"), (0.01, "1%"), (0.125, "12%"), (0.99, "99%"), (0.9901, ">99%"), (1.0, ">99%")],
)
def test_no_figure_is_told_as_certain(probability: float, words: str) -> None:
    assert spell_probability(probability) == words
