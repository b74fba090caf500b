"""Checks in DynamoDB.

A check is found in two ways, and each is a key of its own: `score#SHA256#VERSION` holds the check, `check#ID` leads to
it. Both are written in one transaction or not at all.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

from chalicelib.dynamo import Refused, connect, explained, fits
from chalicelib.errors import StoreUnavailable
from chalicelib.store import Check, check_not_found

# An item takes 400 KB, keys included. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Limits.html
LARGEST = 390_000


class DynamoChecks:
    """See `store.Store`; safe to share between threads."""

    def __init__(self, table: str) -> None:
        """Take a table, which is not asked for here."""
        self._table = table
        self._client = connect()
        self._closed = False

    def find(self, sha256: str, model_version: str) -> Check | None:
        """See `Store.find`."""
        item = self._read(_score_key(sha256, model_version))
        return None if item is None else _unpack(item)

    def save(self, check: Check) -> Check:
        """See `Store.save`.

        Raises:
            StoreUnavailable: also where the check is too large for an item.
        """
        sha256, version = check["media"]["sha256"], check["model"]["version"]
        body = zlib.compress(json.dumps(check, allow_nan=False).encode())
        if len(body) > LARGEST:
            raise StoreUnavailable("The check is larger than the store can keep.")
        key = _score_key(sha256, version)
        puts = [
            {"pk": {"S": key}, "id": {"S": check["id"]}, "body": {"B": body}},
            {"pk": {"S": _check_key(check["id"])}, "score": {"S": key}},
        ]
        # A check that was first may be deleted before it is read.
        for _ in range(3):
            try:
                self._write(
                    {"Put": {"TableName": self._table, "Item": put, "ConditionExpression": "attribute_not_exists(pk)"}}
                    for put in puts
                )
                return check
            except Refused:
                known = self.find(sha256, version)
                if known is not None:
                    return known
        raise StoreUnavailable("The store does not answer; try again.")

    def get(self, check_id: str) -> Check:
        """See `Store.get`."""
        return _unpack(self._follow(check_id))

    def delete(self, check_id: str) -> None:
        """See `Store.delete`."""
        score = self._follow(check_id)["pk"]["S"]
        try:
            self._write(
                {
                    "Delete": {
                        "TableName": self._table,
                        "Key": {"pk": {"S": key}},
                        "ConditionExpression": "attribute_exists(pk)",
                    }
                }
                for key in (score, _check_key(check_id))
            )
        except Refused as error:
            raise check_not_found() from error

    def close(self) -> None:
        """See `Store.close`."""
        self._closed = True
        self._client.close()

    def _follow(self, check_id: str) -> dict[str, Any]:
        """Return the item of a check; raises `NotFound`."""
        pointer = self._read(_check_key(check_id))
        item = None if pointer is None else self._read(pointer["score"]["S"])
        if item is None or item["id"]["S"] != check_id:
            raise check_not_found()
        return item

    def _read(self, key: str) -> dict[str, Any] | None:
        self._require_open()
        if not fits(key):
            return None
        with explained():
            answer = self._client.get_item(TableName=self._table, Key={"pk": {"S": key}}, ConsistentRead=True)
        return answer.get("Item")

    def _write(self, deeds: Any) -> None:
        self._require_open()
        with explained():
            self._client.transact_write_items(TransactItems=list(deeds))

    def _require_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("The store is closed.")


def _score_key(sha256: str, version: str) -> str:
    return f"score#{sha256}#{version}"


def _check_key(check_id: str) -> str:
    return f"check#{check_id}"


def _unpack(item: dict[str, Any]) -> Check:
    return dict(json.loads(zlib.decompress(item["body"]["B"])))
