"""The DynamoDB table that holds checks and flags in AWS: what it must look like, and what its failures mean.

One table serves both, told apart by the beginning of the key `pk`. Two indices hold keys alone and lead to what is due
and to what is in a state; each is cut into `SHARDS`, since one partition takes 1,000 writes a second.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-sharding.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import StoreUnavailable

# Bytes. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
LONGEST_KEY = 2048
DUE, BY_STATE = "due", "by_state"
# By the first digit of a flag's id.
SHARDS = "0123456789abcdef"
# Seconds since 1970 after which DynamoDB deletes an item, within some days.
EXPIRES = "expires"


def connect() -> Any:
    """Return a client; the region and who we are come from the environment, as always in AWS."""
    return boto3.client("dynamodb", config=Config(retries={"mode": "standard", "max_attempts": 5}))


def define_table(name: str) -> dict[str, Any]:
    """Return the table as `create_table` and CloudFormation take it; `EXPIRES` has to be made its time to live."""
    indices = {DUE: ("due_shard", "due_key"), BY_STATE: ("state_shard", "made_key")}
    attributes = ["pk", *(attribute for pair in indices.values() for attribute in pair)]
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": each, "AttributeType": "S"} for each in attributes],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": shard, "KeyType": "HASH"},
                    {"AttributeName": key, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for index, (shard, key) in indices.items()
        ],
    }


def fits(key: str) -> bool:
    """Say whether a text can be a key: one that cannot is of nothing that is there."""
    return len(key.encode(errors="replace")) <= LONGEST_KEY


class Refused(Exception):
    """A condition of a write did not hold; nothing was written."""


@contextmanager
def explained() -> Iterator[None]:
    """Turn what DynamoDB says into `StoreUnavailable` with a sentence, or `Refused`."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
        if code == "ConditionalCheckFailedException" or "ConditionalCheckFailed" in reasons:
            raise Refused from error
        raise StoreUnavailable("The store does not answer; try again.") from error
    except BotoCoreError as error:
        raise StoreUnavailable("The store does not answer; try again.") from error
