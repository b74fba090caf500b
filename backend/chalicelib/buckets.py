"""Uploads in an S3 bucket; the only module that knows boto3.

The bucket holds `uploads/ID/clip` and `uploads/ID/state.json`. It needs a lifecycle rule that deletes what is a day
old, CORS for PUT from any origin, and a notification of created objects under `uploads/` that end in `clip` to the
function `check_upload`, which may read, write and delete there.
"""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import StoreUnavailable
from chalicelib.schema import Ticket, Upload
from chalicelib.uploads import LIFETIME, begin, issue, not_found, require_id


class BucketUploads:
    """Uploads in one bucket; see `uploads.Uploads`."""

    def __init__(self, bucket: str) -> None:
        """Take a bucket, which is not asked for here."""
        self._bucket = bucket
        self._client = boto3.client("s3", config=Config(signature_version="s3v4", retries={"mode": "standard"}))

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
        return cast(Upload, json.loads(body))

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


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what S3 says into an error with a sentence."""
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
            raise not_found() from error
        raise StoreUnavailable("The place for uploads does not answer.") from error
    except BotoCoreError as error:
        raise StoreUnavailable("The place for uploads does not answer.") from error
