"""Uploads, kept pictures and lists in S3 buckets; the only module that knows S3.

The bucket for uploads holds `uploads/ID/clip` and `uploads/ID/state.json`. It needs a lifecycle rule that deletes what
is a day old, CORS for PUT from any origin, and a notification of created objects under `uploads/` that end in `clip` to
the function `check_upload`, which may read, write and delete there.

The bucket for kept pictures holds `pictures/ID`. It needs a lifecycle rule that deletes them after `UNMASK_KEEP_DAYS`,
and none but this service may read it.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.compatibility import upgrade_record
from chalicelib.errors import BadRequest, NotFound, StoreUnavailable
from chalicelib.pictures import picture_not_found
from chalicelib.pictures import require_id as require_flag_id
from chalicelib.schema import Ticket, Upload
from chalicelib.uploads import LIFETIME, begin, issue, not_found, require_id

# A night's name, as `planner.plan` makes it.
NIGHT = re.compile(r"[0-9TZ]{16}-[0-9a-f]{8}", re.ASCII)


class BucketUploads:
    """Uploads in one bucket; see `uploads.Uploads`."""

    def __init__(self, bucket: str) -> None:
        """Take a bucket, which is not asked for here."""
        self._bucket = bucket
        self._client = _connect()

    def reserve(self, size: int) -> Ticket:
        """See `Uploads.reserve`. The address takes so many bytes and no other number."""
        upload_id = uuid.uuid4().hex
        self.write(begin(upload_id))
        with _explained():
            url = self._client.generate_presigned_url(
                "put_object",
                Params={"Bucket": self._bucket, "Key": _clip(upload_id), "ContentLength": size},
                ExpiresIn=LIFETIME,
            )
        return issue(upload_id, {"method": "PUT", "url": url, "headers": {}})

    def read(self, upload_id: str) -> Upload:
        """See `Uploads.read`."""
        with _explained():
            body = self._client.get_object(Bucket=self._bucket, Key=_state(upload_id))["Body"].read()
        return cast(Upload, upgrade_record(json.loads(body)))

    def write(self, upload: Upload) -> None:
        """See `Uploads.write`."""
        with _explained():
            self._client.put_object(
                Bucket=self._bucket,
                Key=_state(upload["id"]),
                Body=json.dumps(upload).encode(),
                ContentType="application/json",
            )

    @contextmanager
    def open(self, upload_id: str) -> Iterator[Path]:
        """See `Uploads.open`. The video is brought to a temporary file, which decoders want to leap about in."""
        key = _clip(upload_id)
        with tempfile.NamedTemporaryFile(prefix="unmask-") as file:
            with _explained():
                self._client.download_fileobj(self._bucket, key, file)
            file.flush()
            try:
                yield Path(file.name)
            finally:
                with _explained():
                    self._client.delete_object(Bucket=self._bucket, Key=key)


class BucketPictures:
    """Kept pictures in one bucket; see `pictures.Pictures`."""

    def __init__(self, bucket: str, days: int, clock: Callable[[], float] = time.time) -> None:
        """Take a bucket, which is not asked for here.

        Args:
            bucket: its name.
            days: how long a picture is kept; checked here too, for a lifecycle rule takes up to a day more.
            clock: seconds since 1970.
        """
        self._bucket = bucket
        self._lifetime = days * 86_400
        self._clock = clock
        self._client = _connect()

    def put(self, flag_id: str, data: bytes) -> None:
        """See `Pictures.put`."""
        with _explained(picture_not_found):
            self._client.put_object(
                Bucket=self._bucket,
                Key=_picture(flag_id),
                Body=data,
                # Whatever the bytes are, a browser must not make a page of them.
                ContentType="application/octet-stream",
                ServerSideEncryption="AES256",
                Metadata={"until": str(math.ceil(self._clock() + self._lifetime))},
            )

    def get(self, flag_id: str) -> bytes:
        """See `Pictures.get`."""
        with _explained(picture_not_found):
            found = self._client.get_object(Bucket=self._bucket, Key=_picture(flag_id))
            if int(found["Metadata"]["until"]) <= self._clock():
                raise picture_not_found()
            return bytes(found["Body"].read())

    def delete(self, flag_id: str) -> None:
        """See `Pictures.delete`."""
        with _explained(picture_not_found):
            self._client.delete_object(Bucket=self._bucket, Key=_picture(flag_id))


class BucketShelf:
    """Lists and reports of re-scoring in one bucket; see `planner.Shelf`."""

    def __init__(self, bucket: str) -> None:
        """Take a bucket, which is not asked for here."""
        self._bucket = bucket
        self._client = _connect()

    def put(self, name: str, file: IO[bytes]) -> str:
        """See `planner.Shelf.put`. Large files go in parts."""
        with _explained():
            self._client.upload_fileobj(file, self._bucket, name)
        return f"s3://{self._bucket}/{name}"


class BucketReports:
    """What nights have reported, in the bucket for lists: `rescore/NIGHT/report.json`."""

    def __init__(self, bucket: str) -> None:
        """Take a bucket, which is not asked for here."""
        self._bucket = bucket
        self._client = _connect()

    def list(self) -> list[str]:
        """Return the names of nights that were planned, latest first; raises `StoreUnavailable`."""
        with _explained():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix="rescore/", Delimiter="/"
            )
            names = [found["Prefix"].split("/")[1] for page in pages for found in page.get("CommonPrefixes", [])]
        return sorted(names, reverse=True)

    def read(self, night: str) -> dict[str, Any]:
        """Return a night's report.

        Raises:
            NotFound: there was no such night, or it is not through.
            StoreUnavailable: S3 does not answer.
        """
        if not NIGHT.fullmatch(night):
            raise _report_not_found()
        with _explained(_report_not_found):
            body = self._client.get_object(Bucket=self._bucket, Key=f"rescore/{night}/report.json")["Body"].read()
        return dict(upgrade_record(json.loads(body)))


def _report_not_found() -> NotFound:
    return NotFound("There is no report of that night, or not yet.")


def read_lines(address: str) -> Iterator[bytes]:
    """Yield the lines of a file in a bucket, as they come.

    Args:
        address: s3://BUCKET/NAME.

    Raises:
        NotFound: there is none.
        StoreUnavailable: S3 does not answer, or stops midway.
    """
    bucket, name = split_address(address)
    with _explained(lambda: NotFound("There is no such list.")):
        yield from _connect().get_object(Bucket=bucket, Key=name)["Body"].iter_lines()


def list_addresses(address: str) -> Iterator[str]:
    """Yield the addresses of all files whose own begins with s3://BUCKET/PREFIX, in order of their names.

    Raises:
        StoreUnavailable: S3 does not answer.
    """
    bucket, prefix = split_address(address)
    with _explained():
        for page in _connect().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield from (f"s3://{bucket}/{found['Key']}" for found in page.get("Contents", []))


def split_address(address: str) -> tuple[str, str]:
    """Return bucket and name of s3://BUCKET/NAME.

    Raises:
        BadRequest: it is no such address.
    """
    scheme, _, rest = address.partition("://")
    bucket, _, name = rest.partition("/")
    if scheme != "s3" or not bucket or not name:
        raise BadRequest("An address in S3 is s3://BUCKET/NAME.")
    return bucket, name


def read_event(event: dict[str, Any]) -> list[str]:
    """Return the ids of the videos whose arrival an S3 event tells."""
    keys = [record["s3"]["object"]["key"].split("/") for record in event.get("Records", [])]
    return [key[1] for key in keys if len(key) == 3 and key[0] == "uploads" and key[2] == "clip"]


def _clip(upload_id: str) -> str:
    require_id(upload_id)
    return f"uploads/{upload_id}/clip"


def _state(upload_id: str) -> str:
    require_id(upload_id)
    return f"uploads/{upload_id}/state.json"


def _picture(flag_id: str) -> str:
    require_flag_id(flag_id)
    return f"pictures/{flag_id}"


def _connect() -> Any:
    return boto3.client("s3", config=Config(signature_version="s3v4", retries={"mode": "standard"}))


@contextmanager
def _explained(missing: Callable[[], NotFound] = not_found) -> Iterator[None]:
    """Turn what S3 says into an error with a sentence; `missing` builds that for an object that is not there."""
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
            raise missing() from error
        raise StoreUnavailable("The bucket does not answer.") from error
    except BotoCoreError as error:
        raise StoreUnavailable("The bucket does not answer.") from error
