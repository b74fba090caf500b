"""Videos too large for one request: brought to a place of their own, checked there, asked after until they are done.

Where they lie is one of two: a folder on one machine (`FolderUploads`), or a bucket in AWS (`buckets.BucketUploads`).
What is told of them is the same.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Protocol, cast

from chalicelib.checks import Checker
from chalicelib.compatibility import upgrade_record
from chalicelib.errors import BadRequest, IncompleteBody, NotFound, StoreUnavailable, TooLarge, UnmaskError
from chalicelib.schema import Destination, Ticket, Upload

# How long a place is kept for a video, and what came of it, s.
LIFETIME = 3600
# Videos that wait or are checked at once, on one machine.
MOST_OPEN = 8
# Progress is told in steps of this part.
STEP = 0.1
# Bytes of a body, and those taken at once.
LONGEST_REQUEST = 1000
CHUNK = 1 << 20

_ID = re.compile("[0-9a-f]{32}")


class Uploads(Protocol):
    """Where uploaded videos lie. Every method may raise `StoreUnavailable`."""

    def reserve(self, size: int) -> Ticket:
        """Make a place for a video of so many bytes."""

    def read(self, upload_id: str) -> Upload:
        """Return how far its check is; raises `NotFound`."""

    def write(self, upload: Upload) -> None:
        """Remember how far a check is."""

    def open(self, upload_id: str) -> Any:
        """Lend the video as the path of a file, within a `with`; it is taken away for good after that."""


class FolderUploads:
    """Uploads in a folder, for one machine; safe to share between threads."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """Take a folder, which is made when it is needed."""
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()

    def reserve(self, size: int) -> Ticket:
        """See `Uploads.reserve`."""
        with self._lock:
            self._tidy()
            if sum(self._is_open(path) for path in self._folder.glob("*.json")) >= MOST_OPEN:
                raise StoreUnavailable("Too many videos wait to be checked; try again in a few minutes.")
            upload_id = uuid.uuid4().hex
            self._put(begin(upload_id), size)
        # Relative: who asks knows by which name we are reached.
        return issue(upload_id, {"method": "PUT", "url": f"/v2/uploads/{upload_id}/clip", "headers": {}})

    def read(self, upload_id: str) -> Upload:
        """See `Uploads.read`."""
        return cast(Upload, self._get(upload_id)["upload"])

    def write(self, upload: Upload) -> None:
        """See `Uploads.write`."""
        with self._lock:
            self._put(upload, int(self._get(upload["id"])["size"]))

    def receive(self, upload_id: str, body: BufferedIOBase, length: int) -> None:
        """Take a video in, a piece at a time.

        Raises:
            NotFound: no place was made for it, or it is there already.
            BadRequest: it has another size than was told.
            IncompleteBody: it ends early.
        """
        told = self._get(upload_id)
        if told["upload"]["state"] != "waiting":
            raise NotFound("That video was sent already.")
        if length != told["size"]:
            raise BadRequest(f"The video has {length} bytes; {told['size']} were announced.")
        left = length
        with self._clip(upload_id).open("wb") as file:
            while left and (part := body.read(min(left, CHUNK))):
                file.write(part)
                left -= len(part)
        if left:
            self._clip(upload_id).unlink()
            raise IncompleteBody("The upload ended too early.")

    @contextmanager
    def open(self, upload_id: str) -> Iterator[Path]:
        """See `Uploads.open`."""
        path = self._clip(upload_id)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _tidy(self) -> None:
        """Take away what nobody asks after any more."""
        for path in self._folder.glob("*"):
            with suppress(OSError):
                if self._clock() - path.stat().st_mtime > LIFETIME:
                    path.unlink()

    def _is_open(self, path: Path) -> bool:
        return self._get(path.stem)["upload"]["state"] in ("waiting", "checking")

    def _clip(self, upload_id: str) -> Path:
        require_id(upload_id)
        return self._folder / f"{upload_id}.clip"

    def _get(self, upload_id: str) -> dict[str, Any]:
        require_id(upload_id)
        try:
            text = (self._folder / f"{upload_id}.json").read_text(encoding="utf-8")
            return dict(upgrade_record(json.loads(text)))
        except OSError as error:
            raise not_found() from error

    def _put(self, upload: Upload, size: int) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            # Whole or not at all: somebody may be reading.
            unfinished = self._folder / f"{upload['id']}.new"
            unfinished.write_text(json.dumps({"upload": upload, "size": size}), encoding="utf-8")
            unfinished.replace(self._folder / f"{upload['id']}.json")
        except OSError as error:
            raise StoreUnavailable("The folder for uploads cannot be written.") from error


def read_size(body: bytes, limit: int) -> int:
    """Read what `POST /v2/uploads` takes: `{"bytes": n}`.

    Raises:
        TooLarge: no video of that size is taken.
        BadRequest: it is anything else.
    """
    try:
        told = json.loads(body[:LONGEST_REQUEST])
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON.") from error
    if not isinstance(told, dict) or told.keys() != {"bytes"} or type(told["bytes"]) is not int or told["bytes"] < 1:
        raise BadRequest('The body must be an object with a whole number "bytes", and nothing else.')
    if told["bytes"] > limit:
        raise TooLarge(f"The video has {told['bytes'] / 1e6:.1f} MB; at most {limit / 1e6:.1f} MB are accepted.")
    return int(told["bytes"])


def check_upload(uploads: Uploads, checker: Checker, upload_id: str) -> None:
    """Check a video that has arrived, telling how far that is; a second call for the same one does nothing.

    Raises:
        NotFound: there is none.
        Exception: whatever went wrong on our side, after it was told as a failure.
    """
    upload = uploads.read(upload_id)
    if upload["state"] != "waiting":
        return
    upload["state"] = "checking"
    uploads.write(upload)

    def tell(done: int, total: int) -> None:
        part = round(done / total, 2)
        if part >= upload["progress"] + STEP:
            upload["progress"] = part
            uploads.write(upload)

    # Nobody waits behind a gateway that gives up: a large clip may take its time.
    most = checker.settings.max_upload_bytes
    limits = replace(
        checker.settings,
        max_video_bytes=most,
        max_bytes_in_flight=max(most, checker.settings.max_bytes_in_flight),
        video_patience=LIFETIME,
    )
    try:
        with uploads.open(upload_id) as path:
            upload["check"] = checker.check_video(path, tell, limits)
        upload["state"], upload["progress"] = "done", 1.0
    except Exception as error:
        told = error if isinstance(error, UnmaskError) else UnmaskError("Something went wrong on our side.")
        upload["state"], upload["status"] = "failed", told.status
        upload["error"] = {"code": told.code, "message": told.message}
        if told is not error:
            raise
    finally:
        uploads.write(upload)


def begin(upload_id: str) -> Upload:
    """Return what is told of a place that waits for its video."""
    return {"id": upload_id, "state": "waiting", "progress": 0.0}


def issue(upload_id: str, destination: Destination) -> Ticket:
    """Return what who wants to upload is told."""
    return {"id": upload_id, "upload": destination, "seconds": LIFETIME}


def require_id(upload_id: str) -> None:
    """Refuse what is no id of ours: it becomes part of a path.

    Raises:
        NotFound: it is none.
    """
    if not _ID.fullmatch(upload_id):
        raise not_found()


def not_found() -> NotFound:
    """Build the error for an id that is not known, or not any more."""
    return NotFound("No upload is known under that id.")
