"""Logits become calibrated probabilities, and those become verdicts. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from chalicelib.aggregation import SERVED, aggregate, count_independent
from chalicelib.errors import ModelUnavailable
from chalicelib.schema import FaceVerdict, PictureVerdict, Reason

Medium = Literal["picture", "frame", "video"]

# Usable frames that a track needs before it is judged.
LEAST_FRAMES = 4

# Beyond these no whole per cent is told: nothing is as sure as that.
TOLD = (0.01, 0.99)

_WORST_FIRST: tuple[FaceVerdict, ...] = ("likely_fake", "uncertain", "no_traces")


@dataclass(frozen=True, slots=True)
class Calibration:
    """How one detector's logits of one medium are to be read; fitted on held-out groups.

    Attributes:
        temperature: > 0; divides the logit.
        bias: added after the division.
        no_traces_below: probability under which a face is `no_traces`: this model found none.
        fake_above: probability over which a face is `likely_fake`; ≥ `no_traces_below`.
    """

    temperature: float
    bias: float
    no_traces_below: float
    fake_above: float

    def __post_init__(self) -> None:
        if not self.temperature > 0 or not math.isfinite(self.temperature):
            raise ValueError(f"temperature must be above 0. Received: {self.temperature}")
        if not math.isfinite(self.bias):
            raise ValueError(f"bias must be a number. Received: {self.bias}")
        if not 0 <= self.no_traces_below <= self.fake_above <= 1:
            raise ValueError(
                "0 ≤ no_traces_below ≤ fake_above ≤ 1 must hold. "
                f"Received: no_traces_below={self.no_traces_below}, fake_above={self.fake_above}"
            )

    def log_odds(self, logit: float) -> float:
        """Return the calibrated log-odds of *fake*."""
        return logit / self.temperature + self.bias

    def logit(self, log_odds: float) -> float:
        """Return the logit that has these calibrated log-odds."""
        return (log_odds - self.bias) * self.temperature

    def probability(self, logit: float) -> float:
        """Return the calibrated probability of *fake*, 0–1.

        Raises:
            ModelUnavailable: the logit is not a finite number; that must never pass for a verdict.
        """
        return to_probability(self.log_odds(logit))


def to_probability(log_odds: float) -> float:
    """Return the probability, 0–1, of log-odds.

    Raises:
        ModelUnavailable: they are not a finite number; that must never pass for a verdict.
    """
    if not math.isfinite(log_odds):
        raise ModelUnavailable("The model gave no usable score.")
    # The form whose exponent is never positive cannot overflow.
    small = math.exp(-abs(log_odds))
    return (1 if log_odds >= 0 else small) / (1 + small)


@dataclass(frozen=True, slots=True)
class Calibrations:
    """How one detector's logits are to be read, by what was judged.

    Attributes:
        picture: a face in a still picture.
        frame: a face in one frame of a moving picture, judged alone.
        video: a face over `LEAST_FRAMES` frames or more, by their aggregated logit.
        frame_correlation: 0–1, how far frames of one clip repeat each other; with 1, that of cards that do not state
            it, a clip is as unsure as one of its frames.
    """

    picture: Calibration
    frame: Calibration
    video: Calibration
    frame_correlation: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.frame_correlation <= 1:
            raise ValueError(f"frame_correlation must lie within 0 and 1. Received: {self.frame_correlation}")

    @classmethod
    def alike(cls, calibration: Calibration) -> Calibrations:
        """Read all media in one way."""
        return cls(calibration, calibration, calibration)

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> Calibrations:
        """Read the `calibration` part of a model card: an object with the fields of `Calibration` for each medium,
        and `frame_correlation`.

        Raises:
            ModelUnavailable: it, or what it says of a medium, is missing or makes no sense.
        """
        try:
            media = card["calibration"]
            return cls(
                **{medium: _read(media[medium]) for medium in ("picture", "frame", "video")},
                frame_correlation=float(media.get("frame_correlation", 1.0)),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelUnavailable("The model card has no usable calibration.") from error

    def of(self, medium: Medium) -> Calibration:
        """Return that of a medium."""
        media: dict[Medium, Calibration] = {"picture": self.picture, "frame": self.frame, "video": self.video}
        return media[medium]

    def track_log_odds(self, logits: Sequence[float], rule: str = SERVED) -> float:
        """Return the calibrated log-odds of *fake* of one face by the frames of a clip that show it.

        They are those of the frames, aggregated, times the number of independent frames that these are worth: more
        frames that say the same are surer, each by less than the one before.

        Args:
            logits: the detector's answers, one a usable frame, at least one.
            rule: how several become one; see `chalicelib.aggregation`.
        """
        calibration = self.video if len(logits) >= LEAST_FRAMES else self.frame
        odds = aggregate([self.frame.log_odds(logit) for logit in logits], rule)
        evidence = count_independent(len(logits), self.frame_correlation)
        return calibration.log_odds(self.frame.logit(odds)) * evidence


def _read(numbers: Mapping[str, Any]) -> Calibration:
    return Calibration(**{name: float(numbers[name]) for name in Calibration.__dataclass_fields__})


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


def judge_face(logit: float, flaws: Sequence[Reason], calibration: Calibration) -> Judgement:
    """Judge one face.

    Args:
        logit: the detector's answer.
        flaws: why the face cannot be judged, as `quality.find_flaws` tells; with any it is `uncertain` whatever its
            score, which is still shown.
        calibration: of that detector for the medium.
    """
    probability = round(calibration.probability(logit), 4)
    return Judgement(probability, "uncertain", tuple(flaws)) if flaws else _band(probability, calibration)


def judge_track(logits: Sequence[float], flaws: Sequence[Sequence[Reason]], calibrations: Calibrations) -> Judgement:
    """Judge one face by the frames of a clip that show it.

    Its score is that of `Calibrations.track_log_odds` of the usable frames, those without a flaw. With fewer than
    `LEAST_FRAMES` of them it is `uncertain` whatever its score, which is still shown; where none is usable, the mean
    of all, as unsure as that of one frame.

    Args:
        logits: the detector's answers, one a frame, at least one.
        flaws: of the face in each frame; see `judge_face`.
        calibrations: of that detector.
    """
    usable = [logit for logit, found in zip(logits, flaws, strict=True) if not found]
    odds = (
        calibrations.track_log_odds(usable)
        if usable
        else aggregate([calibrations.frame.log_odds(logit) for logit in logits])
    )
    probability = round(to_probability(odds), 4)
    if len(usable) >= LEAST_FRAMES:
        return _band(probability, calibrations.video)
    met = dict.fromkeys(flaw for found in flaws for flaw in found)
    return Judgement(probability, "uncertain", ("too_few_frames", *met))


def _band(probability: float, calibration: Calibration) -> Judgement:
    if probability > calibration.fake_above:
        return Judgement(probability, "likely_fake")
    if probability < calibration.no_traces_below:
        return Judgement(probability, "no_traces")
    return Judgement(probability, "uncertain", ("between_thresholds",))


def judge_picture(faces: Sequence[Judgement], faces_left_out: int = 0) -> PictureJudgement:
    """Judge a picture by its worst face.

    The worst verdict comes first (likely_fake, uncertain, no_traces); among the faces that share it, the
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


def judge_clip(
    tracks: Sequence[Judgement], *, frames_left_out: int = 0, cut_short: bool = False, still: bool = False
) -> PictureJudgement:
    """Judge a clip by its worst track, as a picture by its worst face.

    A face that passes by in too few frames to be judged does not hold back the verdict on one that stays, unless these
    frames look fake: then the clip is `uncertain` at least.

    Args:
        tracks: judgements of the faces that were followed.
        frames_left_out: frames in which a face that is large enough was left out. Fewer than a track needs to be
            judged are not told: one of them is most often no face at all.
        cut_short: whether frames are missing at the end.
        still: whether the clip has one frame only.
    """
    lasting = [track for track in tracks if "too_few_frames" not in track.reasons]
    suspect = [track for track in tracks if track not in lasting and track.probability >= 0.5]
    judged = judge_picture(
        [*lasting, *suspect] if lasting else tracks,
        faces_left_out=frames_left_out if frames_left_out >= LEAST_FRAMES else 0,
    )
    extra: dict[Reason, bool] = {"only_a_thumbnail": still, "clip_cut_short": cut_short}
    return replace(judged, reasons=(*judged.reasons, *(reason for reason, holds in extra.items() if holds)))


def format_verdict(verdict: str) -> str:
    """Return a verdict in words, small, such as `likely fake`."""
    return "no traces found" if verdict == "no_traces" else verdict.replace("_", " ")


def spell_probability(probability: float) -> str:
    """Return a probability as whole per cent; what rounds to none or all is `<1%` or `>99%`."""
    least, most = TOLD
    if least <= probability <= most:
        return f"{probability:.0%}"
    return f"<{least:.0%}" if probability < least else f">{most:.0%}"
