"""The lab runs on TensorFlow and on torch alike: the same tiny run, and each other's files."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Small, for the default suite: joined maps and a resized member; batch normalisation; support vectors.
QUICK = {
    "ensemble": 'join([build("squeezenet", side=s, weights="none") for s in (48, 64)], [0.4, 0.6], slopes=[1.0, 0.5])',
    "mesonet": 'build("meso-inception4", side=32, weights="none")',
    "machine": "make_machine()",
}
BACKBONES = (
    "student",
    "high-pass",
    "efficientnet-b3",
    "densenet201",
    "vgg16",
    "resnet152-v2",
    "inception-v3",
    "nasnet-mobile",
    "efficientnetv2-m",
    "inception-resnet-v2",
    "xception",
    "cnn-224",
)
SCRIPT = """
import json
import sys
from pathlib import Path

import keras
import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from training.ensembles import join
from training.networks.catalogue import build, find
from training.networks.loading import load_network
from training.support_vectors import extract, make_pool, to_network


def make_machine():
    crops = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3)).astype(np.uint8)
    pool = make_pool(build("cnn-128", side=32, weights="none"))
    features = extract(pool, crops)
    fitted = Pipeline([("scaler", StandardScaler()), ("svc", SVC(gamma=1e-4, C=10))]).fit(features, np.arange(20) % 2)
    return to_network(pool, fitted, features, "machine")


def draw(network):
    side = network.input_shape[1]
    return np.random.default_rng(1).uniform(-1, 1, (4, side, side, 3)).astype(np.float32)


def answer(network):
    return keras.ops.convert_to_numpy(network(draw(network), training=False))


def train(network):
    before = [keras.ops.convert_to_numpy(w).copy() for w in network.trainable_weights]
    network.compile(optimizer=keras.optimizers.Adam(1e-4), loss=keras.losses.BinaryCrossentropy(from_logits=True))
    labels = np.array([[0.0], [1.0], [0.0], [1.0]], np.float32)
    losses = [float(network.train_on_batch(draw(network), labels)) for _ in range(2)]
    assert np.isfinite(losses).all(), losses
    after = [keras.ops.convert_to_numpy(w) for w in network.trainable_weights]
    assert sum(not np.array_equal(a, b) for a, b in zip(before, after)) > len(before) / 2


def settle(network):
    # With the statistics that it starts from, a random network of a hundred layers hardly answers to its input.
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(draw(network), training=True)


networks, folder, other, tolerance = json.loads(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])
backend = keras.config.backend()
for name, expression in networks.items():
    path = folder / f"{name}_{backend}.keras"
    keras.utils.set_random_seed(0)
    network = eval(expression)
    if network.trainable_weights:
        train(network)
    settle(network)
    logits = answer(network)
    assert logits.std() > 1e-3, (name, logits)
    network.save(path)
    again = answer(load_network(path))
    assert np.allclose(again, logits, atol=1e-6), (name, again, logits)
    np.save(folder / f"{name}_{backend}.npy", logits)
    if other:
        theirs = np.load(folder / f"{name}_{other}.npy")
        ours = answer(load_network(folder / f"{name}_{other}.keras"))
        assert np.abs(ours - theirs).max() <= tolerance, (name, ours, theirs)
"""


def start(backend: str, networks: dict[str, str], folder: Path, other: str = "", tolerance: float = 0.0) -> None:
    """Run the script on a backend in a process of its own, since Keras takes one for life."""
    root = Path(__file__).parents[2]
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_NUM_THREADS": "2",
        "PYTHONPATH": os.pathsep.join([str(root), str(root / "backend")]),
    }
    arguments = [sys.executable, "-c", SCRIPT, json.dumps(networks), str(folder), other, str(tolerance)]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]


def check(first: str, second: str, networks: dict[str, str], folder: Path, tolerance: float = 1e-4) -> None:
    """Train, save and load on both, and let the second load what the first has saved."""
    for needed in (first, second):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"needs {needed} beside the lab: pip install 'unmask[torch]'")
    start(first, networks, folder)
    start(second, networks, folder, first, tolerance)


@pytest.mark.parametrize(
    ("first", "second"), [("tensorflow", "torch"), pytest.param("torch", "tensorflow", marks=pytest.mark.slow)]
)
def test_what_is_trained_on_one_backend_answers_alike_on_the_other(first: str, second: str, tmp_path: Path) -> None:
    check(first, second, QUICK, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", BACKBONES)
def test_every_kind_of_backbone_crosses(name: str, tmp_path: Path) -> None:
    check(
        "tensorflow",
        "torch",
        {name: f'build("{name}", side=max(64, find("{name}").least_side), weights="none")'},
        tmp_path,
    )
