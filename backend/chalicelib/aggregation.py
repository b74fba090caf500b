"""How the frames of one face become one score, and how sure that is. Pure arithmetic on calibrated log-odds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import fsum

Rule = Callable[[Sequence[float]], float]

# Log-odds from which a frame counts as sure: a probability of .8.
SURE = 1.386
# Part of the frames that the highest ones are.
TOP = 0.25


def average(odds: Sequence[float]) -> float:
    """Return the mean."""
    return fsum(odds) / len(odds)


def trust_the_confident(odds: Sequence[float]) -> float:
    """Return the mean of the frames that are sure, if enough of them agree, else of all.

    Many frames that are sure of a fake outweigh the rest, which may show a good moment of it; that they are sure of a
    real face must nearly all say. The bounds are those of the winner of the Deepfake Detection Challenge: more than a
    part in 2.5 for fake, nine in ten for real (Seferbekov, "dfdc_deepfake_challenge", 2020).
    """
    fake = [one for one in odds if one > SURE]
    if len(fake) > len(odds) / 2.5:
        return average(fake)
    real = [one for one in odds if one < -SURE]
    return average(real) if len(real) > 0.9 * len(odds) else average(odds)


def average_the_highest(odds: Sequence[float]) -> float:
    """Return the mean of the highest quarter: a clip is as fake as its worst moments."""
    kept = max(1, round(TOP * len(odds)))
    return average(sorted(odds)[-kept:])


RULES: dict[str, Rule] = {
    "mean": average,
    "confident": trust_the_confident,
    "top": average_the_highest,
}
# The one that serves: training/reports/ has how they compare.
SERVED = "mean"


def aggregate(odds: Sequence[float], rule: str = SERVED) -> float:
    """Return the log-odds of a face from those of the frames that show it.

    Args:
        odds: at least one, in any order.
        rule: a name of `RULES`.
    """
    return RULES[rule](odds)


def count_independent(frames: int, correlation: float) -> float:
    """Return how many independent frames the frames of one face are worth.

    It is Kish's (1965) effective size of a cluster, n / (1 + (n − 1) ρ): 1 for one frame, and never more than 1 / ρ
    however long the clip. The mean of the frames' log-odds times this is the log-odds of the clip where they are
    normally distributed within each class with one variance, and correlated alike.

    Args:
        frames: n, how many show the face; at least 1.
        correlation: ρ of two frames of a clip within a class, 0 to 1.
    """
    return frames / (1 + (frames - 1) * correlation)
