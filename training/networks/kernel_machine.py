"""The decision function of a support vector machine, as a layer whose weights are its support vectors."""

from __future__ import annotations

from typing import Any

import keras

KERNELS = ("linear", "poly", "rbf")


@keras.saving.register_keras_serializable(package="unmask")
class SupportVectors(keras.layers.Layer):
    """Σᵢ aᵢ·k(x, vᵢ) + b over support vectors vᵢ (Cortes & Vapnik 1995): features [N, D] to a logit [N, 1].

    The kernels are k(x, v) = ⟨x, v⟩, (γ·⟨x, v⟩ + c)^d and exp(−γ·|x − v|²). Nothing of it is trained by gradients:
    `training.support_vectors` sets the weights.
    """

    def __init__(
        self, count: int, kernel: str, gamma: float = 1.0, degree: int = 3, offset: float = 0.0, **options: Any
    ) -> None:
        """Take what a fitted machine states.

        Args:
            count: number of support vectors.
            kernel: one of `KERNELS`.
            gamma: γ, of poly and rbf.
            degree: d, of poly.
            offset: c, of poly.
            **options: of every layer.

        Raises:
            ValueError: the kernel is none of them.
        """
        super().__init__(trainable=False, **{name: value for name, value in options.items() if name != "trainable"})
        if kernel not in KERNELS:
            raise ValueError(f"kernel must be one of {', '.join(KERNELS)}. Received: {kernel!r}")
        self.count, self.kernel, self.gamma, self.degree, self.offset = count, kernel, gamma, degree, offset

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make room for vectors [count, D], coefficients [count, 1] and the intercept [1]."""
        self.vectors = self.add_weight(shape=(self.count, input_shape[-1]), name="vectors")
        self.coefficients = self.add_weight(shape=(self.count, 1), name="coefficients")
        self.intercept = self.add_weight(shape=(1,), name="intercept")

    def call(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """Return the decision function [N, 1] of features [N, D]."""
        ops = keras.ops
        products = ops.matmul(features, ops.transpose(self.vectors))
        if self.kernel == "rbf":
            own = ops.sum(ops.square(features), axis=-1, keepdims=True)
            theirs = ops.sum(ops.square(self.vectors), axis=-1)
            # Rounding may take the distance of a vector from itself below nought.
            products = ops.exp(-self.gamma * ops.maximum(own + theirs - 2 * products, 0.0))
        elif self.kernel == "poly":
            products = ops.power(self.gamma * products + self.offset, self.degree)
        return ops.matmul(products, self.coefficients) + self.intercept

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return [N, 1]."""
        return (input_shape[0], 1)

    def get_config(self) -> dict[str, Any]:
        """Return what builds this layer again."""
        own = {name: getattr(self, name) for name in ("count", "kernel", "gamma", "degree", "offset")}
        return {**super().get_config(), **own}
