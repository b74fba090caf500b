"""What a network of ours is taught by: the label, where a face is forged, and what a teacher says."""

from __future__ import annotations

import keras
from keras import ops

# A cell counts as forged from this share on, and as untouched up to that one; what lies between teaches nothing.
INSIDE = 0.4
OUTSIDE = 0.02
# Evidence, as a logit, that a forged cell should reach.
MARGIN = 2.0
# From this difference of two logits on, a teacher's word counts by the difference and no more by its square.
FAR = 2.0


@keras.saving.register_keras_serializable(package="unmask")
class TaughtLoss(keras.losses.Loss):
    """Cross entropy of the logit, what the evidence map shows in the wrong place, and the distance from a teacher.

    Where nothing was forged, on real faces too, evidence above nought costs what it is; where something was, evidence
    below `MARGIN` costs what it lacks. The logit is the mean of the cells, so a forgery of few cells has to be shown
    the more strongly there. Cells of fakes whose forged part nobody knows are left alone.

    A student learns from its teacher's logits rather than from probabilities (Ba & Caruana 2014).
    """

    def __init__(
        self,
        map_weight: float = 0.0,
        label_smoothing: float = 0.0,
        distilled: float = 0.0,
        selective: bool = False,
        name: str = "taught_loss",
    ) -> None:
        """Take how much each part counts.

        Args:
            map_weight: of the cells, against the logit; ≥ 0. The answers hold them even where it is 0.
            label_smoothing: in [0, 1).
            distilled: share of the logit's loss that is the distance from the teacher, 0 to 1. Above 0 the last answer
                is the teacher's logit.
            selective: whether the last target says of each view if the teacher is asked about it.
            name: of the loss.
        """
        super().__init__(name=name)
        self._map_weight, self._smoothing, self._distilled = map_weight, label_smoothing, distilled
        self._selective = selective

    def call(self, targets: keras.KerasTensor, answers: keras.KerasTensor) -> keras.KerasTensor:
        """Return the loss of each view [N].

        Args:
            targets: [N, 1 + cells]: the label, and of each cell the share that was forged, below 0 where nobody knows;
                [N, 1 + cells + 1] where selective: 1 where the teacher is asked, 0 where the label alone counts.
            answers: [N, 1 + cells] or, with a teacher, [N, 1 + cells + 1]; see `training.learners`.
        """
        labels, logits = targets[:, 0], answers[:, 0]
        smooth = labels * (1 - self._smoothing) + 0.5 * self._smoothing
        loss = ops.softplus(logits) - smooth * logits
        if self._distilled:
            away = ops.abs(logits - answers[:, -1])
            distance = ops.where(away < FAR, 0.5 * away * away, FAR * (away - 0.5 * FAR))
            share = self._distilled * (targets[:, -1] if self._selective else 1.0)
            loss = (1 - share) * loss + share * distance
        if self._map_weight:
            covered = targets[:, 1:-1] if self._selective else targets[:, 1:]
            evidence = answers[:, 1 : 1 + covered.shape[1]]
            inside = ops.cast(covered >= INSIDE, evidence.dtype)
            outside = ops.cast(ops.logical_and(covered >= 0, covered <= OUTSIDE), evidence.dtype)
            wrong = inside * ops.relu(MARGIN - evidence) + outside * ops.relu(evidence)
            loss = loss + self._map_weight * ops.mean(wrong, axis=1)
        return loss

    def get_config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {
            "map_weight": self._map_weight,
            "label_smoothing": self._smoothing,
            "distilled": self._distilled,
            "selective": self._selective,
            "name": self.name,
        }


@keras.saving.register_keras_serializable(package="unmask")
class LogitAccuracy(keras.metrics.MeanMetricWrapper):
    """The share of views whose first answer is on the right side of nought."""

    def __init__(self, name: str = "accuracy", dtype: str | None = None) -> None:
        super().__init__(_is_right, name=name, dtype=dtype)

    def get_config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"name": self.name, "dtype": self.dtype}


def _is_right(targets: keras.KerasTensor, answers: keras.KerasTensor) -> keras.KerasTensor:
    return ops.cast((targets[:, 0] > 0.5) == (answers[:, 0] > 0), "float32")
