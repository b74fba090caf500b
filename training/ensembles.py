"""Several networks as one: joined, and weighed on pictures that none of them was trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold

from training.metrics import auc
from training.networks.joining import JoinedEvidence, JoinedLogits

OBJECTIVES = ("auc", "log_loss")
# Weight that a step of the search takes from one member and gives to another, from coarse to fine.
STEPS = (0.4, 0.2, 0.1, 0.05)
# What a step must gain. Less is chance, and a member that gains no more is not worth its time.
LEAST_GAIN = {"auc": 5e-4, "log_loss": 5e-4}
FOLDS = 5


def join(
    members: Sequence[keras.Model],
    weights: Sequence[float],
    space: str = "probability",
    *,
    slopes: Sequence[float] | None = None,
    biases: Sequence[float] | None = None,
    name: str = "ensemble",
) -> keras.Model:
    """Make one network of several.

    Members of weight 0 are left out. The input has the side of the largest member; the others see it made smaller.

    Args:
        members: networks from a square crop to a logit; ensembles may be members.
        weights: ≥ 0, one a member.
        space: where the mean is taken, "probability" or "logit".
        slopes: what each member's logit is multiplied by, 1 where None.
        biases: what is added then, 0 where None.
        name: of the network.

    Returns:
        float32 [N, S, S, 3] in [-1, 1] to a logit [N, 1]. It has a layer "evidence" where all members do.

    Raises:
        ValueError: numbers do not match, or the weights make no mean.
    """
    slopes = [1.0] * len(members) if slopes is None else slopes
    biases = [0.0] * len(members) if biases is None else biases
    if not len(members) == len(weights) == len(slopes) == len(biases):
        raise ValueError(f"a member needs a weight, a slope and a bias. Received: {len(members)} and {len(weights)}")
    if not members or min(weights) < 0 or not sum(weights) > 0:
        raise ValueError(f"weights must not be below 0, nor all be 0. Received: {list(weights)}")
    kept = [i for i, weight in enumerate(weights) if weight > 0]
    chosen = [members[i] for i in kept]
    shares, slopes, biases = [weights[i] for i in kept], [slopes[i] for i in kept], [biases[i] for i in kept]
    inputs, logits, maps = _line_up(chosen)
    logit = JoinedLogits(shares, slopes, biases, space, name="joined_logit")(logits)
    if maps:
        size = max(single.shape[1] for single in maps)
        evidence = JoinedEvidence(shares, slopes, size, name="evidence")([logit, *maps])
        logit = keras.layers.GlobalAveragePooling2D(name="logit")(evidence)
    return keras.Model(inputs, logit, name=name)


def score_apart(members: Sequence[keras.Model]) -> keras.Model:
    """Return a network from the crop that `join` takes to the logit of each member, [N, M]."""
    inputs, logits, _ = _line_up(members)
    joined = keras.layers.Concatenate()(logits) if len(logits) > 1 else logits[0]
    return keras.Model(inputs, joined, name="members")


def _line_up(
    members: Sequence[keras.Model],
) -> tuple[keras.KerasTensor, list[keras.KerasTensor], list[keras.KerasTensor]]:
    """Return an input, the logit of each member for it, and the map of each where all have one."""
    mapped = all(_has_evidence(member) for member in members)
    side = max(_side(member) for member in members)
    inputs = keras.Input((side, side, 3))
    logits, maps = [], []
    for number, member in enumerate(members, start=1):
        view = inputs
        if _side(member) != side:
            view = keras.layers.Resizing(
                _side(member), _side(member), interpolation="bilinear", antialias=True, name=f"resizing_{number}"
            )(inputs)
        outputs = [member.output, member.get_layer("evidence").output] if mapped else [member.output]
        # Two members may bear one name.
        logit, *own_map = keras.Model(member.input, outputs, name=f"member_{number}_{member.name}")(view)
        logits.append(logit)
        maps += own_map
    return inputs, logits, maps


def _side(network: keras.Model) -> int:
    return int(network.input_shape[1])


def _has_evidence(network: keras.Model) -> bool:
    return any(layer.name == "evidence" for layer in network.layers)


def mix(logits: np.ndarray, weights: Sequence[float] | np.ndarray, space: str = "probability") -> np.ndarray:
    """Return the joint logits [N] of calibrated logits [N, M], as the network of `join` answers."""
    shares = np.asarray(weights, float) / np.sum(weights)
    if space == "logit":
        return logits @ shares
    logarithms = np.log(np.maximum(shares, 1e-300))
    fake, real = (np.logaddexp.reduce(logarithms - np.logaddexp(0, -odds), axis=1) for odds in (logits, -logits))
    return np.asarray(fake - real)


@dataclass(frozen=True, slots=True)
class Weighing:
    """What was found on validation.

    Attributes:
        weights: [M], they add up to 1; 0 for a member that gains nothing.
        auc: of the ensemble on the pictures that the weights were found on.
        held_out_auc: mean AUC of folds by group, each scored with weights found on the other folds; NaN where there
            are too few groups.
        average_auc: of the plain average, all members weighing the same.
    """

    weights: np.ndarray
    auc: float
    held_out_auc: float
    average_auc: float


def find_weights(
    labels: np.ndarray,
    logits: np.ndarray,
    groups: Sequence[str],
    *,
    space: str = "probability",
    objective: str = "auc",
) -> Weighing:
    """Find the weights that serve best, from the best single member on, by moving weight from one to another.

    The same pictures always give the same weights.

    Args:
        labels: int [N] of validation pictures, 1 fake, 0 real.
        logits: float [N, M], calibrated, so that all members speak of the same odds.
        groups: the group of each picture.
        space: where the mean is taken, "probability" or "logit".
        objective: "auc", or "log_loss".

    Raises:
        ValueError: a class is missing, or the objective is unknown.
    """
    if objective not in OBJECTIVES:
        raise ValueError(f"objective must be one of {', '.join(OBJECTIVES)}. Received: {objective!r}")
    if len(set(labels.tolist())) < 2:
        raise ValueError("weights can be found on real and fake pictures only")
    weights = _climb(labels, logits, space, objective)
    return Weighing(
        weights=weights,
        auc=auc(labels, mix(logits, weights, space)),
        held_out_auc=_score_held_out(labels, logits, groups, space, objective),
        average_auc=auc(labels, mix(logits, np.ones(logits.shape[1]), space)),
    )


def _climb(labels: np.ndarray, logits: np.ndarray, space: str, objective: str) -> np.ndarray:
    measure = _make_measure(labels, logits, space, objective)
    count = logits.shape[1]
    singles = [measure(single) for single in np.eye(count)]
    weights = np.eye(count)[int(np.argmax(singles))]
    best = max(singles)
    for step in STEPS:
        while True:
            moves = [
                weights + step * (np.eye(count)[to] - np.eye(count)[of])
                for of in range(count)
                for to in range(count)
                if to != of and weights[of] >= step - 1e-9
            ]
            scores = [measure(move) for move in moves]
            if not scores or max(scores) < best + LEAST_GAIN[objective]:
                break
            best = max(scores)
            # Sums of steps, kept from drifting.
            weights = np.round(moves[int(np.argmax(scores))], 4)
    return weights


def _to_probabilities(logits: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -logits))


def _make_measure(labels: np.ndarray, logits: np.ndarray, space: str, objective: str) -> Callable[[np.ndarray], float]:
    """Return what tells how good weights are; more is better."""
    if objective == "auc":
        return lambda weights: auc(labels, mix(logits, weights, space))
    return lambda weights: -float(log_loss(labels, _to_probabilities(mix(logits, weights, space))))


def _score_held_out(labels: np.ndarray, logits: np.ndarray, groups: Sequence[str], space: str, objective: str) -> float:
    names = np.asarray(groups)
    if min(len(set(names[labels == label])) for label in (0, 1)) < FOLDS:
        return float("nan")
    scores = []
    for found, held in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(logits, labels, names):
        weights = _climb(labels[found], logits[found], space, objective)
        scores.append(auc(labels[held], mix(logits[held], weights, space)))
    return float(np.mean(scores))
