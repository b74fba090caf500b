"""Flags in the DynamoDB table that checks lie in.

Each list is an index cut into shards, since one partition takes no more than 1,000 writes a second; a page of flags is
merged from the heads of all of them. The place where it ended says where each shard goes on, so nothing else is
remembered. The indices follow a write within moments: a list may be that much behind, and `replace` is what decides.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from chalicelib.dynamo import ABSENT, DynamoTable, Item, Refused, Values, pack, spell_key, unpack
from chalicelib.errors import StoreUnavailable
from chalicelib.flag_store import cut_page, flag_not_found, read_cursor
from chalicelib.schema import Flag, FlagPage, FlagState
from chalicelib.times import now

# By the first digit of the id, which is random.
SHARDS = "0123456789abcdef"
# After every sort key that there is.
_LAST = "~"
# Flags of a shard of which one query lists what is due.
_LISTED = 1000


class DynamoFlags:
    """Flags in one table; see `flag_store.FlagStore`. Safe to share between threads."""

    def __init__(self, table: str, clock: Callable[[], datetime] = now) -> None:
        """Take a table as `dynamo.describe_table` describes it, which is not asked for here.

        Args:
            table: may be that of the checks.
            clock: gives an aware time; tells what has expired. DynamoDB may take days to forget it.
        """
        self._table = DynamoTable(table)
        self._clock = clock

    def add(self, flag: Flag) -> None:
        """See `FlagStore.add`."""
        try:
            self._table.put(_make_item(flag), ABSENT)
        except Refused as error:
            raise StoreUnavailable("The flag could not be kept; try again.") from error

    def get(self, flag_id: str) -> Flag:
        """See `FlagStore.get`."""
        item = self._table.get(spell_key("flag", flag_id))
        if item is None or item["expires"] <= self._now():
            raise flag_not_found()
        flag: Flag = unpack(item["body"])
        return flag

    def browse(
        self, state: FlagState | None = None, limit: int = 50, cursor: str | None = None, *, owner: str | None = None
    ) -> FlagPage:
        """See `FlagStore.browse`."""
        place = read_cursor(cursor)
        values = {":place": _LAST if place is None else _spell_place(*place)}
        if owner is not None:
            flags = self._read("by_owner", [owner], values, limit, state)
        elif state is not None:
            flags = self._read("by_state", [f"{state}#{shard}" for shard in SHARDS], values, limit)
        else:
            flags = self._read("by_time", SHARDS, values, limit)
        return cut_page(flags, limit)

    def list_due(self, at: str) -> Iterator[str]:
        """See `FlagStore.list_due`."""
        values = {":latest": _spell_place(at, _LAST)}
        shards = [
            self._table.query("due", shard, "due_key <= :latest", values, forward=True, page=_LISTED)
            for shard in SHARDS
        ]
        time = self._now()
        while shards:
            # In turn, so that a night that is cut short leaves no shard behind.
            for shard in shards.copy():
                item = next(shard, None)
                if item is None:
                    shards.remove(shard)
                elif item["expires"] > time:
                    yield str(item["due_key"]).rpartition("#")[2]

    def replace(self, flag: Flag) -> bool:
        """See `FlagStore.replace`."""
        values: Values = {":before": flag["revision"] - 1, ":now": self._now()}
        try:
            self._table.put(_make_item(flag), "revision = :before AND expires > :now", values)
        except Refused:
            return False
        return True

    def delete(self, flag_id: str) -> None:
        """See `FlagStore.delete`."""
        try:
            self._table.delete(spell_key("flag", flag_id), "expires > :now", {":now": self._now()})
        except Refused as error:
            raise flag_not_found() from error

    def close(self) -> None:
        """See `FlagStore.close`."""
        self._table.close()

    def _now(self) -> int:
        return int(self._clock().timestamp())

    def _read(
        self, index: str, partitions: Sequence[str], values: Values, limit: int, state: FlagState | None = None
    ) -> list[Flag]:
        """Return one flag more than a page takes, where there are so many; newest first, of one state if told."""
        # A page takes about an equal part of each shard; a few more are read at once, so that few are asked for twice.
        page = limit // len(partitions) * 2 + 10
        shards = [
            self._table.query(index, partition, "created_key < :place", values, forward=False, page=page)
            for partition in partitions
        ]
        merged = heapq.merge(*shards, key=lambda item: str(item["created_key"]), reverse=True)
        time = self._now()
        flags: Iterator[Flag] = (unpack(item["body"]) for item in merged if item["expires"] > time)
        return list(islice((flag for flag in flags if state in (None, flag["state"])), limit + 1))


def _make_item(flag: Flag) -> Item:
    shard = flag["id"][0]
    item: Item = {
        "pk": spell_key("flag", flag["id"]),
        "body": pack(flag),
        "revision": flag["revision"],
        "expires": int(datetime.fromisoformat(flag["expires_at"]).timestamp()),
        "any_shard": shard,
        "state_shard": f"{flag['state']}#{shard}",
        "created_key": _spell_place(flag["created_at"], flag["id"]),
    }
    if flag["owner"] is not None:
        item["owner"] = flag["owner"]
    if flag["due_at"] is not None:
        item |= {"due_shard": shard, "due_key": _spell_place(flag["due_at"], flag["id"])}
    return item


def _spell_place(time: str, flag_id: str) -> str:
    return f"{time}#{flag_id}"
