"""What a training was: enough to trust its figures, to compare it, and to do it again."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import keras

from training.files import hash_file, replacing
from training.manifest import Sample
from training.recipe import Recipe

RECORD = "record.json"
# What two calls must agree on to be the same run.
IDENTITY = {"config": "recipe", "manifest_sha256": "manifest", "data_sha256": "pictures"}


class RunMismatch(ValueError):
    """A run folder holds a training with another recipe or other data."""


def hash_data(samples: Sequence[Sample], root: Path) -> str:
    """Return the SHA-256 of what a training is told: all that it reads, and the size of each picture.

    Sizes stand for contents, which would take minutes to read; times of change are left out, since a copy of the
    same data has others. A missing file counts as of size −1.
    """
    digest = hashlib.sha256()
    for sample in sorted(samples, key=lambda s: s.path):
        path = root / sample.path
        size = path.stat().st_size if path.is_file() else -1
        row = [sample.path, sample.label, sample.group, sample.source, sample.split, sample.weight, size]
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()


def list_versions() -> dict[str, str]:
    """Return the versions of what can change a training's outcome; nothing that names the machine."""
    found = {"python": platform.python_version(), "keras": keras.version(), "backend": keras.config.backend()}
    for name in (found["backend"], "numpy", "opencv-python-headless", "scikit-learn", "unmask"):
        for package in (name, f"{name}-cpu"):
            try:
                found[name] = version(package)
            except PackageNotFoundError:
                continue
    return found


def open_record(
    run: Path, recipe: Recipe, preset: str, overrides: Mapping[str, Any], manifest: Path, data_sha256: str
) -> dict[str, Any]:
    """Return the record of the run that goes on in a folder, or a new one, which is not yet written.

    Raises:
        RunMismatch: the folder holds a run of another recipe, manifest or other pictures.
    """
    weights = Path(recipe.weights)
    record: dict[str, Any] = {
        "preset": preset,
        "overrides": dict(overrides),
        "config": recipe.to_dict(),
        "manifest_sha256": hash_file(manifest),
        "data_sha256": data_sha256,
        "weights_sha256": hash_file(weights) if weights.is_file() else None,
        "seed": recipe.seed,
        "versions": list_versions(),
        "started": now(),
        "finished": None,
    }
    # As it will be read back: JSON knows no tuples.
    record = json.loads(json.dumps(record))
    if (run / RECORD).exists():
        known = read_record(run / RECORD)
        differing = [what for name, what in IDENTITY.items() if known.get(name) != record[name]]
        if differing:
            raise RunMismatch(
                f"{run} holds a run with another {' and other '.join(differing)}; choose another --out folder."
            )
        return known
    return record


def read_record(path: Path) -> dict[str, Any]:
    """Read a record.

    Raises:
        ValueError: it is missing, damaged, or no record of a training.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(record, dict) or not {"config", "data_sha256", "preset"} <= set(record):
        raise ValueError(f"{path} is no record of a training.")
    return record


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON, whole or not at all.

    Raises:
        WriteFailed: it cannot be written.
    """
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def now() -> str:
    """Return the time, UTC, RFC 3339 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
