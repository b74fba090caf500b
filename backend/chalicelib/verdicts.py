"""Logits become calibrated probabilities, and those become verdicts. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from chalicelib.errors import ModelUnavailable
from chalicelib.schema import FaceVerdict, PictureVerdict, Reason

# Frames that a face must be large enough in before a track is judged.
LEAST_FRAMES = 4

_WORST_FIRST: tuple[FaceVerdict, ...] = ("likely_fake", "uncertain", "likely_real")


@dataclass(frozen=True, slots=True)
class Calibration:
    """How one detector's logits are to be read; fitted on held-out groups of pictures.

    Attributes:
        temperature: > 0; divides the logit.
        bias: added after the division.
        real_below: probability under which a face is `likely_real`.
        fake_above: probability over which a face is `likely_fake`; ≥ `real_below`.
    """

    temperature: float
    bias: float
    real_below: float
    fake_above: float

    def __post_init__(self) -> None:
        if not self.temperature > 0 or not math.isfinite(self.temperature):
            raise ValueError(f"temperature must be above 0. Received: {self.temperature}")
        if not math.isfinite(self.bias):
            raise ValueError(f"bias must be a number. Received: {self.bias}")
        if not 0 <= self.real_below <= self.fake_above <= 1:
            raise ValueError(
                "0 ≤ real_below ≤ fake_above ≤ 1 must hold. "
                f"Received: real_below={self.real_below}, fake_above={self.fake_above}"
            )

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> Calibration:
        """Read the `calibration` part of a model card.

        Raises:
            ModelUnavailable: it is missing or makes no sense.
        """
        try:
            numbers = card["calibration"]
            return cls(**{name: float(numbers[name]) for name in cls.__dataclass_fields__})
        except (KeyError, TypeError, ValueError) as error:
            raise ModelUnavailable("The model card has no usable calibration.") from error

    def log_odds(self, logit: float) -> float:
        """Return the calibrated log-odds of *fake*."""
        return logit / self.temperature + self.bias

    def probability(self, logit: float) -> float:
        """Return the calibrated probability of *fake*, 0–1.

        Raises:
            ModelUnavailable: the logit is not a finite number; that must never pass for a verdict.
        """
        odds = self.log_odds(logit)
        if not math.isfinite(odds):
            raise ModelUnavailable("The model gave no usable score.")
        # The form whose exponent is never positive cannot overflow.
        small = math.exp(-abs(odds))
        return (1 if odds >= 0 else small) / (1 + small)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict on one face, in one picture or throughout a clip.

    Attributes:
        probability: calibrated, 0–1, rounded to four decimals.
        verdict: band of that very number, so that a record can be checked against what it shows.
        reasons: why the verdict is `uncertain`; empty otherwise.
    """

    probability: float
    verdict: FaceVerdict
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class PictureJudgement:
    """A verdict on a picture or clip; `probability` is None where there is no face."""

    probability: float | None
    verdict: PictureVerdict
    reasons: tuple[Reason, ...] = ()


def judge_face(logit: float, larger_side: float, calibration: Calibration, min_face: float) -> Judgement:
    """Judge one face.

    Args:
        logit: the detector's answer.
        larger_side: of the face's box, pixels.
        calibration: of that detector.
        min_face: least larger side, pixels; a smaller face is `uncertain` whatever its score, which is still
            shown.
    """
    probability = round(calibration.probability(logit), 4)
    if larger_side < min_face:
        return Judgement(probability, "uncertain", ("face_too_small",))
    return _band(probability, calibration)


def judge_track(
    logits: Sequence[float], larger_sides: Sequence[float], calibration: Calibration, min_face: float
) -> Judgement:
    """Judge one face by the frames of a clip that show it.

    Its score is the mean of the logits of the usable frames, those that show it large enough. With fewer than
    `LEAST_FRAMES` of them it is `uncertain` whatever its score, which is still shown; where none is usable, the
    score of all.

    Args:
        logits: the detector's answers, one a frame, at least one.
        larger_sides: of the face's boxes, pixels; one a frame.
        calibration: of that detector.
        min_face: least larger side of a usable frame, pixels.
    """
    usable = [logit for logit, side in zip(logits, larger_sides, strict=True) if side >= min_face]
    probability = round(calibration.probability(fmean(usable or logits)), 4)
    if len(usable) >= LEAST_FRAMES:
        return _band(probability, calibration)
    small: tuple[Reason, ...] = ("face_too_small",) if len(usable) < len(logits) else ()
    return Judgement(probability, "uncertain", ("too_few_frames", *small))


def _band(probability: float, calibration: Calibration) -> Judgement:
    if probability > calibration.fake_above:
        return Judgement(probability, "likely_fake")
    if probability < calibration.real_below:
        return Judgement(probability, "likely_real")
    return Judgement(probability, "uncertain", ("between_thresholds",))


def judge_picture(faces: Sequence[Judgement], faces_left_out: int = 0) -> PictureJudgement:
    """Judge a picture by its worst face.

    The worst verdict comes first (likely_fake, uncertain, likely_real); among the faces that share it, the
    highest probability. The picture shows the probability of that face, so that number and verdict always
    belong together: a tiny face at 0.99 is uncertain and does not lift a clear `likely_fake` of 0.93. Its
    reasons are those of all faces that share the verdict.

    Args:
        faces: judgements of the faces that were checked.
        faces_left_out: faces found but not checked.
    """
    extra: tuple[Reason, ...] = ("more_faces_than_checked",) if faces_left_out > 0 else ()
    if not faces:
        return PictureJudgement(None, "no_face", extra)
    worst = min(faces, key=lambda face: (_WORST_FIRST.index(face.verdict), -face.probability))
    reasons = dict.fromkeys(reason for face in faces if face.verdict == worst.verdict for reason in face.reasons)
    return PictureJudgement(worst.probability, worst.verdict, (*reasons, *extra))


def judge_clip(tracks: Sequence[Judgement], frames_cut_short: int = 0) -> PictureJudgement:
    """Judge a clip by its worst track, as a picture by its worst face.

    Args:
        tracks: judgements of the faces that were followed.
        frames_cut_short: frames in which a face that is large enough was left out. Fewer than a track needs to be
            judged are not told: one of them is most often no face at all.
    """
    return judge_picture(tracks, faces_left_out=frames_cut_short if frames_cut_short >= LEAST_FRAMES else 0)
