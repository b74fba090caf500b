"""Checks in a DynamoDB table.

A check lies under its id; under the hash of its bytes and the model's version lies which id that is.
"""

from __future__ import annotations

import time
from contextlib import suppress

from chalicelib.dynamo import PRESENT, DynamoTable, Refused, pack, spell_key, unpack
from chalicelib.errors import StoreUnavailable
from chalicelib.store import Check, check_not_found

# Waits, s, before a check is written once more. DynamoDB refuses transactions that meet, at times all of them.
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.0)


class DynamoStore:
    """Checks in one table; see `store.Store`. Safe to share between threads."""

    def __init__(self, table: str) -> None:
        """Take a table as `dynamo.describe_table` describes it, which is not asked for here."""
        self._table = DynamoTable(table)

    def find(self, sha256: str, model_version: str) -> Check | None:
        """See `Store.find`."""
        score = self._table.get(spell_key("score", sha256, model_version))
        return None if score is None else self._read(score["check_id"])

    def save(self, check: Check) -> Check:
        """See `Store.save`.

        Raises:
            KeyError: a key of the verdict is missing.
            TypeError, ValueError: the check is not JSON; NaN is not.
        """
        sha256, version = check["media"]["sha256"], check["model"]["version"]
        body = pack(check)
        items = (
            {"pk": spell_key("check", check["id"]), "body": body},
            {"pk": spell_key("score", sha256, version), "check_id": check["id"]},
        )
        for pause in _PAUSES:
            try:
                self._table.put_all(items)
            except Refused:
                kept = self.find(sha256, version)
                if kept is not None:
                    return kept
                time.sleep(pause)
            else:
                return dict(unpack(body))
        raise StoreUnavailable("The check could not be kept; try again.")

    def get(self, check_id: str) -> Check:
        """See `Store.get`."""
        check = self._read(check_id)
        if check is None:
            raise check_not_found()
        return check

    def delete(self, check_id: str) -> None:
        """See `Store.delete`."""
        check = self.get(check_id)
        # In this order, what is left where the second step fails is a check that can be deleted again, and not a score
        # that leads nowhere and keeps others out.
        score = spell_key("score", check["media"]["sha256"], check["model"]["version"])
        with suppress(Refused):
            self._table.delete(score, "check_id = :id", {":id": check_id})
        try:
            self._table.delete(spell_key("check", check_id), PRESENT)
        except Refused as error:
            raise check_not_found() from error

    def close(self) -> None:
        """See `Store.close`."""
        self._table.close()

    def _read(self, check_id: str) -> Check | None:
        item = self._table.get(spell_key("check", check_id))
        return None if item is None else unpack(item["body"])
