"""The one module that knows the model runtime (LiteRT, formerly TensorFlow Lite)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chalicelib.errors import ModelUnavailable

try:
    from ai_edge_litert.interpreter import Interpreter

    RUNTIME = "ai-edge-litert"
except ImportError:  # the runtime's former name; slower on int8, the same numbers
    from tflite_runtime.interpreter import Interpreter

    RUNTIME = "tflite-runtime"


def load_interpreter(path: Path, threads: int = 1, shape: tuple[int, ...] | None = None) -> Any:
    """Open a .tflite file and allocate its tensors.

    Args:
        path: the model file.
        threads: intra-op threads, ≥ 1.
        shape: shape of the only input, for a model that leaves some of its dimensions open.

    Returns:
        An allocated interpreter. It is not safe to share between threads without a lock.

    Raises:
        ModelUnavailable: the file is missing or is not a model.
    """
    try:
        interpreter = Interpreter(model_content=path.read_bytes(), num_threads=threads)
        if shape is not None:
            interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], shape, strict=True)
        interpreter.allocate_tensors()
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelUnavailable(f"The model file {path.name} is missing or damaged.") from error
    return interpreter
