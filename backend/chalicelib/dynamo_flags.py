"""Flags in DynamoDB, found by two indices of keys; never by a scan."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, cast, get_args

from chalicelib.dynamo import BY_STATE, DUE, EXPIRES, SHARDS, Refused, connect, explained, fits
from chalicelib.errors import StoreUnavailable
from chalicelib.flag_store import flag_not_found, read_cursor, write_cursor
from chalicelib.flags import is_expired
from chalicelib.schema import Flag, FlagPage, FlagState
from chalicelib.times import now

# Items of one `batch_get_item`.
MOST_AT_ONCE = 100
# How often what DynamoDB left out of an answer is asked for again.
TRIES = 8


class DynamoFlags:
    """See `flag_store.FlagStore`; safe to share between threads.

    The indices follow the table within a second or so. What they lead to is read from the table itself, and what has
    changed meanwhile is left out.
    """

    def __init__(self, table: str, clock: Callable[[], datetime] = now) -> None:
        """Take a table, which is not asked for here.

        Args:
            table: its name.
            clock: tells an aware time, by which flags expire.
        """
        self._table = table
        self._clock = clock
        self._client = connect()
        self._closed = False

    def add(self, flag: Flag) -> None:
        """See `FlagStore.add`."""
        self._ask("put_item", Item=_pack(flag), ConditionExpression="attribute_not_exists(pk)")

    def get(self, flag_id: str) -> Flag:
        """See `FlagStore.get`."""
        found = self._read([flag_id])
        if flag_id not in found:
            raise flag_not_found()
        return found[flag_id]

    def browse(self, state: FlagState | None = None, limit: int = 50, cursor: str | None = None) -> FlagPage:
        """See `FlagStore.browse`."""
        position = read_cursor(cursor)
        states = get_args(FlagState) if state is None else (state,)

        def is_right(flag: Flag, key: str) -> bool:
            return flag["state"] in states and _made_key(flag) == key

        return self._page(
            BY_STATE,
            [("state_shard", f"{each}#{shard}") for each in states for shard in SHARDS],
            "made_key",
            # No time comes after the tilde.
            lambda last: ("made_key < :last", {":last": {"S": last or "~"}}),
            None if position is None else write_cursor(*position),
            limit,
            is_right,
        )

    def due(self, at: str, limit: int = 100, cursor: str | None = None) -> FlagPage:
        """See `FlagStore.due`."""
        position = read_cursor(cursor)

        def is_right(flag: Flag, key: str) -> bool:
            return _due_key(flag) == key

        return self._page(
            DUE,
            [("due_shard", shard) for shard in SHARDS],
            "due_key",
            # All ids of that second come before the tilde. BETWEEN takes both ends in, so the last one goes a step on.
            lambda last: (
                "due_key BETWEEN :first AND :end",
                {":first": {"S": f"{last}!" if last else " "}, ":end": {"S": f"{at}.~"}},
            ),
            None if position is None else write_cursor(*position),
            limit,
            is_right,
        )

    def replace(self, flag: Flag) -> bool:
        """See `FlagStore.replace`."""
        try:
            self._ask(
                "put_item",
                Item=_pack(flag),
                ConditionExpression="revision = :before AND #expires > :now",
                ExpressionAttributeNames={"#expires": EXPIRES},
                ExpressionAttributeValues={":before": {"N": str(flag["revision"] - 1)}, ":now": self._now()},
            )
        except Refused:
            return False
        return True

    def delete(self, flag_id: str) -> None:
        """See `FlagStore.delete`."""
        if not fits(f"flag#{flag_id}"):
            raise flag_not_found()
        try:
            self._ask(
                "delete_item",
                Key=_key(flag_id),
                ConditionExpression="#expires > :now",
                ExpressionAttributeNames={"#expires": EXPIRES},
                ExpressionAttributeValues={":now": self._now()},
            )
        except Refused as error:
            raise flag_not_found() from error

    def close(self) -> None:
        """See `FlagStore.close`."""
        self._closed = True
        self._client.close()

    def _page(
        self,
        index: str,
        shards: Sequence[tuple[str, str]],
        key: str,
        condition: Callable[[str | None], tuple[str, dict[str, Any]]],
        last: str | None,
        limit: int,
        is_right: Callable[[Flag, str], bool],
    ) -> FlagPage:
        """Return a page of an index, merged of its shards.

        Args:
            index: its name.
            shards: attribute and value of each.
            key: attribute by which it is sorted.
            condition: on that, for what comes after a key.
            last: the key that the page before has ended with.
            limit: of the page.
            is_right: whether a flag still is what its key says; the index may lag behind.
        """
        flags: list[Flag] = []
        newest_first = index == BY_STATE
        while True:
            wanted = limit + 1 - len(flags)
            listed = (self._list(index, *shard, key, condition(last), wanted, newest_first) for shard in shards)
            keys = list(islice(heapq.merge(*listed, reverse=newest_first), wanted))
            found = self._read([each.partition(".")[2] for each in keys])
            for each in keys:
                flag = found.get(each.partition(".")[2])
                if flag is not None and is_right(flag, each):
                    flags.append(flag)
            if len(flags) > limit:
                return {"flags": flags[:limit], "cursor": self._spell(flags[limit - 1], newest_first)}
            if len(keys) < wanted:
                return {"flags": flags, "cursor": None}
            last = keys[-1]

    @staticmethod
    def _spell(flag: Flag, newest_first: bool) -> str:
        return _made_key(flag) if newest_first else cast(str, _due_key(flag))

    def _list(
        self,
        index: str,
        shard_name: str,
        shard: str,
        key: str,
        condition: tuple[str, dict[str, Any]],
        limit: int,
        newest_first: bool,
    ) -> list[str]:
        """Return the first keys of a shard that meet a condition, in its order."""
        words, values = condition
        answer = self._ask(
            "query",
            IndexName=index,
            KeyConditionExpression=f"{shard_name} = :shard AND {words}",
            ExpressionAttributeValues={":shard": {"S": shard}, **values},
            ScanIndexForward=not newest_first,
            Limit=limit,
        )
        return [item[key]["S"] for item in answer["Items"]]

    def _read(self, flag_ids: Iterable[str]) -> dict[str, Flag]:
        """Return those flags that are there and have not expired, by id."""
        ids, found, time = [each for each in flag_ids if fits(f"flag#{each}")], {}, self._clock()
        for first in range(0, len(ids), MOST_AT_ONCE):
            asked: Any = {
                "Keys": [_key(flag_id) for flag_id in ids[first : first + MOST_AT_ONCE]],
                "ConsistentRead": True,
            }
            for _ in range(TRIES):
                answer = self._ask("batch_get_item", RequestItems={self._table: asked})
                for item in answer["Responses"].get(self._table, []):
                    flag = cast(Flag, json.loads(item["body"]["S"]))
                    if not is_expired(flag, time):
                        found[flag["id"]] = flag
                asked = answer.get("UnprocessedKeys", {}).get(self._table)
                if not asked:
                    break
            else:
                raise StoreUnavailable("The store does not answer; try again.")
        return found

    def _ask(self, deed: str, **arguments: Any) -> Any:
        if self._closed:
            raise StoreUnavailable("The store is closed.")
        table = {} if deed == "batch_get_item" else {"TableName": self._table}
        with explained():
            return getattr(self._client, deed)(**table, **arguments)

    def _now(self) -> dict[str, str]:
        return {"N": str(int(self._clock().timestamp()))}


def _pack(flag: Flag) -> dict[str, Any]:
    """Return the item of a flag: the flag as JSON, and what it is looked up by."""
    shard = flag["id"][0]
    item = {
        **_key(flag["id"]),
        "body": {"S": json.dumps(flag, allow_nan=False)},
        "revision": {"N": str(flag["revision"])},
        EXPIRES: {"N": str(int(datetime.fromisoformat(flag["expires_at"]).timestamp()))},
        "state_shard": {"S": f"{flag['state']}#{shard}"},
        "made_key": {"S": _made_key(flag)},
    }
    due_key = _due_key(flag)
    # An item without the index's attributes is not in the index.
    return item if due_key is None else {**item, "due_shard": {"S": shard}, "due_key": {"S": due_key}}


def _key(flag_id: str) -> dict[str, Any]:
    return {"pk": {"S": f"flag#{flag_id}"}}


def _made_key(flag: Flag) -> str:
    return write_cursor(flag["created_at"], flag["id"])


def _due_key(flag: Flag) -> str | None:
    return None if flag["due_at"] is None else write_cursor(flag["due_at"], flag["id"])
