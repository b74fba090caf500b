"""What others do with the same pictures: the pipelines of the source projects, and other runtimes of our network.

Networks of the source projects have random weights here: that costs the same time as theirs.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from chalicelib.detector import normalise
from chalicelib.faces import crop_face
from chalicelib.settings import MODELS
from tests.benchmarks.mtcnn_peer import Peer
from tests.benchmarks.process import open_process

# What the table calls them.
ENSEMBLE = "mtcnn + (c)'s ensemble"
STUDENT = "mtcnn + float student"
BUILD = Path("build/peers")
TFLITE = BUILD / "tflite"
ONNX = BUILD / "student.onnx"
# Runs in the environment of tflite-runtime: a line asks for one inference, a line says that it is done.
TFLITE_PROGRAM = """
import sys
import numpy as np
from tflite_runtime.interpreter import Interpreter
network = Interpreter(sys.argv[1], num_threads=int(sys.argv[2]))
network.allocate_tensors()
told = network.get_input_details()[0]
crop = np.zeros(told["shape"], told["dtype"])
for _ in sys.stdin:
    network.set_tensor(told["index"], crop)
    network.invoke()
    print("done", flush=True)
"""
# In a process of its own, since Keras takes its backend once: torch writes ONNX, TensorFlow does not.
ONNX_PROGRAM = """
import sys
import numpy as np
from training.models import FLOAT_STUDENT
from training.networks.loading import load_network
network = load_network(FLOAT_STUDENT)
network(np.zeros((1, *network.input_shape[1:]), np.float32))
network.export(sys.argv[1], format="onnx", verbose=False)
"""


class Missing(Exception):
    """A peer cannot be had here; the message says why."""


class DeepGuard:
    """Project (c): the `mtcnn` package, then Xception and EfficientNetV2-M by `model.predict`, weighed."""

    def __init__(self, peer: Peer) -> None:
        """Take a finder of faces."""
        from training.networks.catalogue import build
        from training.presets import find

        self._peer = peer
        presets = (find("deepguard-xception"), find("deepguard-efficientnetv2-m"))
        self._networks = [
            build(preset.recipe.architecture, side=preset.recipe.side, weights="none") for preset in presets
        ]

    def check(self, photo: bytes) -> list[float]:
        """Judge a JPEG as the project does, face by face."""
        pixels = cv2.cvtColor(cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        answers = []
        for face in self._peer.find(pixels):
            logits = [
                network.predict(normalise(crop_face(pixels, face.box, network.input_shape[1])[None]), verbose=0)
                for network in self._networks
            ]
            answers.append(float(np.mean([1 / (1 + np.exp(-logit)) for logit in logits])))
        return answers


@contextmanager
def serve_flask() -> Iterator[Callable[[bytes], int]]:
    """Project (d): a 128 px CNN behind Flask, which scales the whole picture and looks for no face.

    Lends a function that posts a JPEG and returns the status.
    """
    from flask import Flask, request
    from werkzeug.serving import make_server

    from training.networks.catalogue import build
    from training.presets import find

    preset = find("cnn-128")
    network = build(preset.recipe.architecture, side=preset.recipe.side, weights="none")
    side = network.input_shape[1]
    app = Flask(__name__)

    @app.post("/")
    def judge() -> dict[str, float]:
        pixels = cv2.imdecode(np.frombuffer(request.get_data(), np.uint8), cv2.IMREAD_COLOR)
        crop = cv2.resize(pixels, (side, side))[None, ..., ::-1]
        return {"fake": float(network.predict(normalise(crop), verbose=0)[0, 0])}

    server = make_server("127.0.0.1", 0, app)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    connection = HTTPConnection("127.0.0.1", server.server_port)

    def post(photo: bytes) -> int:
        connection.request("POST", "/", photo)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    try:
        yield post
    finally:
        connection.close()
        server.shutdown()


def open_keras(name: str) -> Callable[[], object]:
    """Return one `model.predict` of a network of the lab with random weights, or of our float student."""
    from training.models import FLOAT_STUDENT
    from training.networks.catalogue import build
    from training.networks.loading import load_network

    network = load_network(FLOAT_STUDENT) if name == "student" else build(name, weights="none")
    crop = np.zeros((1, *network.input_shape[1:]), np.float32)
    return lambda: network.predict(crop, verbose=0)


def open_float(threads: int = 1) -> Callable[[], object]:
    """Return one inference of our float student on LiteRT."""
    import tensorflow as tf

    from chalicelib.runtime import load_interpreter
    from training.models import FLOAT_STUDENT
    from training.networks.loading import load_network

    path = BUILD / "student_float.tflite"
    if not path.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        # The converter tells the whole network.
        with redirect_stdout(sys.stderr):
            path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(load_network(FLOAT_STUDENT)).convert())
    return _invoke(load_interpreter(path, threads))


def open_int8(threads: int = 1) -> Callable[[], object]:
    """Return one inference of the network that is served."""
    from chalicelib.runtime import load_interpreter

    return _invoke(load_interpreter(MODELS / "detector.tflite", threads))


def open_onnx(threads: int = 1) -> Callable[[], object]:
    """Return one inference of our float student on ONNX Runtime; raises `Missing`."""
    for module in ("onnxruntime", "onnxscript", "torch"):
        if importlib.util.find_spec(module) is None:
            raise Missing(f'{module} is missing: pip install -e ".[peers,torch]"')
    import onnxruntime

    if not ONNX.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        told = subprocess.run(
            [sys.executable, "-c", ONNX_PROGRAM, str(ONNX)],
            env={**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
        )
        if told.returncode:
            raise Missing(f"the network could not be written as ONNX: {told.stderr.strip().splitlines()[-1]}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(ONNX), options)
    (told_input,) = session.get_inputs()
    crop = np.zeros((1, *told_input.shape[1:]), np.float32)
    return lambda: session.run(None, {told_input.name: crop})


@contextmanager
def open_tflite(threads: int = 1) -> Iterator[Callable[[], object]]:
    """Lend one inference of the served network on tflite-runtime, in an environment of its own; raises `Missing`."""
    python = TFLITE / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", TFLITE], check=True)
    # It wants a numpy of before 2, and Python 3.11 at the latest.
    told = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "tflite-runtime==2.14.0", "numpy<2"], capture_output=True, text=True
    )
    if told.returncode:
        raise Missing("tflite-runtime cannot be installed here")
    with open_process([python, "-c", TFLITE_PROGRAM, MODELS / "detector.tflite", str(threads)]) as ask:
        yield lambda: ask("")


def _invoke(network: Any) -> Callable[[], object]:
    told = network.get_input_details()[0]
    crop = np.zeros(told["shape"], told["dtype"])

    def invoke() -> None:
        network.set_tensor(told["index"], crop)
        network.invoke()

    return invoke
