"""A float Keras network to an int8 .tflite with two outputs, and the proof that little was lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np

from chalicelib.detector import normalise
from training.metrics import auc, tpr_at_fpr
from training.networks.student import add_evidence

# The gate of a release, int8 against float on the same crops.
GATE = {"auc": 0.005, "tpr_at_1_fpr": 0.02, "probability_p99": 0.05, "kernel_steps": 1.0}


class GateError(RuntimeError):
    """Quantisation lost more than a release may lose."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What int8 lost on the same crops, against float and against itself.

    Attributes:
        auc: float AUC − int8 AUC.
        tpr_at_1_fpr: the same of the TPR at 1 % FPR.
        probability_p99: 99th percentile of |Δp|, both through the calibration that is served.
        kernel_steps: largest difference of a logit between the runtime's fast kernels and its reference ones,
            which round differently, in steps of 1/255 of the range of logits. A network that amplifies such
            roundings would answer differently on another runtime or processor.
    """

    auc: float
    tpr_at_1_fpr: float
    probability_p99: float
    kernel_steps: float

    def passes(self) -> bool:
        """Tell whether every figure is within `GATE`."""
        return all(value <= GATE[name] for name, value in asdict(self).items())


class Quantiser:
    """A trained network with the ranges of its activations, from which several int8 models can be made.

    Weights are quantised per channel, activations per tensor over ranges by min/max. The head, 1×1 convolutions
    over a few places, stays in float: that costs nothing there, while 256 steps for the whole range of logits would
    cost up to two points of probability.
    """

    def __init__(self, network: keras.Model, crops: np.ndarray) -> None:
        """Measure the ranges.

        Args:
            network: float32 [N, S, S, 3] in [-1, 1] to a logit, with a layer "evidence".
            crops: uint8 RGB [M, S, S, 3] of both classes as they are served, degradations included.
        """
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import tensorflow as tf

        both = add_evidence(network)
        side = int(network.input.shape[1])

        @tf.function(input_signature=[tf.TensorSpec([1, side, side, 3], tf.float32)])
        def serve(view: Any) -> Any:
            return tuple(both(view, training=False))

        def representative() -> Iterator[list[np.ndarray]]:
            for crop in crops:
                yield [normalise(crop[None])]

        converter = tf.lite.TFLiteConverter.from_concrete_functions([serve.get_concrete_function()], serve)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        # The debugger alone keeps the network with its ranges, and lets single tensors stay in float.
        self._options = tf.lite.experimental.QuantizationDebugOptions()
        self._debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=representative, debug_options=self._options
        )

    def quantise(self, float_operators: int = 0) -> bytes:
        """Quantise the network.

        Args:
            float_operators: operators at the start of the network that stay in float. They hold few weights, but
                their errors are carried through all that follows.

        Returns:
            A .tflite: float32 [1, S, S, 3] to a logit [1, 1] and a map [1, h, w, 1], int8 in between.
        """
        self._options.denylisted_nodes = _tensors_in_float(self._debugger.calibrated_model, float_operators)
        return self._debugger.get_nondebug_quantized_model()


def quantise(network: keras.Model, crops: np.ndarray, float_operators: int = 0) -> bytes:
    """Return one .tflite of a network; see `Quantiser`."""
    return Quantiser(network, crops).quantise(float_operators)


def _tensors_in_float(model: bytes, leading: int) -> list[str]:
    """Return the names of what the first operators put out, and the head: all whose answer has one channel."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    operators = [op for op in interpreter._get_ops_details() if op["op_name"] != "DELEGATE"]
    answers = [tensors[op["outputs"][0]] for op in operators]
    return [each["name"] for place, each in enumerate(answers) if place < leading or each["shape"][-1:].tolist() == [1]]


def measure_loss(
    labels: np.ndarray, float_probabilities: np.ndarray, int8_probabilities: np.ndarray, kernel_steps: float
) -> Loss:
    """Compare calibrated probabilities [N] of both networks on the same crops; labels [N], 1 fake."""
    return Loss(
        auc=auc(labels, float_probabilities) - auc(labels, int8_probabilities),
        tpr_at_1_fpr=tpr_at_fpr(labels, float_probabilities, 0.01) - tpr_at_fpr(labels, int8_probabilities, 0.01),
        probability_p99=float(np.quantile(np.abs(float_probabilities - int8_probabilities), 0.99)),
        kernel_steps=kernel_steps,
    )


def compare_kernels(model: bytes, crops: np.ndarray) -> float:
    """Return the largest difference of a logit between fast and reference kernels, in steps; see `Loss`.

    Args:
        model: a .tflite of `quantise`.
        crops: uint8 RGB [N, S, S, 3], N ≥ 2; the reference kernels take some 60 ms each.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    answers = []
    for resolver in (OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES):
        interpreter = Interpreter(model_content=model, experimental_op_resolver_type=resolver)
        interpreter.allocate_tensors()
        outputs = interpreter.get_output_details()
        logit = next(output["index"] for output in outputs if len(output["shape"]) == 2)
        logits = []
        for crop in crops:
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], normalise(crop[None]))
            interpreter.invoke()
            logits.append(float(interpreter.get_tensor(logit)[0, 0]))
        answers.append(np.array(logits))
    return float(np.abs(answers[0] - answers[1]).max() / (np.ptp(answers[0]) / 255))
