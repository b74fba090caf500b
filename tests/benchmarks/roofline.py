"""How near the served network comes to what this processor can do with int8 at all.

Run `python -m tests.benchmarks.roofline [--runs N]`; it prints a line and writes build/bench/roofline.json. The peak is
measured, not looked up: a 1 × 1 convolution of 512 to 512 channels on 56 × 56, which is a matrix product of a size that
any kernel does well, on the same runtime and thread.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from chalicelib.runtime import load_interpreter
from chalicelib.settings import MODELS
from tests.benchmarks.row import time_once

OUT = Path("build/bench/roofline.json")
PRODUCT = Path("build/peers/product_int8.tflite")
CHANNELS, SIDE = 512, 56


def count_products(path: Path) -> int:
    """Return the multiplications of a .tflite network's convolutions and dense layers; all else is little beside."""
    network = load_interpreter(path)
    tensors = {told["index"]: told["shape"] for told in network.get_tensor_details()}
    products = 0
    for operator in network._get_ops_details():
        if operator["op_name"] not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            continue
        weights, answer = tensors[operator["inputs"][1]], tensors[operator["outputs"][0]]
        # Of a depth-wise one each answer takes one window, of the others all channels of it.
        window = weights[1] * weights[2] if operator["op_name"] == "DEPTHWISE_CONV_2D" else int(np.prod(weights[1:]))
        products += int(np.prod(answer)) * int(window)
    return products


def make_product() -> Path:
    """Return an int8 network that is one matrix product."""
    if PRODUCT.exists():
        return PRODUCT
    import keras
    import tensorflow as tf

    network = keras.Sequential([keras.Input((SIDE, SIDE, CHANNELS), batch_size=1), keras.layers.Conv2D(CHANNELS, 1)])
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    chance = np.random.default_rng(0)
    converter.representative_dataset = lambda: (
        [chance.normal(size=(1, SIDE, SIDE, CHANNELS)).astype(np.float32)] for _ in range(4)
    )
    PRODUCT.parent.mkdir(parents=True, exist_ok=True)
    with redirect_stdout(sys.stderr):
        PRODUCT.write_bytes(converter.convert())
    return PRODUCT


def measure(path: Path, runs: int) -> float:
    """Return billions of multiplications a second, the best of all runs, on one thread."""
    network: Any = load_interpreter(path)
    told = network.get_input_details()[0]
    network.set_tensor(told["index"], np.zeros(told["shape"], told["dtype"]))
    for _ in range(5):
        network.invoke()
    return count_products(path) / min(time_once(network.invoke) for _ in range(runs)) / 1e9


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    runs = parser.parse_args().runs
    served = MODELS / "detector.tflite"
    ours, peak = measure(served, runs), measure(make_product(), runs)
    told = {"million_products": count_products(served) / 1e6, "ours": ours, "peak": peak, "share": ours / peak}
    print(
        f"{told['million_products']:.0f} million products a crop; {ours:.1f} of {peak:.1f} billion a second: "
        f"{ours / peak:.0%} of the peak"
    )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
