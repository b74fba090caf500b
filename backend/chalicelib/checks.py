"""One check from end to end; the only place where the steps meet."""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from chalicelib.clip_header import HEAD, sniff_clip
from chalicelib.detector import Detector
from chalicelib.errors import NotFound, TooLarge, UnmaskError, UnsupportedMedia
from chalicelib.face_views import FaceViews, ViewRule, ViewScorer, cut_views, score_views
from chalicelib.faces import Face, FaceFinder, crop_square
from chalicelib.frames import Frame, hash_frames
from chalicelib.images import decode, is_light
from chalicelib.memory import tune_allocator
from chalicelib.quality import find_flaws
from chalicelib.scenes import Look, describe, is_cut
from chalicelib.schema import Check, Media, Model, ModelCard, Point, Reason, Signal, Thresholds, Timing, Track
from chalicelib.schema import Face as FaceRecord
from chalicelib.settings import Settings
from chalicelib.signals import find_signals
from chalicelib.times import now, spell_time
from chalicelib.tracks import Sighting, follow_faces, pick_faces
from chalicelib.verdicts import (
    Calibration,
    Calibrations,
    Judgement,
    Medium,
    PictureJudgement,
    judge_clip,
    judge_face,
    judge_picture,
    judge_track,
)

if TYPE_CHECKING:
    from chalicelib.beside import Aside
    from chalicelib.store import Store
    from chalicelib.videos import Clip

# Of some faces: logits float32 [n], maps float32 [n, h, w].
_Answers = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
_NONE: _Answers = np.zeros(0, np.float32), np.zeros((0, 1, 1), np.float32)
# Faces of frames that are scored while further frames are searched.
_Scoring: TypeAlias = "Aside[Sequence[_Cut], _Answers]"
# Called with the frames that were looked at, and those that there are at most.
Progress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Tell nobody."""


class Finds(Protocol):
    """Finds the faces of a picture, largest first."""

    def find(self, pixels: npt.NDArray[np.uint8]) -> list[Face]: ...


class Scores(ViewScorer, Protocol):
    """Scores views of faces; see `Detector`."""

    side: int
    card: dict[str, Any]
    calibration: Calibrations
    views: ViewRule


class Checker:
    """Checks pictures and clips; safe to share between threads."""

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
        # One picture or frame is decoded, searched and cut at a time, which takes up to 400 MB; the others wait here
        # instead of filling the memory. They lose nothing by it: the networks take turns anyway.
        self._room = threading.Lock()
        # A process that decodes a clip takes up to 400 MB more.
        self._screen = threading.Lock()

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
        tune_allocator()
        detector = Detector(settings.models, settings.threads)
        finder = FaceFinder(settings.models, search_side=settings.search_side, threads=settings.threads)
        if not remember:
            return cls(settings, finder, detector, None)
        # What is not remembered does not wait for a database.
        from chalicelib.stores import open_checks

        return cls(settings, finder, detector, open_checks(settings))

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
            "thresholds": _thresholds(calibration.picture),
            "frame_thresholds": _thresholds(calibration.frame),
            "video_thresholds": _thresholds(calibration.video),
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
        return self._recall(hashlib.sha256(data).hexdigest(), lambda sha256: self._judge_image(data, sha256))

    def check_url(self, url: str, own_hosts: Collection[str] = ()) -> Check:
        """Fetch a picture or clip and check it.

        It is known by its bytes like any other, so an address whose file has changed is answered anew. The address
        is neither kept nor logged.

        Args:
            url: from anybody.
            own_hosts: see `fetch`.

        Raises:
            UnmaskError: what `fetch` and `check_fetched` raise.
        """
        # Most checks fetch nothing, and what fetching needs takes a tenth of a start.
        from chalicelib.fetching import fetch

        return self.check_fetched(fetch(url, self.settings, own_hosts))

    def check_fetched(self, data: bytes) -> Check:
        """Check what `fetch` has brought, as `check_image` or `check_video` does; a page is told as such."""
        if is_clip(data[:HEAD]):
            from chalicelib.videos import spool

            with spool(data) as path:
                return self.check_video(path)
        try:
            return self.check_image(data)
        except UnsupportedMedia as error:
            raise UnsupportedMedia(
                "That address holds nothing that can be checked; only pictures and videos can, not pages."
            ) from error

    def check_frames(self, frames: Sequence[Frame]) -> Check:
        """Check a clip by frames taken from it, or answer from the store as `check_image` does.

        Args:
            frames: at least one, by time; see `hash_frames` for what makes two clips equal.

        Raises:
            TooLarge, UnsupportedMedia, UnreadableImage: a frame is refused, and named; or they are too many pixels.
            ModelUnavailable, StoreUnavailable: we failed. A failure is never a verdict.
        """
        return self._recall(hash_frames(frames), lambda sha256: self._judge_frames(frames, sha256))

    def check_video(self, path: Path, progress: Progress = no_progress, limits: Settings | None = None) -> Check:
        """Check a clip by frames from all of it, or answer from the store as `check_image` does.

        Args:
            path: the file, from anybody.
            progress: told after each frame; not called where the answer is known.
            limits: of the clip, where they are others than those of the checker.

        Raises:
            TooLarge, UnsupportedMedia, UnreadableVideo: the clip is refused.
            ModelUnavailable, StoreUnavailable: we failed. A failure is never a verdict.
            OSError: the file cannot be read.
        """
        limits = limits or self.settings
        return self._recall(_hash_clip(path), lambda sha256: self._judge_video(path, sha256, progress, limits))

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

    def prepare_image(self, data: bytes) -> Prepared:
        """Do all of a picture's check that comes before the detector, so that many can be scored at once.

        Raises:
            TooLarge, UnsupportedMedia, UnreadableImage: the picture is refused.
        """
        return self._open(data, hashlib.sha256(data).hexdigest())

    def judge_images(self, pictures: Sequence[Prepared]) -> list[Check]:
        """Score the faces of all pictures in one go; neither asks the store nor remembers.

        Returns:
            A check of each, in order.

        Raises:
            ModelUnavailable: the model gave no usable score.
        """
        cuts = [cut for picture in pictures for cut in picture.cuts]
        started = time.perf_counter()
        logits, maps = self._infer(cuts)
        seconds = time.perf_counter() - started
        checks, first = [], 0
        for picture in pictures:
            mine = slice(first, first + len(picture.cuts))
            first = mine.stop
            picture.watch.add("detector", seconds * len(picture.cuts) / max(1, len(cuts)))
            # The first frame of an animation is a frame like any other of a moving picture.
            medium: Medium = "picture" if picture.media["frames"] == 1 else "frame"
            scores = self._calibrate(picture.cuts, logits[mine], maps[mine], medium)
            checks.append(
                self._answer(
                    judge_picture([score.judgement for score in scores], faces_left_out=picture.left_out),
                    [score.record for score in scores],
                    picture.media,
                    picture.watch,
                    picture.signals,
                )
            )
        return checks

    def recall(self, sha256: str) -> Check | None:
        """Return the stored check of these bytes by this model, if there is one."""
        known = None if self._store is None else self._store.find(sha256, self.model["version"])
        return None if known is None else _from_store(known)

    def remember(self, check: Check) -> Check:
        """Store a check; return that which is stored now, since another process may have been faster."""
        if self._store is None:
            return check
        stored = self._store.save(cast(dict[str, Any], check))
        return check if stored["id"] == check["id"] else _from_store(stored)

    def _recall(self, sha256: str, judge: Callable[[str], Check]) -> Check:
        """Return the stored check of these bytes by this model, or judge and store."""
        if self._store is None:
            return judge(sha256)
        with self._turns.of(sha256):
            return self.recall(sha256) or self.remember(judge(sha256))

    def _judge_image(self, data: bytes, sha256: str) -> Check:
        (check,) = self.judge_images([self._open(data, sha256)])
        return check

    def _open(self, data: bytes, sha256: str) -> Prepared:
        watch = _Stopwatch()
        with self._room:
            with watch.time("decode"):
                image = decode(data, self.settings)
            with watch.time("faces"):
                found = self._finder.find(image.pixels)
            faces = found[: self.settings.max_faces]
            with watch.time("detector"):
                cuts = [self._cut(face, image.pixels) for face in faces]
        height, width = image.pixels.shape[:2]
        media: Media = {
            "kind": "image",
            "sha256": sha256,
            "width": width,
            "height": height,
            "format": image.format,
            "frames": image.frames,
        }
        return Prepared(media, find_signals(image.blocks), cuts, len(found) - len(faces), watch)

    def _judge_frames(self, frames: Sequence[Frame], sha256: str) -> Check:
        # Most checks are of pictures, and need no thread.
        from chalicelib.beside import Ahead, Aside

        def may(number: int) -> bool:
            return number < len(frames) and is_light(frames[number].data)

        watch = _Stopwatch()
        clip = _Clip()
        decoding = Ahead(lambda number: _open_frame(number + 1, frames[number].data, self.settings), may, "decode")
        with Aside(self._infer, "detector") as aside, decoding as ahead:
            for number, frame in enumerate(frames):
                with self._room:
                    (pixels, look), seconds = ahead.take(number)
                    watch.add("decode", seconds)
                    clip.area += pixels.shape[0] * pixels.shape[1]
                    if clip.area > self.settings.max_clip_pixels:
                        raise TooLarge(
                            f"The frames have more than {self.settings.max_clip_pixels / 1e6:g} million pixels "
                            "together, the most that can be read."
                        )
                    self._search_frame(frame.time, pixels, look, clip, watch, aside)
            answers = _join(aside.gather(), watch)
        return self._judge_clip(clip, answers, sha256, "frames", len(frames), watch)

    def _judge_video(self, path: Path, sha256: str, progress: Progress, limits: Settings) -> Check:
        from chalicelib.beside import Aside
        from chalicelib.videos import open_clip

        watch = _Stopwatch()
        with self._screen, open_clip(path, limits) as film, Aside(self._infer, "detector") as aside:
            clip = self._watch(film, watch, progress, aside)
            answers = _join(aside.gather(), watch)
        clip.cut_short = film.cut_short
        return self._judge_clip(clip, answers, sha256, film.format, film.count, watch)

    def _watch(self, film: Clip, watch: _Stopwatch, progress: Progress, aside: _Scoring) -> _Clip:
        """Cut out the faces to judge, frame after frame; while one is searched, the next is decoded."""
        clip = _Clip()
        frames = iter(film)
        while True:
            # Not in the room: a clip that is slow to decode must not keep pictures waiting.
            with watch.time("decode"):
                frame = next(frames, None)
            if frame is None:
                return clip
            with self._room:
                self._search_frame(frame.time, frame.pixels, describe(frame.pixels), clip, watch, aside)
            progress(len(clip.times), max(len(clip.times), min(film.count, self.settings.max_frames)))

    def _search_frame(
        self, time: float, pixels: npt.NDArray[np.uint8], look: Look, clip: _Clip, watch: _Stopwatch, aside: _Scoring
    ) -> None:
        """Cut out the faces of the next frame, and have them scored."""
        height, width = pixels.shape[:2]
        if not clip.times:
            clip.size = width, height
        with watch.time("faces"):
            found = self._finder.find(pixels)
        faces = [found[i] for i in pick_faces([face.box for face in found])][: self.settings.max_faces]
        clip.left_out += sum(map(self._fits, found)) > sum(map(self._fits, faces))
        with watch.time("detector"):
            cuts = [self._cut(face, pixels) for face in faces]
        if cuts:
            aside.add(cuts)
        clip.cuts += cuts
        clip.sightings += [_sight(len(clip.times), face, width, height) for face in faces]
        if clip.look is not None and is_cut(clip.look, look):
            clip.scenes.append(len(clip.times))
        clip.look = look
        clip.times.append(time)

    def _judge_clip(
        self, clip: _Clip, answers: _Answers, sha256: str, format: str, count: int, watch: _Stopwatch
    ) -> Check:
        scores = self._calibrate(clip.cuts, *answers, "frame")
        followed = [self._judge_track(track, clip, scores) for track in follow_faces(clip.sightings, clip.scenes)]
        followed.sort(key=lambda track: track.record["box"][2] * track.record["box"][3], reverse=True)
        check = self._answer(
            judge_clip(
                [track.judgement for track in followed],
                frames_left_out=clip.left_out,
                cut_short=clip.cut_short,
                still=format != "frames" and len(clip.times) == 1,
            ),
            [track.record for track in followed],
            {
                "kind": "video",
                "sha256": sha256,
                "width": clip.size[0],
                "height": clip.size[1],
                "format": format,
                "frames": count,
            },
            watch,
        )
        usable = {sighting.frame for sighting, cut in zip(clip.sightings, clip.cuts, strict=True) if not cut.flaws}
        check["tracks"] = [track.track for track in followed]
        check["coverage"] = {"frames": len(clip.times), "usable": len(usable)}
        return check

    def _judge_track(self, track: Sequence[int], clip: _Clip, scores: Sequence[_Score]) -> _Followed:
        places = [(clip.sightings[i].frame, scores[i]) for i in track]
        flaws = [clip.cuts[i].flaws for i in track]
        judgement = judge_track([score.logit for _, score in places], flaws, self._detector.calibration)
        # What is shown of a track is what its verdict rests on.
        shown = [n for n, found in enumerate(flaws) if not found] or range(len(places))
        worst = max(shown, key=lambda n: places[n][1].logit)
        best = min(shown, key=lambda n: places[n][1].logit)
        return _Followed(
            judgement,
            {
                **places[worst][1].record,
                "fake_probability": judgement.probability,
                "verdict": judgement.verdict,
            },
            {
                "fake_probability": judgement.probability,
                "verdict": judgement.verdict,
                "reasons": list(judgement.reasons),
                "worst": worst,
                "best": best,
                "points": [_point(frame, clip.times[frame], score.record) for frame, score in places],
            },
        )

    def _answer(
        self,
        judgement: PictureJudgement,
        faces: list[FaceRecord],
        media: Media,
        watch: _Stopwatch,
        signals: Sequence[Signal] = (),
    ) -> Check:
        return {
            "id": uuid.uuid4().hex,
            "verdict": judgement.verdict,
            "fake_probability": judgement.probability,
            "reasons": list(judgement.reasons),
            "faces": faces,
            "signals": list(signals),
            "media": media,
            "model": self.model,
            "checked_at": spell_time(now()),
            "cached": False,
            "timing_ms": watch.read(),
        }

    def _cut(self, face: Face, pixels: npt.NDArray[np.uint8]) -> _Cut:
        return _Cut(
            face,
            crop_square(face.box, pixels.shape),
            cut_views(pixels, face.box, self._detector.side, self._detector.views),
            find_flaws(pixels, face.box, self.settings.min_face),
        )

    def _infer(self, cuts: Sequence[_Cut]) -> _Answers:
        """Return the logit and map of each face; of none, none."""
        if not cuts:
            return _NONE
        return score_views(self._detector, [cut.views for cut in cuts], self._detector.views)

    def _calibrate(
        self,
        cuts: Sequence[_Cut],
        logits: npt.NDArray[np.float32],
        maps: npt.NDArray[np.float32],
        medium: Medium,
    ) -> list[_Score]:
        calibration = self._detector.calibration.of(medium)
        grids = maps / calibration.temperature + calibration.bias
        scores = []
        for cut, logit, grid in zip(cuts, logits, grids, strict=True):
            judgement = judge_face(float(logit), cut.flaws, calibration)
            scores.append(_Score(float(logit), judgement, _record(cut, judgement, grid)))
        return scores

    def _fits(self, face: Face) -> bool:
        """Say whether a face is large enough to be judged; of one that is left out nothing more is looked at."""
        return max(face.box[2:]) >= self.settings.min_face


@dataclass(frozen=True, slots=True)
class _Cut:
    """A face cut out of a picture.

    Attributes:
        face: the face.
        square: x, y and side of what was cut, pixels of the picture.
        views: what the network sees of it.
        flaws: why the face cannot be judged.
    """

    face: Face
    square: tuple[int, int, int]
    views: FaceViews
    flaws: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture of which only its faces are left, to be scored; may be pickled.

    Attributes:
        media: what it is.
        signals: what it states of itself.
        cuts: the faces to judge.
        left_out: how many faces are not judged.
        watch: what its check took so far.
    """

    media: Media
    signals: list[Signal]
    cuts: list[_Cut]
    left_out: int
    watch: _Stopwatch


@dataclass(frozen=True, slots=True)
class _Score:
    """A face that the network has judged."""

    logit: float
    judgement: Judgement
    record: FaceRecord


@dataclass(slots=True)
class _Clip:
    """What was found in a clip.

    Attributes:
        size: width and height of the first frame.
        times: of the frames so far, seconds.
        area: px of the frames so far, where that is bounded.
        cuts: the faces to judge, by frame.
        sightings: of the same faces, in the same order.
        look: of the last frame.
        scenes: indices of the frames that begin another scene.
        left_out: frames in which a face that is large enough to be judged was left out.
        cut_short: whether frames are missing at the end.
    """

    size: tuple[int, int] = (0, 0)
    times: list[float] = field(default_factory=list)
    area: int = 0
    cuts: list[_Cut] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    look: Look | None = None
    scenes: list[int] = field(default_factory=list)
    left_out: int = 0
    cut_short: bool = False


@dataclass(frozen=True, slots=True)
class _Followed:
    """A track, judged."""

    judgement: Judgement
    record: FaceRecord
    track: Track


class _Stopwatch:
    """Adds up what each step of a check takes."""

    def __init__(self) -> None:
        self._seconds = dict.fromkeys(("decode", "faces", "detector"), 0.0)

    @contextmanager
    def time(self, step: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.add(step, time.perf_counter() - started)

    def add(self, step: str, seconds: float) -> None:
        self._seconds[step] += seconds

    def read(self) -> Timing:
        return cast(Timing, {step: round(seconds * 1000, 1) for step, seconds in self._seconds.items()})


def is_clip(head: bytes) -> bool:
    """Say whether a file begins like a clip. A GIF does not: it is checked as a picture unless it is sent as a clip.

    Args:
        head: its first `HEAD` bytes.
    """
    return sniff_clip(head) not in (None, "gif")


def _hash_clip(path: Path) -> str:
    """Return what a clip is known by: the SHA-256 of its bytes.

    A GIF may be checked as a picture too, which is another check: of it, that of those 32 bytes and the word "clip".
    """
    with path.open("rb") as file:
        is_gif = sniff_clip(file.read(HEAD)) == "gif"
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256")
    return hashlib.sha256(digest.digest() + b"clip").hexdigest() if is_gif else digest.hexdigest()


def _open_frame(number: int, data: bytes, settings: Settings) -> tuple[npt.NDArray[np.uint8], Look]:
    """Decode a frame, and say what it looks like: both in the time in which the one before is searched."""
    try:
        pixels = decode(data, settings).pixels
    except UnmaskError as error:
        raise type(error)(f"Frame {number}: {error.message}", code=error.code) from error
    return pixels, describe(pixels)


def _join(parts: Sequence[tuple[_Answers, float]], watch: _Stopwatch) -> _Answers:
    """Return the answers of all frames as one, and count the seconds that they took."""
    for _, seconds in parts:
        watch.add("detector", seconds)
    if not parts:
        return _NONE
    return np.concatenate([logits for (logits, _), _ in parts]), np.concatenate([maps for (_, maps), _ in parts])


def _thresholds(calibration: Calibration) -> Thresholds:
    return {"no_traces_below": calibration.no_traces_below, "fake_above": calibration.fake_above}


def _sight(frame: int, face: Face, width: int, height: int) -> Sighting:
    """Put a face into units of its frame's width and height."""
    x, y, across, down = face.box
    landmarks = tuple((float(left) / width, float(top) / height) for left, top in face.landmarks)
    return Sighting(frame, (x / width, y / height, across / width, down / height), landmarks)


def _record(cut: _Cut, judgement: Judgement, grid: npt.NDArray[np.float32]) -> FaceRecord:
    x, y, side = cut.square
    return {
        "box": _rounded(cut.face.box, 1),
        "detection_confidence": round(float(cut.face.confidence), 4),
        "fake_probability": judgement.probability,
        "verdict": judgement.verdict,
        "evidence": {
            "grid": [_rounded(row, 3) for row in grid],
            "box": [x, y, side, side],
        },
    }


def _point(frame: int, time: float, record: FaceRecord) -> Point:
    return {
        "frame": frame,
        "time": time,
        "box": record["box"],
        "fake_probability": record["fake_probability"],
        "verdict": record["verdict"],
        "evidence": record["evidence"],
    }


def _rounded(values: Any, decimals: int) -> list[float]:
    return [round(float(value), decimals) for value in values]


def _from_store(record: dict[str, Any]) -> Check:
    # Checks from before there were signals have none.
    return cast(Check, {"signals": [], **record, "cached": True})


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
