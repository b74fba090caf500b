"""The two thresholds of a verdict, so chosen that what they promise holds for sources that took no part in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.promise import LOW_FAKES, REAL_ALARMS, describe_promise

# A source of fewer pictures is pooled with the others that are as small, and weighs less than the rest.
LEAST_OF_SOURCE = 20
SMALL = f"sources of under {LEAST_OF_SOURCE} pictures"


@dataclass(frozen=True, slots=True)
class Scores:
    """Calibrated scores of one class.

    Attributes:
        odds: log-odds of *fake*, float [N].
        masses: weight of each, float [N], 1 in all.
        strata: the source of each real picture, the family of each fake; str [N].
        groups: a number for each group, int [N]; pictures of one group are one witness.
    """

    odds: np.ndarray
    masses: np.ndarray
    strata: np.ndarray
    groups: np.ndarray

    @classmethod
    def weigh(
        cls, odds: np.ndarray, strata: np.ndarray, groups: np.ndarray, weights: np.ndarray | None = None
    ) -> Scores:
        """Give every stratum the same mass, but less to one of fewer than `LEAST_OF_SOURCE` scores.

        Args:
            odds: float [N].
            strata: str [N].
            groups: int [N].
            weights: of each score within its stratum, float [N]; all the same where None.
        """
        weights = np.ones(len(odds)) if weights is None else weights
        _, inverse, counts = np.unique(strata, return_inverse=True, return_counts=True)
        shares = weights / np.bincount(inverse, weights)[inverse]
        masses = shares * np.minimum(counts, LEAST_OF_SOURCE)[inverse]
        return cls(odds, masses / masses.sum(), strata, groups)

    def pool(self, other: Scores, share: float) -> Scores:
        """Return both together, the other having this share of the mass."""
        return Scores(
            np.concatenate([self.odds, other.odds]),
            np.concatenate([self.masses * (1 - share), other.masses * share]),
            np.concatenate([self.strata, other.strata]),
            np.concatenate([self.groups, other.groups]),
        )

    def without(self, strata: Sequence[str]) -> Scores:
        """Return those of the other strata; there must be some."""
        kept = ~np.isin(self.strata, strata)
        masses = self.masses[kept]
        return Scores(self.odds[kept], masses / masses.sum(), self.strata[kept], self.groups[kept])

    def flip(self) -> Scores:
        """Return them with the signs of their odds changed."""
        return Scores(-self.odds, self.masses, self.strata, self.groups)

    def move(self, odds: np.ndarray) -> Scores:
        """Return them with other odds [N]."""
        return Scores(odds, self.masses, self.strata, self.groups)

    def worth(self) -> float:
        """Return how many independent scores of one mass the groups are worth (Kish 1965)."""
        _, inverse = np.unique(self.groups, return_inverse=True)
        return float(1 / (np.bincount(inverse, self.masses) ** 2).sum())


@dataclass(frozen=True, slots=True)
class Unseen:
    """Fakes of families that a network was trained without, and the fakes that it was trained with.

    A network that was trained without a family says more of strangers than one whose calibration alone left it out.
    Log-odds are those of a calibration that this network's own pictures were given, without these families.

    Attributes:
        seen: fakes of the other families.
        unseen: fakes of the families that were left out.
    """

    seen: Scores
    unseen: Scores


def find_thresholds(real: Scores, fake: Scores, unseen: Sequence[Unseen] = ()) -> tuple[float, float]:
    """Find the log-odds under which a face is called low and over which it is called fake.

    Each is the quantile that keeps the promise on the sources that are known, moved outwards by a margin: the least
    one with which the promise holds where each source is judged by the quantile of the others.

    Args:
        real: of real pictures; at most `REAL_ALARMS` of those of a source left out shall be called fake.
        fake: of fakes; at most `LOW_FAKES` of those of a family left out shall be called low.
        unseen: of networks that were trained without some families.

    Returns:
        The lower and the upper threshold, with 0 between them or at one of them: a network that separates perfectly
        would leave the two crossed, and then there is no doubt to name.
    """
    high = find_bound(real, REAL_ALARMS)
    low = -find_bound(fake.flip(), LOW_FAKES, find_margin(unseen))
    return min(low, high, 0.0), max(high, 0.0)


def find_bound(scores: Scores, share: float, least_margin: float = 0.0) -> float:
    """Return the least value that at most this share of a stratum left out is expected to exceed, over all strata.

    Args:
        scores: of one class. Where they are of one stratum there is nothing to leave out, and the bound is what new
            groups of it are expected to exceed.
        share: the share, in (0, 1).
        least_margin: in log-odds, by which the quantile of all is moved at least.
    """
    names = np.unique(scores.strata)
    bound = _find_quantile(scores, share)
    if len(names) < 2:
        return bound + least_margin
    excess = scores.odds.copy()
    for name in names:
        excess[scores.strata == name] -= _find_quantile(scores.without([name]), share)
    return bound + max(least_margin, _find_quantile(scores.move(excess), share))


def find_margin(unseen: Sequence[Unseen]) -> float:
    """Return by how much, in log-odds, fakes never seen in training ask for a lower threshold than those seen; ≥ 0."""
    if not unseen:
        return 0.0
    deficits = [-one.unseen.odds - _find_quantile(one.seen.flip(), LOW_FAKES) for one in unseen]
    parts = [np.concatenate([getattr(one.unseen, name) for one in unseen]) for name in ("strata", "groups")]
    return max(0.0, _find_quantile(Scores.weigh(np.concatenate(deficits), *parts), LOW_FAKES))


def _find_quantile(scores: Scores, share: float) -> float:
    """Return the least score that at most this share of new ones is expected to exceed.

    The order statistic is Cunnane's (1978), for as many independent scores as the groups are worth: with few groups it
    lies further out than the plain quantile, and with too few to promise anything it is the largest score.
    """
    worth = scores.worth()
    # Of `worth` samples, a share s above the threshold stands for (s × worth + .6) / (worth + .2) of new ones.
    allowed = (share * (worth + 0.2) - 0.6) / worth
    order = np.argsort(scores.odds)[::-1]
    beyond = np.cumsum(scores.masses[order])
    may_exceed = int(np.searchsorted(beyond, allowed + 1e-9, side="right"))
    return float(scores.odds[order][min(may_exceed, len(order) - 1)])


def leave_sources_out(
    real: Scores,
    fake: Scores,
    tried: tuple[Scores, Scores] | None = None,
    unseen: Sequence[Unseen] = (),
) -> dict[str, Any]:
    """Leave each source out in turn, find the thresholds anew without it, and judge it by them.

    Args:
        real: of real pictures.
        fake: of fakes.
        tried: the real and fake scores that are judged, where those that the thresholds rest on hold others too.
        unseen: see `find_thresholds`; unless other scores are tried, a family of these is judged as its network
            judged it.

    Returns:
        As `training.promise.describe_promise`, a row a source of real pictures and a family of fakes. One that is the
        only one of its class cannot be left out and has no row.
    """
    tried_real, tried_fake = tried or (real, fake)
    rows = []
    never_seen = {str(name) for one in unseen for name in one.unseen.strata} if tried is None else set()
    for name, judged in _take_strata(real, tried_real):
        low, high = find_thresholds(real.without([name]), fake, unseen)
        rows.append(_judge(name, "real", judged, low, high))
    for name, judged in _take_strata(fake, tried_fake):
        if name not in never_seen:
            low, high = find_thresholds(real, fake.without([name]), unseen)
            rows.append(_judge(name, "fake", judged, low, high))
    rows += [_judge_unseen(name, real, fake, unseen) for name in sorted(never_seen)]
    return describe_promise(rows)


def _take_strata(known: Scores, tried: Scores) -> list[tuple[str, np.ndarray]]:
    """Return the odds that are tried of each stratum that can be left out."""
    names = np.unique(known.strata)
    if len(names) < 2:
        return []
    return [(str(name), tried.odds[tried.strata == name]) for name in names if (tried.strata == name).any()]


def _judge(name: str, label: str, odds: np.ndarray, low: float, high: float) -> dict[str, Any]:
    return {
        "source": name,
        "label": label,
        "pictures": len(odds),
        "called_fake": float((odds > high).mean()),
        "called_low": float((odds < low).mean()),
    }


def _judge_unseen(name: str, real: Scores, fake: Scores, unseen: Sequence[Unseen]) -> dict[str, Any]:
    """Judge a family as networks did that were trained without it, the margin found without it too.

    A network's log-odds are set against the served one's by the quantile of the fakes that it knows: both promise the
    same there.
    """
    others = [Unseen(one.seen, one.unseen.without([name])) for one in unseen if not (one.unseen.strata == name).all()]
    kept = fake if (fake.strata == name).all() else fake.without([name])
    low, high = find_thresholds(real, kept, others)
    served = -_find_quantile(kept.flip(), LOW_FAKES)
    odds = [
        one.unseen.odds[one.unseen.strata == name] + served + _find_quantile(one.seen.flip(), LOW_FAKES)
        for one in unseen
    ]
    return {**_judge(name, "fake", np.concatenate(odds), low, high), "never_seen": True}


def pool_small(names: Sequence[str] | np.ndarray) -> np.ndarray:
    """Return the names [N] of the strata of N scores: those of fewer than `LEAST_OF_SOURCE` become one."""
    given = np.asarray(names, dtype=object).astype(str)
    _, inverse, counts = np.unique(given, return_inverse=True, return_counts=True)
    return np.where(counts[inverse] < LEAST_OF_SOURCE, SMALL, given)
