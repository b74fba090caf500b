"""Parts that stand in for the trained network: tests of the app must not depend on what it has learnt."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from chalicelib.checks import Checker
from chalicelib.errors import NotFound
from chalicelib.face_views import ViewRule
from chalicelib.faces import Face
from chalicelib.settings import MODELS, Settings
from chalicelib.verdicts import Calibrations

CARD: dict[str, Any] = {
    "name": "stand-in",
    "version": "2025.01-test",
    "input_side": 32,
    "covers": ["Pictures that are redder than they are blue."],
    "limits": ["Everything else."],
    "terms": "For tests only.",
    "metrics": {"auc": 0.5},
    # Frames and videos are read as a shift and another temperature of pictures, so that a mix-up shows.
    "calibration": {
        "picture": {"temperature": 2.0, "bias": 0.5, "no_traces_below": 0.3, "fake_above": 0.7},
        "frame": {"temperature": 2.0, "bias": 0.5, "no_traces_below": 0.25, "fake_above": 0.75},
        "video": {"temperature": 2.0, "bias": 0.5, "no_traces_below": 0.28, "fake_above": 0.8},
    },
}

# What botocore has read of AWS's services, by path: each test begins a session, which would read its megabytes anew.
DESCRIPTIONS: dict[str, Any] = {}


def mark(box: tuple[float, float, float, float]) -> np.ndarray:
    """Return eyes, nose and corners of the mouth where they most often lie in a box, float32 [5, 2]."""
    parts = np.array([(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)])
    return (np.array(box[:2]) + parts * box[2:]).astype(np.float32)


class FakeFinder:
    """Finds what it is told to find, in every picture."""

    def __init__(self, *boxes: tuple[float, float, float, float]) -> None:
        self.boxes = boxes

    def find(self, pixels: np.ndarray) -> list[Face]:
        return [Face(box, 0.987654, mark(box)) for box in self.boxes]


class FrameFinder(FakeFinder):
    """Finds in each picture of a clip what it is told to find there."""

    def __init__(self, *frames: Sequence[tuple[float, float, float, float]]) -> None:
        self.frames = iter(frames)

    def find(self, pixels: np.ndarray) -> list[Face]:
        self.boxes = tuple(next(self.frames))
        return super().find(pixels)


class FakeDetector:
    """Gives the logits that it is told to give, over and over, and counts how often it is asked."""

    side = 32

    def __init__(self, *logits: float, pause: float = 0.0) -> None:
        self.card = CARD
        self.calibration = Calibrations.from_card(CARD)
        self.views = ViewRule()
        self.logits = logits
        self.pause = pause
        self.calls = 0
        self.given = 0

    def score(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert crops.shape == (len(crops), 32, 32, 3)
        self.calls += 1
        time.sleep(self.pause)
        # A clip is asked for frame by frame: the next call goes on where this one ends.
        logits = np.resize(np.roll(np.float32(self.logits), -self.given), len(crops))
        self.given += len(crops)
        return logits, np.repeat(logits, 16).reshape(-1, 4, 4)


class MemoryStore:
    """The store's contract, in a dictionary."""

    def __init__(self) -> None:
        self.checks: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def find(self, sha256: str, model_version: str) -> dict[str, Any] | None:
        wanted = (sha256, model_version)
        return next((c for c in self.checks.values() if (c["media"]["sha256"], c["model"]["version"]) == wanted), None)

    def save(self, check: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            known = self.find(check["media"]["sha256"], check["model"]["version"])
            return known or self.checks.setdefault(check["id"], check)

    def get(self, check_id: str) -> dict[str, Any]:
        if check_id not in self.checks:
            raise NotFound("There is no check under that id.")
        return self.checks[check_id]

    def delete(self, check_id: str) -> None:
        self.get(check_id)
        del self.checks[check_id]

    def close(self) -> None: ...


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """AWS in this process, as far as it is asked for here, and nothing of the real one; the names of all calls."""
    moto = pytest.importorskip("moto")
    from botocore.client import BaseClient
    from botocore.loaders import JSONFileLoader

    load = JSONFileLoader.load_file

    def load_once(loader: JSONFileLoader, path: str) -> Any:
        if path not in DESCRIPTIONS:
            DESCRIPTIONS[path] = load(loader, path)
        return DESCRIPTIONS[path]

    monkeypatch.setattr(JSONFileLoader, "load_file", load_once)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    calls: list[str] = []
    send = BaseClient._make_api_call
    # Each call is one step in AWS, and in moto it is not.
    lock = threading.RLock()

    def send_alone(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        with lock:
            calls.append(operation)
            return send(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", send_alone)
    # Jobs of Batch run nothing: there is no Docker.
    with moto.mock_aws(config={"batch": {"use_docker": False}}):
        yield calls


@pytest.fixture
def table(aws: list[str]) -> str:
    """A DynamoDB table as it is in AWS; its name."""
    import boto3

    from chalicelib.dynamo import describe_table

    described = describe_table()
    expiry = described.pop("TimeToLiveSpecification")
    client = boto3.client("dynamodb")
    client.create_table(TableName="unmask", **described)
    client.update_time_to_live(TableName="unmask", TimeToLiveSpecification=expiry)
    return "unmask"


@pytest.fixture
def bucket(aws: list[str]) -> str:
    """An S3 bucket; its name."""
    import boto3

    boto3.client("s3").create_bucket(Bucket="flagged", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return "flagged"


@pytest.fixture
def parts() -> type:
    """The stand-ins, by name."""

    class Parts:
        Finder, FrameFinder, Detector, Store, card = FakeFinder, FrameFinder, FakeDetector, MemoryStore, CARD

    return Parts


@pytest.fixture
def make_checker() -> Callable[..., Checker]:
    """Build a checker that finds the given logits' worth of faces in every picture, 60 px each."""

    def make(*logits: float, store: Any = None, pause: float = 0.0, **limits: Any) -> Checker:
        boxes = [(10.0 + 70 * i, 10.0, 55.0, 60.0) for i in range(len(logits))]
        detector = FakeDetector(*logits, pause=pause)
        # On a busy machine a decoder may take its time; no test waits for this to end.
        limits = {"video_patience": 3600.0, **limits}
        return Checker(Settings(**limits), FakeFinder(*boxes), detector, store)

    return make


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """Encode pixels, or stripes of one colour and white, which stand-ins may find sharp and bright faces in."""

    def encode(pixels: Any = (200, 30, 40), format: str = "PNG", size: tuple[int, int] = (240, 160)) -> bytes:
        if not isinstance(pixels, np.ndarray):
            pixels, colour = np.full((size[1], size[0], 3), 255, np.uint8), pixels
            pixels[:, np.arange(size[0]) // 4 % 2 == 0] = colour
        image = Pillow.fromarray(pixels)
        file = io.BytesIO()
        image.save(file, format)
        return file.getvalue()

    return encode


@pytest.fixture(scope="session")
def write_models() -> Callable[..., Path]:
    """Fill a folder with the real face networks and a tiny detector: log-odds 4 × (red − blue) by area."""
    schema = pytest.importorskip(
        "ai_edge_litert.schema_py_generated", reason="the stand-in network is assembled with LiteRT's schema"
    )

    def write(folder: Path, *, card: dict[str, Any] | None = None, **options: Any) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("pnet", "rnet", "onet"):
            (folder / f"{name}.tflite").write_bytes((MODELS / f"{name}.tflite").read_bytes())
        (folder / "detector.tflite").write_bytes(_build_detector(schema, **options))
        (folder / "model_card.json").write_text(json.dumps(CARD if card is None else card), encoding="utf-8")
        return folder

    return write


@pytest.fixture(scope="session")
def models(write_models: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a folder."""
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def portrait_file(portrait: np.ndarray, encode: Callable[..., bytes], tmp_path: Path) -> Iterator[Path]:
    """The portrait as a JPEG file."""
    path = tmp_path / "portrait.jpg"
    path.write_bytes(encode(portrait, "JPEG"))
    yield path


def _build_detector(
    schema: Any, side: int = 32, quantised: bool = True, swapped: bool = False, outputs: int = 2
) -> bytes:
    """Assemble a .tflite file: average pool → 1 × 1 convolution (the map) → mean (the logit)."""
    import flatbuffers

    kinds, ops = schema.TensorType, schema.BuiltinOperator
    kind = kinds.INT8 if quantised else kinds.FLOAT32
    cells, pixel_scale, weight_scale, map_scale = 4, 2 / 255, 4 / 127, 8 / 127
    model = schema.ModelT()
    model.version, model.buffers = 3, [schema.BufferT()]

    def tensor(shape: list[int], scale: float, zero: int = 0, data: Any = None, of: int = kind) -> Any:
        made = schema.TensorT()
        made.shape, made.type, made.buffer, made.name = shape, of, 0, b"x"
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            model.buffers.append(buffer)
            made.buffer = len(model.buffers) - 1
        if (quantised and of != kinds.INT32) or (of == kinds.INT32 and scale):
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [scale], [zero]
        return made

    weights = np.array([127, 0, -127], np.int8) if quantised else np.array([4, 0, -4], np.float32)
    bias = np.zeros(1, np.int32 if quantised else np.float32)
    bias_kind = kinds.INT32 if quantised else kinds.FLOAT32
    graph = schema.SubGraphT()
    graph.tensors = [
        tensor([1, side, side, 3], pixel_scale, -1),
        tensor([1, cells, cells, 3], pixel_scale, -1),
        tensor([1, 1, 1, 3], weight_scale, 0, weights),
        tensor([1], pixel_scale * weight_scale, 0, bias, bias_kind),
        tensor([1, cells, cells, 1], map_scale),
        tensor([2], 0, 0, np.array([1, 2], np.int32), kinds.INT32),
        tensor([1, 1], map_scale),
    ]
    pool, convolution, mean = schema.Pool2DOptionsT(), schema.Conv2DOptionsT(), schema.ReducerOptionsT()
    pool.filterWidth = pool.filterHeight = pool.strideW = pool.strideH = side // cells
    pool.padding = convolution.padding = schema.Padding.VALID
    convolution.strideW = convolution.strideH = convolution.dilationWFactor = convolution.dilationHFactor = 1
    steps = [
        (ops.AVERAGE_POOL_2D, schema.BuiltinOptions.Pool2DOptions, pool, [0], [1]),
        (ops.CONV_2D, schema.BuiltinOptions.Conv2DOptions, convolution, [1, 2, 3], [4]),
        (ops.MEAN, schema.BuiltinOptions.ReducerOptions, mean, [4, 5], [6]),
    ]
    model.operatorCodes, graph.operators = [], []
    for index, (op, options_type, options, inputs, results) in enumerate(steps):
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = op
        code.version = 2 if quantised else 1
        model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = index, inputs, results
        operator.builtinOptionsType, operator.builtinOptions = options_type, options
        graph.operators.append(operator)
    graph.inputs, graph.outputs = [0], ([4, 6] if swapped else [6, 4])[:outputs]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
