"""What makes one answer of several networks' answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

SPACES = ("probability", "logit")


@keras.saving.register_keras_serializable(package="unmask")
class JoinedLogits(keras.layers.Layer):
    """A weighted mean of calibrated logits, or of the probabilities that they stand for, as a logit again."""

    def __init__(
        self,
        weights: Sequence[float],
        slopes: Sequence[float],
        biases: Sequence[float],
        space: str = "probability",
        **options: Any,
    ) -> None:
        """Take a weight, a slope and a bias a member.

        Args:
            weights: above 0; they are made to add up to 1.
            slopes: what each member's logit is multiplied by, so that all speak of the same odds.
            biases: what is added then.
            space: where the mean is taken, one of `SPACES`.
            **options: of every layer.

        Raises:
            ValueError: the space is unknown, or the weights make no mean.
        """
        super().__init__(**options)
        if space not in SPACES:
            raise ValueError(f"space must be one of {', '.join(SPACES)}. Received: {space!r}")
        if not min(weights) > 0:
            raise ValueError(f"weights must be above 0. Received: {list(weights)}")
        self.member_weights = [float(weight) / sum(weights) for weight in weights]
        self.slopes, self.biases = [float(v) for v in slopes], [float(v) for v in biases]
        self.space = space

    def call(self, logits: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        """Return a logit [N, 1] for M logits [N, 1]."""
        ops = keras.ops
        slopes, biases, shares = (
            ops.convert_to_tensor([values], dtype=self.compute_dtype)
            for values in (self.slopes, self.biases, self.member_weights)
        )
        odds = ops.concatenate(logits, axis=-1) * slopes + biases
        if self.space == "logit":
            return ops.sum(odds * shares, axis=-1, keepdims=True)
        # In logarithms, so that members that are sure of themselves are still told apart.
        fake, real = (
            ops.logsumexp(ops.log_sigmoid(o) + ops.log(shares), axis=-1, keepdims=True) for o in (odds, -odds)
        )
        return fake - real

    def compute_output_shape(self, input_shape: Sequence[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        """Return [N, 1]."""
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        """Return what builds this layer again."""
        return {
            **super().get_config(),
            "weights": self.member_weights,
            "slopes": self.slopes,
            "biases": self.biases,
            "space": self.space,
        }


@keras.saving.register_keras_serializable(package="unmask")
class JoinedEvidence(keras.layers.Layer):
    """A weighted mean of the members' maps, moved so that its mean is the joint logit.

    Enlarging a map moves its mean a little, and a mean of probabilities is no mean of logits: the move makes up for
    both and leaves the differences between places as they are.
    """

    def __init__(self, weights: Sequence[float], slopes: Sequence[float], side: int, **options: Any) -> None:
        """Take a weight and a slope a member, as `JoinedLogits` does, and the side of the joint map."""
        super().__init__(**options)
        self.member_weights = [float(weight) / sum(weights) for weight in weights]
        self.slopes, self.side = [float(v) for v in slopes], int(side)

    def call(self, inputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        """Return a map [N, side, side, 1] for the joint logit [N, 1] and M maps [N, h, w, 1]."""
        ops = keras.ops
        logit, *maps = inputs
        size = (self.side, self.side)
        members = zip(maps, self.member_weights, self.slopes, strict=True)
        joined = sum(
            weight * slope * ops.image.resize(own, size, data_format="channels_last") for own, weight, slope in members
        )
        return joined + ops.reshape(logit, (-1, 1, 1, 1)) - ops.mean(joined, axis=(1, 2), keepdims=True)

    def compute_output_shape(self, input_shape: Sequence[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        """Return [N, side, side, 1]."""
        return (input_shape[0][0], self.side, self.side, 1)

    def get_config(self) -> dict[str, Any]:
        """Return what builds this layer again."""
        own = {"weights": self.member_weights, "slopes": self.slopes, "side": self.side}
        return {**super().get_config(), **own}
