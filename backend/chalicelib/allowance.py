"""How many checks one network address may ask for in a minute, counted in the table that all processes share.

API Gateway throttles all callers together, which one of them can use up for all others.
"""

from __future__ import annotations

import hashlib
import ipaddress
import time
from collections.abc import Callable

from chalicelib.dynamo import DynamoTable, spell_key
from chalicelib.errors import TooMany

WINDOW = 60
# Who has one IPv6 address has all of this prefix.
IPV6_PREFIX = 64
# Hexadecimal digits that are kept of an address's hash: enough to count by, and 256 IPv4 addresses share them, so that
# the table does not tell who asked.
KEPT = 6


class Allowance:
    """Counts; safe to share between threads."""

    def __init__(self, table: str, most: int, clock: Callable[[], float] = time.time) -> None:
        """Take a table as `dynamo.describe_table` describes it, which is not asked for here.

        Args:
            table: its name.
            most: checks of one address in a minute.
            clock: seconds since 1970.
        """
        self._table = DynamoTable(table)
        self._most = most
        self._clock = clock

    def spend(self, address: str) -> None:
        """Count one check.

        Args:
            address: of the network, as API Gateway tells it.

        Raises:
            TooMany: it has had all that it may for this minute.
            StoreUnavailable: the table does not answer.
        """
        time = int(self._clock())
        window = time // WINDOW
        end = (window + 1) * WINDOW
        if self._table.count(spell_key("rate", _name(address), str(window)), end) > self._most:
            raise TooMany(end - time)


def _name(address: str) -> str:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        # API Gateway's own console tests have none.
        network = address
    else:
        bits = IPV6_PREFIX if known.version == 6 else known.max_prefixlen
        network = str(ipaddress.ip_network((known, bits), strict=False))
    return hashlib.sha256(network.encode()).hexdigest()[:KEPT]
