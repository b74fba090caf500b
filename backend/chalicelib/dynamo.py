"""One DynamoDB table for checks and flags: how it has to be made, and how it is spoken to.

The only module that knows DynamoDB. A record's body is JSON, deflated, so that figures come back exactly
as they were; what it is looked up by lies beside it.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.compatibility import upgrade_record
from chalicelib.errors import StoreUnavailable

# Attributes of text, whole numbers and bytes, by name.
Item = dict[str, Any]
Values = Mapping[str, str | int]

# DynamoDB takes 400 KB an item, names and keys included.
LARGEST_BODY = 390_000
# Conditions: there is no such item, or there is one.
ABSENT = "attribute_not_exists(pk)"
PRESENT = "attribute_exists(pk)"

_WHOLE = {"ProjectionType": "ALL"}
# Hash key, sort key and what is copied, of each index.
_INDICES = {
    # Of flags with a date only, so that what rests costs nothing; nights of millions are listed from it.
    "due": ("due_shard", "due_key", {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["expires"]}),
    "by_state": ("state_shard", "created_key", _WHOLE),
    # Apart from `by_state`: a flag that changes its state moves there, and could be missed or met twice.
    "by_time": ("any_shard", "created_key", _WHOLE),
    # One person flags by hand: one partition is enough for that.
    "by_owner": ("owner", "created_key", _WHOLE),
}
_PLAIN = re.compile("[0-9A-Za-z._+-]{0,200}")
_SENTENCES = {
    "ProvisionedThroughputExceededException": "The store has too much to do; try again in a moment.",
    "ThrottlingException": "The store has too much to do; try again in a moment.",
    "RequestLimitExceeded": "The store has too much to do; try again in a moment.",
    "TransactionConflictException": "The record is being changed by somebody else; try again.",
    "ResourceNotFoundException": "The store's table does not exist.",
    "AccessDeniedException": "This service has no right to the store's table.",
}


class DynamoTable:
    """A connection to the table; safe to share between threads. Every method may raise `StoreUnavailable`."""

    def __init__(self, name: str) -> None:
        """Take a table, which is not asked for here."""
        self._name = name
        with _explained():
            self._client = boto3.client("dynamodb", config=Config(retries={"mode": "standard"}))
        self._closed = False

    def get(self, key: str) -> Item | None:
        """Return an item as it is now, or None."""
        with self._use() as client:
            found = client.get_item(TableName=self._name, Key={"pk": {"S": key}}, ConsistentRead=True)
        return _read_item(found["Item"]) if "Item" in found else None

    def put(self, item: Item, condition: str, values: Values | None = None) -> None:
        """Write an item; raises `Refused` where the condition is not met."""
        with self._use() as client:
            client.put_item(TableName=self._name, Item=_write_item(item), **_write_condition(condition, values))

    def put_all(self, items: Sequence[Item]) -> None:
        """Write several items that are not there yet, all or none; raises `Refused` where one is."""
        puts = [{"TableName": self._name, "Item": _write_item(item), "ConditionExpression": ABSENT} for item in items]
        with self._use() as client:
            client.transact_write_items(TransactItems=[{"Put": put} for put in puts])

    def count(self, key: str, expires: int) -> int:
        """Count once more what lies under a key, which is made where it is missing; return how often it was counted.

        Args:
            key: of the counter.
            expires: when DynamoDB may forget it, seconds since 1970.
        """
        with self._use() as client:
            answer = client.update_item(
                TableName=self._name,
                Key={"pk": {"S": key}},
                UpdateExpression="ADD counted :one SET expires = :expires",
                ExpressionAttributeValues=_write_item({":one": 1, ":expires": expires}),
                ReturnValues="UPDATED_NEW",
            )
        return int(_read_item(answer["Attributes"])["counted"])

    def delete(self, key: str, condition: str, values: Values | None = None) -> None:
        """Take an item away; raises `Refused` where the condition is not met."""
        with self._use() as client:
            client.delete_item(TableName=self._name, Key={"pk": {"S": key}}, **_write_condition(condition, values))

    def query(
        self, index: str, partition: str, condition: str, values: Values, *, forward: bool, page: int
    ) -> Iterator[Item]:
        """Yield the items of one partition of an index, by its sort key; asks for more only when they are wanted.

        Args:
            index: one of `describe_table`.
            partition: value of its hash key.
            condition: on its sort key.
            values: that the condition speaks of.
            forward: whether the sort key grows.
            page: how many are asked for at once.
        """
        asked: dict[str, Any] = {
            "TableName": self._name,
            "IndexName": index,
            "KeyConditionExpression": f"{_INDICES[index][0]} = :partition AND {condition}",
            "ExpressionAttributeValues": _write_item({":partition": partition, **values}),
            "ScanIndexForward": forward,
            "Limit": page,
        }
        while True:
            with self._use() as client:
                answer = client.query(**asked)
            yield from map(_read_item, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def close(self) -> None:
        """Let go of the table; further use raises `StoreUnavailable`. Closing twice does nothing."""
        self._closed = True
        self._client.close()

    @contextmanager
    def _use(self) -> Iterator[Any]:
        if self._closed:
            raise StoreUnavailable("The store is closed.")
        with _explained():
            yield self._client


class Refused(Exception):
    """A condition was not met, or somebody else is writing the same items; nothing was changed."""


def describe_table() -> dict[str, Any]:
    """Return how the table has to be made, in the words that DynamoDB and CloudFormation have in common."""
    names = sorted({"pk"}.union(*(keys for *keys, _ in _INDICES.values())))
    return {
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in names],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": partition, "KeyType": "HASH"},
                    {"AttributeName": order, "KeyType": "RANGE"},
                ],
                "Projection": projection,
            }
            for index, (partition, order, projection) in _INDICES.items()
        ],
        "BillingMode": "PAY_PER_REQUEST",
        "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
    }


def spell_key(kind: str, *parts: str) -> str:
    """Return the key of a record.

    A part that is none of ours, since it is long or has strange characters, is spelled by its hash: keys are limited
    to 2,048 bytes, and two records must never have the same one.
    """
    return "#".join([kind, *(part if _PLAIN.fullmatch(part) else f"~{_digest(part)}" for part in parts)])


def pack(record: Mapping[str, Any]) -> bytes:
    """Return a record's body.

    Raises:
        TypeError, ValueError: it is not JSON; NaN is not.
        StoreUnavailable: it is too large for an item.
    """
    body = zlib.compress(json.dumps(record, allow_nan=False).encode())
    if len(body) > LARGEST_BODY:
        raise StoreUnavailable("The record is too large for the store.")
    return body


def unpack(body: bytes) -> Any:
    """Return what was packed, with today's names; raises `StoreUnavailable` where it is damaged."""
    try:
        return upgrade_record(json.loads(zlib.decompress(body)))
    except (zlib.error, ValueError) as error:
        raise StoreUnavailable("A record of the store is damaged.") from error


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _write_condition(condition: str, values: Values | None) -> dict[str, Any]:
    # DynamoDB refuses an empty set of values.
    told: dict[str, Any] = {"ConditionExpression": condition}
    return told if values is None else {**told, "ExpressionAttributeValues": _write_item(values)}


def _write_item(item: Mapping[str, str | int | bytes]) -> dict[str, Any]:
    return {name: _write_value(value) for name, value in item.items()}


def _write_value(value: str | int | bytes) -> dict[str, Any]:
    match value:
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}


def _read_item(item: dict[str, Any]) -> Item:
    return {name: int(value["N"]) if "N" in value else value.get("S", value.get("B")) for name, value in item.items()}


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what DynamoDB says into an error with a sentence."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in ("ConditionalCheckFailedException", "TransactionCanceledException"):
            raise Refused from error
        raise StoreUnavailable(_SENTENCES.get(code, "The store does not answer.")) from error
    except BotoCoreError as error:
        raise StoreUnavailable("The store does not answer.") from error
