"""How the answers to the views of a face become one, learnt on held-out faces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chalicelib.face_views import ViewRule
from training.calibration import fit_platt
from training.crops import join_views
from training.metrics import auc

# A square round the eyes and the nose, and what it counts until that is learnt. A second one round the mouth gained
# nothing on held-out faces, and costs as much again.
PROPOSED = ViewRule(places=((0.5, 0.4),), weight=0.4)
# What the squares may count: in steps, since a few hundred faces know no better.
WEIGHTS = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)
# A rule that makes logits more than this many times as large, or as small, was learnt from too little.
MOST_SCALE = 2.5
# Faces of each class that must have squares, and that must have none, before anything is learnt.
LEAST_FACES = 30


def fit_rule(labels: np.ndarray, logits: Sequence[np.ndarray], proposed: ViewRule = PROPOSED) -> ViewRule:
    """Learn what the squares count, and put faces with squares and without on one scale.

    The weight is the one of `WEIGHTS` that ranks the faces with squares best. Scale and bias make their joint logit
    mean what the logit of a face without squares means: both are regressions on one number (Platt 1999), set equal.

    Args:
        labels: int [N] of held-out faces, 1 fake.
        logits: of each face those of its views, as `training.crops.predict_views` returns them.
        proposed: the rule that the views were cut by, kept where there are too few faces to learn another.

    Returns:
        The rule, with the places of `proposed`.
    """
    squared = np.array([len(own) > 1 for own in logits], bool)
    if not _is_enough(labels, squared):
        return proposed
    large = [own for own, kept in zip(logits, squared, strict=True) if kept]
    best = max(WEIGHTS, key=lambda weight: auc(labels[squared], join_views(large, ViewRule(proposed.places, weight))))
    rule = ViewRule(proposed.places, best)
    if not _is_enough(labels, ~squared):
        return rule
    try:
        slope, bias = fit_platt(labels[squared], join_views(large, rule))
        own_slope, own_bias = fit_platt(labels[~squared], np.array([own[0] for own in logits if len(own) == 1]))
    except ValueError:
        # Fakes of one of both rank below reals: nothing can be said of its scale.
        return rule
    scale = float(np.clip(slope / own_slope, 1 / MOST_SCALE, MOST_SCALE))
    return ViewRule(proposed.places, best, scale, (bias - own_bias) / own_slope)


def _is_enough(labels: np.ndarray, kept: np.ndarray) -> bool:
    return all((labels[kept] == label).sum() >= LEAST_FACES for label in (0, 1))
