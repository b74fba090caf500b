"""One check from end to end; the only place where the steps meet."""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from chalicelib.detector import Detector
from chalicelib.errors import NotFound
from chalicelib.faces import Face, FaceFinder, crop_face, crop_square
from chalicelib.images import Image, decode
from chalicelib.schema import Check, Model, ModelCard
from chalicelib.schema import Face as FaceRecord
from chalicelib.settings import Settings
from chalicelib.store import SqliteStore, Store
from chalicelib.verdicts import Calibration, Judgement, judge_face, judge_picture

# Pictures that are decoded and scored at the same time. Decoding one of 40 megapixels takes some 500 MB,
# and the networks take turns anyway; further requests wait here instead of filling the memory.
AT_ONCE = 2


class Finds(Protocol):
    """Finds the faces of a picture, largest first."""

    def find(self, pixels: npt.NDArray[np.uint8]) -> list[Face]: ...


class Scores(Protocol):
    """Scores face crops; see `Detector`."""

    side: int
    card: dict[str, Any]
    calibration: Calibration

    def score(self, crops: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]: ...


class Checker:
    """Checks pictures; safe to share between threads."""

    def __init__(self, settings: Settings, finder: Finds, detector: Scores, store: Store | None) -> None:
        """Put the parts together.

        Args:
            settings: limits.
            finder: finds faces.
            detector: scores them.
            store: remembers checks; None to remember nothing.
        """
        self.settings = settings
        self._finder = finder
        self._detector = detector
        self._store = store
        self._turns = _Turns()
        self._room = threading.BoundedSemaphore(AT_ONCE)

    @classmethod
    def from_settings(cls, settings: Settings, *, remember: bool = True) -> Checker:
        """Load the models and open the store.

        Args:
            settings: limits, and where models and store lie.
            remember: False to use no store.

        Raises:
            ModelUnavailable: a model file is missing or damaged.
            StoreUnavailable: the store cannot be opened.
        """
        detector = Detector(settings.models, settings.threads)
        finder = FaceFinder(settings.models, search_side=settings.search_side, threads=settings.threads)
        return cls(settings, finder, detector, SqliteStore(settings.store_path) if remember else None)

    @property
    def model(self) -> Model:
        """Name and version of the detector."""
        return {"name": self._detector.card["name"], "version": self._detector.card["version"]}

    def model_card(self) -> ModelCard:
        """Return what the detector is, covers and does not cover."""
        card, calibration = self._detector.card, self._detector.calibration
        return {
            **self.model,
            "input_side": self._detector.side,
            "covers": card["covers"],
            "limits": card["limits"],
            "metrics": card["metrics"],
            "thresholds": {"real_below": calibration.real_below, "fake_above": calibration.fake_above},
            "terms": card["terms"],
        }

    def check_image(self, data: bytes) -> Check:
        """Check one picture, or answer from the store when the same bytes were checked by the same model.

        Equal pictures that come at once are scored once; the later ones get the first one's check.

        Args:
            data: the file's bytes, from anybody.

        Raises:
            TooLarge, UnsupportedMedia, UnreadableImage: the picture is refused.
            ModelUnavailable, StoreUnavailable: we failed. A failure is never a verdict.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        if self._store is None:
            return self._judge(data, sha256)
        with self._turns.of(sha256):
            known = self._store.find(sha256, self.model["version"])
            if known is not None:
                return _from_store(known)
            check = self._judge(data, sha256)
            # Another process may have been faster: then its check is the one that counts.
            stored = self._store.save(cast(dict[str, Any], check))
            return check if stored["id"] == check["id"] else _from_store(stored)

    def get(self, check_id: str) -> Check:
        """Return a stored check.

        Raises:
            NotFound: there is none under that id.
        """
        if self._store is None:
            raise NotFound("No checks are kept here.")
        return _from_store(self._store.get(check_id))

    def delete(self, check_id: str) -> None:
        """Forget a stored check.

        Raises:
            NotFound: there is none under that id.
        """
        if self._store is None:
            raise NotFound("No checks are kept here.")
        self._store.delete(check_id)

    def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            self._store.close()

    def _judge(self, data: bytes, sha256: str) -> Check:
        with self._room:
            started = time.perf_counter()
            image = decode(data, self.settings)
            decoded = time.perf_counter()
            found = self._finder.find(image.pixels)
            searched = time.perf_counter()
            faces = found[: self.settings.max_faces]
            records, judgements = self._judge_faces(image, faces)
            scored = time.perf_counter()
        picture = judge_picture(judgements, faces_left_out=len(found) - len(faces))
        height, width = image.pixels.shape[:2]
        return {
            "id": uuid.uuid4().hex,
            "verdict": picture.verdict,
            "fake_probability": picture.probability,
            "reasons": list(picture.reasons),
            "faces": records,
            "media": {
                "kind": "image",
                "sha256": sha256,
                "width": width,
                "height": height,
                "format": image.format,
                "frames": image.frames,
            },
            "model": self.model,
            "checked_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "cached": False,
            "timing_ms": {
                "decode": _milliseconds(started, decoded),
                "faces": _milliseconds(decoded, searched),
                "detector": _milliseconds(searched, scored),
            },
        }

    def _judge_faces(self, image: Image, faces: list[Face]) -> tuple[list[FaceRecord], list[Judgement]]:
        if not faces:
            return [], []
        crops = np.stack([crop_face(image.pixels, face.box, self._detector.side) for face in faces])
        logits, maps = self._detector.score(crops)
        calibration = self._detector.calibration
        judgements = [
            judge_face(float(logit), max(face.box[2:]), calibration, self.settings.min_face)
            for logit, face in zip(logits, faces, strict=True)
        ]
        records = [
            _record(face, judgement, grid, image.pixels.shape)
            for face, judgement, grid in zip(
                faces, judgements, maps / calibration.temperature + calibration.bias, strict=True
            )
        ]
        return records, judgements


def _record(face: Face, judgement: Judgement, grid: npt.NDArray[np.float32], shape: tuple[int, ...]) -> FaceRecord:
    x, y, side = crop_square(face.box, shape)
    return {
        "box": _rounded(face.box, 1),
        "detection_confidence": round(float(face.confidence), 4),
        "fake_probability": judgement.probability,
        "verdict": judgement.verdict,
        "evidence": {
            "grid": [_rounded(row, 3) for row in grid],
            "box": [x, y, side, side],
        },
    }


def _rounded(values: Any, decimals: int) -> list[float]:
    return [round(float(value), decimals) for value in values]


def _milliseconds(start: float, end: float) -> float:
    return round((end - start) * 1000, 1)


def _from_store(record: dict[str, Any]) -> Check:
    return cast(Check, {**record, "cached": True})


class _Turns:
    """Lets equal keys take turns, different ones pass; holds a lock only while somebody needs it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def of(self, key: str) -> Iterator[None]:
        with self._guard:
            lock, waiting = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = (lock, waiting + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, waiting = self._locks[key]
                if waiting == 1:
                    del self._locks[key]
                else:
                    self._locks[key] = (lock, waiting - 1)
