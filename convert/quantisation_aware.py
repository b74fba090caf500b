"""A network trained to bear its own quantisation: fine-tuned through a twin that rounds as int8 will."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from chalicelib.detector import normalise
from training.networks.student import add_evidence
from training.progress import every

# Peak of the learning rate. Three times as much and more added to the error; see `decisions`.
LEARNING_RATE = 1.5e-5
# Steps after which the ranges are measured anew, since the weights have moved.
REMEASURE = 50
# Share of the average of the weights that each step keeps.
AVERAGE = 0.98
# Logits whose error exceeds this, as outliers do, pull no harder than others.
HUBER = 0.5
# How much errors of the map count beside those of the logit, and those of feature maps, as a share of their variance:
# one number a face says little of which of fifty layers erred.
MAP_WEIGHT = 0.1
FEATURE_WEIGHT = 1.0
# Least range of a tensor, so that one of zeros can be divided by its step.
LEAST = 1e-9
# Crops that ranges are measured on at once.
BATCH = 50

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
_OTHERS = (
    keras.layers.ReLU,
    keras.layers.Add,
    keras.layers.ZeroPadding2D,
    keras.layers.GlobalAveragePooling2D,
)


class Rounding(keras.layers.Layer):
    """Rounds a tensor to the steps that int8 has for its range; gradients pass where nothing is cut off.

    Attributes:
        low, high: the range, float32 scalars that no training moves.
    """

    def __init__(self, bits: int, **options: Any) -> None:
        """Take the bits of a rounded number."""
        super().__init__(**options)
        self._steps = 2**bits - 1

    def build(self, shape: Any) -> None:
        """Make the range."""
        self.low = self.add_weight(name="low", shape=(), initializer="zeros", trainable=False)
        self.high = self.add_weight(name="high", shape=(), initializer="ones", trainable=False)

    def set_range(self, low: float, high: float) -> None:
        """Set the range; nought, which is padded with, is made part of it."""
        self.low.assign(min(low, 0.0))
        self.high.assign(max(high, 0.0))

    def call(self, values: Any) -> Any:
        """Return float32 [...] of the same shape."""
        scale = ops.maximum(self.high - self.low, LEAST) / self._steps
        # Nought is one of the steps, so the range moves by up to half a step.
        below = ops.round(-self.low / scale)
        cut = ops.clip(values, -below * scale, (self._steps - below) * scale)
        return _pass_gradient(cut, ops.round(cut / scale) * scale)


class RoundedConvolution(keras.layers.Layer):
    """A convolution with the weights of another layer, rounded channel by channel as those of int8 are."""

    def __init__(self, convolution: keras.Layer, bits: int, **options: Any) -> None:
        """Take a Conv2D or DepthwiseConv2D, whose weights are used and trained, and the bits of a rounded weight."""
        super().__init__(**options)
        # Weights are symmetric: as many steps to either side of 0.
        self.convolution, self._steps = convolution, 2 ** (bits - 1) - 1

    def call(self, values: Any) -> Any:
        """Return what the layer would, with rounded weights."""
        layer = self.convolution
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        convolve = ops.depthwise_conv if depthwise else ops.conv
        kernel = layer.kernel
        largest = ops.max(ops.abs(kernel), axis=(0, 1) if depthwise else (0, 1, 2), keepdims=True)
        scale = ops.stop_gradient(ops.maximum(largest, LEAST) / self._steps)
        convolved = convolve(
            values,
            _pass_gradient(kernel, ops.round(kernel / scale) * scale),
            strides=tuple(layer.strides),
            padding=layer.padding,
            dilation_rate=tuple(layer.dilation_rate),
        )
        return layer.activation(convolved + layer.bias if layer.use_bias else convolved)


def _pass_gradient(values: Any, rounded: Any) -> Any:
    """Return what was rounded, with the gradient of what was not (Bengio et al. 2013)."""
    return values + ops.stop_gradient(rounded - values)


class Twin:
    """A network, and the same network as int8 computes it; both share their weights.

    Every tensor that int8 keeps is rounded: the input, what activations and sums put out, and convolutions that no
    activation follows. As in `convert.quantisation`, the head stays in float.

    Attributes:
        network: the one without rounding.
        model: float32 [N, S, S, 3] in [-1, 1] to the logit [N, 1] and the map [N, h, w, 1]; with the ranges that
            were measured last.
        features: names of the layers, convolutions and sums without an activation, of which int8 keeps the output.
    """

    def __init__(self, network: keras.Model, bits: int = 8) -> None:
        """Take a student, its normalisations folded.

        Args:
            network: float32 [N, S, S, 3] in [-1, 1] to a logit [N, 1], with a layer "evidence"; its weights become
                trainable, and are changed where `model` is trained.
            bits: of a rounded number; with many of them there is next to nothing to round.

        Raises:
            ValueError: there is no evidence, or a layer of which it is not known how int8 rounds it.
        """
        evidence = next((layer for layer in network.layers if layer.name == "evidence"), None)
        if evidence is None:
            raise ValueError("the network has no layer 'evidence': only students are made to bear rounding")
        self.network = network
        self.features: list[str] = []
        self._roundings: list[Rounding] = []
        readers = _list_readers(network)
        view = keras.Input(network.input.shape[1:])
        made: dict[int, Any] = {}
        kept = []
        for layer in network.layers:
            layer.trainable = True
            node = layer._inbound_nodes[0]
            plain = node.output_tensors[0]
            inputs = [made[id(tensor)] for tensor in node.input_tensors]
            made[id(plain)] = _repeat(layer, inputs, bits) if inputs else view
            if _keeps(layer, readers.get(id(plain), [])):
                self._roundings.append(Rounding(bits, name=f"{layer.name}_rounding"))
                made[id(plain)] = self._roundings[-1](made[id(plain)])
                kept.append(plain)
                if isinstance(layer, (*_CONVOLUTIONS, keras.layers.Add)):
                    self.features.append(layer.name)
        outputs = [made[id(tensor)] for tensor in (network.output, evidence.output)]
        self.model = keras.Model(view, outputs, name=f"{network.name}_rounded")
        self._spans = keras.Model(
            network.input,
            [ops.stack([find(tensor) for tensor in kept]) for find in (ops.min, ops.max)],
        )

    def with_features(self) -> keras.Model:
        """Return `model` with what the layers of `features` put out, rounded, after its two outputs."""
        rounded = [self.model.get_layer(f"{name}_rounding").output for name in self.features]
        return keras.Model(self.model.input, [*self.model.outputs, *rounded])

    def measure_ranges(self, crops: np.ndarray) -> None:
        """Set every range to what the network without rounding spans over crops uint8 RGB [N, S, S, 3], N ≥ 1.

        This is how int8 comes by its ranges too.
        """
        batches = (crops[start : start + BATCH] for start in range(0, len(crops), BATCH))
        spans = [self._spans.predict_on_batch(normalise(batch)) for batch in batches]
        lows = np.min([low for low, _ in spans], axis=0)
        highs = np.max([high for _, high in spans], axis=0)
        for rounding, low, high in zip(self._roundings, lows, highs, strict=True):
            rounding.set_range(float(low), float(high))


def _list_readers(network: keras.Model) -> dict[int, list[keras.Layer]]:
    """Return the layers that read each tensor, by its id."""
    readers: dict[int, list[keras.Layer]] = {}
    for layer in network.layers:
        for tensor in layer._inbound_nodes[0].input_tensors:
            readers.setdefault(id(tensor), []).append(layer)
    return readers


def _repeat(layer: keras.Layer, inputs: list[Any], bits: int) -> Any:
    """Return what a layer puts out in the twin, given what the twin feeds it."""
    if isinstance(layer, keras.layers.Dropout):
        return inputs[0]
    if isinstance(layer, _CONVOLUTIONS) and layer.name != "evidence":
        return RoundedConvolution(layer, bits, name=f"{layer.name}_rounded")(inputs[0])
    if not isinstance(layer, (*_CONVOLUTIONS, *_OTHERS)):
        raise ValueError(f"it is not known how int8 rounds {layer.name}, a {type(layer).__name__}")
    return layer(inputs[0] if len(inputs) == 1 else inputs)


def _keeps(layer: keras.Layer, readers: list[keras.Layer]) -> bool:
    """Tell whether int8 keeps what a layer puts out in steps of its own."""
    if isinstance(layer, _CONVOLUTIONS):
        # A convolution and the activation after it are one operator.
        return layer.name != "evidence" and not all(isinstance(reader, keras.layers.ReLU) for reader in readers)
    return isinstance(layer, (keras.layers.InputLayer, keras.layers.ReLU, keras.layers.Add))


class _RelativeError(keras.losses.Loss):
    """Mean squared error of feature maps [N, h, w, c], as a share of their variance."""

    def __init__(self, variance: float) -> None:
        super().__init__()
        self._variance = max(variance, LEAST)

    def call(self, wanted: Any, given: Any) -> Any:
        return ops.mean(ops.square(wanted - given), axis=(1, 2, 3)) / self._variance


def fine_tune(
    network: keras.Model,
    views: Iterable[np.ndarray],
    crops: np.ndarray,
    steps: int,
    *,
    learning_rate: float = LEARNING_RATE,
    report: Callable[[str], None] = lambda line: None,
) -> keras.Model:
    """Train a network to say, rounded, what it said before.

    Its own logits, maps and feature maps are the target, so no label is needed. The rate follows half a cosine after a
    warm-up, and what is kept is the moving average of the weights. There is no chance in it: the same views give the
    same weights.

    Args:
        network: as `Twin` takes it; stays as it is.
        views: batches float32 [B, S, S, 3] in [-1, 1], at least `steps` of them.
        crops: uint8 RGB [N, S, S, 3] over which the ranges are taken, then and when it is quantised.
        steps: ≥ 1.
        learning_rate: its peak.
        report: receives lines for a person.

    Returns:
        A network of the same layers, without rounding, ready for `convert.quantisation.quantise`.

    Raises:
        ValueError: as `Twin` raises; steps or the learning rate are not above 0, or there are too few views.
    """
    if steps < 1 or not learning_rate > 0:
        raise ValueError(f"steps and learning_rate must be above 0. Received: {steps}, {learning_rate}")
    tuned = keras.models.clone_model(network)
    tuned.set_weights(network.get_weights())
    twin = Twin(tuned)
    features = [network.get_layer(name).output for name in twin.features]
    teacher = keras.Model(network.input, [*add_evidence(network).outputs, *features])
    spread = [float(np.var(values)) for values in teacher.predict_on_batch(normalise(crops[:BATCH]))[2:]]
    pupil = twin.with_features()
    optimizer = keras.optimizers.Adam(
        _plan_rate(learning_rate, steps), clipnorm=1.0, use_ema=True, ema_momentum=AVERAGE
    )
    pupil.compile(
        optimizer,
        loss=[keras.losses.Huber(HUBER), keras.losses.Huber(HUBER), *map(_RelativeError, spread)],
        loss_weights=[1.0, MAP_WEIGHT, *(FEATURE_WEIGHT / len(spread) for _ in spread)],
        metrics=[[keras.metrics.RootMeanSquaredError(name="error")], *([] for _ in (0, *spread))],
    )
    tell = every(20, "quantisation-aware step", report)
    batches = iter(views)
    for step in range(steps):
        if step % REMEASURE == 0:
            twin.measure_ranges(crops)
            pupil.reset_metrics()
        batch = next(batches, None)
        if batch is None:
            raise ValueError(f"there are views for {step} steps, not for {steps}")
        figures = pupil.train_on_batch(batch, teacher.predict_on_batch(batch), return_dict=True)
        tell(step + 1, steps)
        if (step + 1) % REMEASURE == 0 or step + 1 == steps:
            error = next(value for name, value in figures.items() if name.endswith("error"))
            report(f"after {step + 1} quantisation-aware steps, rounding moves a logit by {error:.3f} (rms)")
    optimizer.finalize_variable_values(pupil.trainable_variables)
    return tuned


def _plan_rate(peak: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return a rate that rises for a tenth of the steps, then falls to a hundredth of its peak."""
    warmup = max(1, steps // 10)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), alpha=0.01, warmup_target=peak, warmup_steps=warmup
    )
