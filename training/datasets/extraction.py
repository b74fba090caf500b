"""One clip → the faces in it, cut, saved, and described."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import imagehash
import numpy as np
from PIL import Image

from chalicelib.errors import UnmaskError
from chalicelib.faces import Face, FaceFinder, crop_square, resize_square
from chalicelib.settings import Settings
from training.datasets.clips import Clip
from training.datasets.frames import Frame, FrameRule, Unusable, read_photo, read_video, rescale
from training.datasets.plan import Plan
from training.datasets.pool import require_going_on
from training.files import WriteFailed, replacing

SUFFIXES = {"jpeg": ".jpg", "png": ".png"}
ENCODINGS = {"jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95], "png": [cv2.IMWRITE_PNG_COMPRESSION, 6]}
# Side of the perceptual hashes, bits: the usual one, and a finer one to make sure.
COARSE, FINE = 8, 16

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class SavedFace:
    """A face that was cut out and saved.

    Attributes:
        path: the picture, relative to the data set, with forward slashes.
        frame: number of the frame in its clip.
        time: seconds from the clip's start.
        side: side of the picture, px.
        box: x, y, width, height of the face, px of the picture.
        landmarks: eyes, nose, corners of the mouth, px of the picture.
        confidence: the finder's, [0, 1].
        hashes: perceptual hashes of 64 and 256 bits, hexadecimal.
        sha256: of the file.
    """

    path: str
    frame: int
    time: float
    side: int
    box: tuple[float, float, float, float]
    landmarks: tuple[Point, ...]
    confidence: float
    hashes: tuple[str, str]
    sha256: str


@dataclass(frozen=True, slots=True)
class Extraction:
    """What came out of a clip.

    Attributes:
        clip: its path.
        status: "used", "no_face" or "unreadable".
        frames: frames that were looked at.
        faces: those that were saved; empty unless used.
        reason: why it is not used, "" where it is.
    """

    clip: str
    status: str
    frames: int = 0
    faces: tuple[SavedFace, ...] = ()
    reason: str = ""


class Extractor:
    """Cuts the faces out of clips. Not safe to share between threads.

    Args:
        plan: which frames and faces, and how they are cut.
        settings: limits of decoding, models of the finder.
        root: the folder that the clips' paths start from.
        out: folder of the data set.
    """

    def __init__(self, plan: Plan, settings: Settings, root: Path, out: Path) -> None:
        self._plan = plan
        self._settings = settings
        self._root = root
        self._out = out
        self._rule = FrameRule.parse(plan.frames)
        self._finder = FaceFinder(settings.models, search_side=settings.search_side, threads=1)

    def extract(self, clip: Clip) -> Extraction:
        """Save the faces of a clip; what cannot be read is an answer, not an error.

        Raises:
            WriteFailed: a face cannot be saved.
            Stopped: the run was called off.
        """
        seen = 0
        faces: list[SavedFace] = []
        try:
            for frame in self._read(clip):
                require_going_on()
                seen += 1
                pixels = rescale(frame.pixels, self._plan.scale)
                for number, found in enumerate(self._choose(self._finder.find(pixels), pixels.shape)):
                    faces.append(self._save(clip, frame, number, pixels, found))
        except WriteFailed:
            raise
        except (OSError, UnmaskError, Unusable, cv2.error) as error:
            for face in faces:
                (self._out / face.path).unlink(missing_ok=True)
            return Extraction(clip.path, "unreadable", seen, reason=_say(error))
        if not faces:
            return Extraction(clip.path, "no_face", seen, reason="no face was found")
        return Extraction(clip.path, "used", seen, tuple(faces))

    def _read(self, clip: Clip) -> Iterator[Frame]:
        path = self._root / clip.path
        if clip.is_video:
            yield from read_video(path, self._rule, self._settings)
        else:
            yield read_photo(path, self._settings)

    def _choose(self, faces: list[Face], shape: tuple[int, ...]) -> list[Face]:
        """Return the faces to take, largest first: among several only sure ones, as patterns pass for faces.

        A face whose square would be smaller than the least picture that is read is none: what is saved has to be read.
        """
        least = self._settings.min_side
        faces = [face for face in faces if crop_square(face.box, shape, self._plan.margin)[2] >= least]
        if len(faces) > 1:
            faces = [face for face in faces if face.confidence >= self._plan.least_confidence]
        return faces if self._plan.faces == "all" else faces[:1]

    def _save(self, clip: Clip, frame: Frame, number: int, pixels: np.ndarray, face: Face) -> SavedFace:
        left, top, length = crop_square(face.box, pixels.shape, self._plan.margin)
        crop = pixels[top : top + length, left : left + length]
        side = min(length, self._plan.side or length)
        crop = resize_square(crop, side)
        suffix = SUFFIXES[self._plan.format]
        encoded = cv2.imencode(suffix, cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), ENCODINGS[self._plan.format])[1].tobytes()
        path = picture_path(clip, frame.index, number, suffix)
        write_whole(self._out / path, encoded)
        scale = side / length
        x, y, width, height = face.box
        points = (face.landmarks.astype(float) - (left, top)) * scale
        return SavedFace(
            path=path,
            frame=frame.index,
            time=frame.time,
            side=side,
            box=(
                round((x - left) * scale, 1),
                round((y - top) * scale, 1),
                round(width * scale, 1),
                round(height * scale, 1),
            ),
            landmarks=tuple((round(x, 1), round(y, 1)) for x, y in points.tolist()),
            confidence=round(face.confidence, 4),
            hashes=hash_picture(crop),
            sha256=hashlib.sha256(encoded).hexdigest(),
        )


def hash_picture(pixels: np.ndarray) -> tuple[str, str]:
    """Return the perceptual hashes of uint8 RGB [height, width, 3]: 64 and 256 bits, hexadecimal."""
    picture = Image.fromarray(pixels)
    return str(imagehash.phash(picture, COARSE)), str(imagehash.phash(picture, FINE))


def picture_path(clip: Clip, frame: int, number: int, suffix: str) -> str:
    """Return where a face lies in the data set.

    The name holds digits of the clip's path, so clips of one name in two folders do not overwrite each other,
    and nothing of a stranger's file or source name can lead out of the folder.
    """
    digest = hashlib.sha256(clip.path.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    stem = plain(PurePosixPath(clip.path).stem)[:60] or "clip"
    extra = f"-{number}" if number else ""
    label = "fake" if clip.label else "real"
    return f"faces/{plain(clip.source) or 'own'}/{label}/{stem}-{digest}-{frame:05}{extra}{suffix}"


def plain(name: str) -> str:
    """Return a name of letters, digits, _ and - only."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        WriteFailed: it cannot be written.
    """
    with replacing(path) as unfinished:
        unfinished.write_bytes(data)


def _say(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"the file cannot be read: {error.strerror}"
    return str(error) if isinstance(error, (UnmaskError, Unusable)) else "the video is damaged"
