"""What checks and re-scoring cost in AWS, on paper.

Run `python -m infra.costs`; every price and every figure is an option. Prices change and differ by region: look them
up at https://aws.amazon.com/pricing/ and give yours. Nothing here asks AWS.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass, fields

from chalicelib.planner import MOST_PARTS

DAYS = 30
HOUR = 3600
# What one partition of DynamoDB takes in writes a second, and in how many the indices are cut.
PARTITION_WRITES = 1000
SHARDS = 16
# The longest that Lambda lets the planner run, s.
PLANNER_LIMIT = 900


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the sum rests on; dollars, seconds, bytes."""

    spot_vcpu_hour: float = 0.02
    write_million: float = 0.625
    read_million: float = 0.125
    s3_put_thousand: float = 0.005
    s3_gb_month: float = 0.023
    dynamo_gb_month: float = 0.25
    lambda_gb_second: float = 0.0000166667
    # Of a NAT gateway, .045 at this writing; the template's subnets are public, where what comes in is free.
    nat_gb: float = 0.0
    # Measured: pictures that one processor re-scores in a second, fetching apart.
    pictures_per_vcpu_second: float = 19.0
    # Due flags that the planner lists in a second: 25,000 were measured where the table answers at once, a query for a
    # thousand; the rest is what the table takes.
    planned_per_second: float = 10_000.0
    planner_gb: float = 1.769
    # Assumed: bytes of a picture, share of pictures that are kept, looks at a flag in its 90 days, share that fails.
    picture_bytes: float = 300_000
    kept_share: float = 0.2
    looks: float = 2.0
    failed_share: float = 0.15
    window_hours: float = 6.0


@dataclass(frozen=True, slots=True)
class CheckAssumptions:
    """What the sum of checks rests on; dollars, seconds, bytes."""

    lambda_gb_second: float = 0.0000166667
    lambda_gb_second_arm: float = 0.0000133334
    lambda_request_million: float = 0.20
    gateway_million: float = 3.50
    write_million: float = 0.625
    read_million: float = 0.125
    log_gb: float = 0.50
    transfer_gb: float = 0.09
    # Measured: a fresh check of 1280 × 720 px with one face, one thread and two, on the machine of the tests.
    one_thread_seconds: float = 0.033
    two_threads_seconds: float = 0.028
    # Assumed: how much longer Lambda's processors take; arm64's the same. Not measured.
    slower: float = 1.5
    # Assumed: share of checks that the store answers, bytes of an answer with its map and of what is logged.
    known_share: float = 0.3
    answer_bytes: float = 6000
    log_bytes: float = 1800


@dataclass(frozen=True, slots=True)
class CheckBill:
    """A million checks in one size of function; dollars."""

    size: str
    compute: float
    gateway: float
    dynamo: float
    logs: float
    transfer: float

    @property
    def parts(self) -> tuple[float, ...]:
        """What it is made of, in the order of the table."""
        return self.compute, self.gateway, self.dynamo, self.logs, self.transfer

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self.parts)


def add_up_checks(given: CheckAssumptions) -> list[CheckBill]:
    """Return the bill of a million checks for each size of function.

    A fresh check reads an item, and writes a check of up to 3 KB and its hash in a transaction, which counts twice; one
    that is known reads two. Every one is counted by its network address, which writes once. A known one takes Lambda a
    tenth of the time.
    """
    fresh = 1 - given.known_share
    writes = fresh * (3 + 1) * 2 + 1
    reads = fresh + given.known_share * 2
    rest = (
        given.gateway_million,
        writes * given.write_million + reads * given.read_million,
        given.log_bytes / 1000 * given.log_gb,
        given.answer_bytes / 1000 * given.transfer_gb,
    )
    sizes = (
        ("1769 MB", 1.769, given.one_thread_seconds, given.lambda_gb_second),
        ("3008 MB", 3.008, given.two_threads_seconds, given.lambda_gb_second),
        ("1769 MB, arm64", 1.769, given.one_thread_seconds, given.lambda_gb_second_arm),
    )
    share = fresh + given.known_share * 0.1
    return [
        CheckBill(name, 1e6 * seconds * given.slower * share * gb * price + given.lambda_request_million, *rest)
        for name, gb, seconds, price in sizes
    ]


def tabulate_checks(given: CheckAssumptions) -> str:
    """Return the table of a million checks in Markdown."""
    columns = ("a million checks, $", "Lambda", "API Gateway", "DynamoDB", "logs", "transfer", "all")
    rows = [(each.size, *(f"{dollars:.2f}" for dollars in (*each.parts, each.total))) for each in add_up_checks(given)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, ("---",) * len(columns), *rows))


@dataclass(frozen=True, slots=True)
class Bill:
    """A month of so many flags a day; dollars."""

    flags: float
    vcpus: float
    compute: float
    dynamo: float
    s3: float
    network: float
    planner: float
    binds: str

    @property
    def total(self) -> float:
        """All of it."""
        return self.compute + self.dynamo + self.s3 + self.network + self.planner

    @property
    def per_thousand(self) -> float:
        """Of a thousand flags."""
        return self.total / (self.flags * DAYS) * 1000


def add_up(flags: float, given: Assumptions) -> Bill:
    """Return the bill for so many new flags a day.

    A look reads a flag and a check, of up to 4 and 8 KB, and hardly anything in the list; it writes the flag with its
    four index entries and, where it succeeds, a check in a transaction, which counts twice. Taking a flag in writes it
    once with all its entries.
    """
    looks = flags * given.looks
    seconds = looks * (1 - given.failed_share) / given.pictures_per_vcpu_second
    writes = flags * 5 + looks * (5 + (1 - given.failed_share) * 2 * 4)
    reads = looks * 3
    kept = flags * given.kept_share
    stored = flags * 90 * 3000 / 1e9
    parts = max(1, min(MOST_PARTS, math.ceil(looks / 2000)))
    listing = looks / given.planned_per_second
    return Bill(
        flags,
        seconds / (given.window_hours * HOUR),
        seconds / HOUR * given.spot_vcpu_hour * DAYS,
        (writes * given.write_million + reads * given.read_million) / 1e6 * DAYS + stored * given.dynamo_gb_month,
        (kept * DAYS + parts * 3 * DAYS) / 1000 * given.s3_put_thousand
        + kept * 30 * given.picture_bytes / 1e9 * given.s3_gb_month,
        looks * given.picture_bytes / 1e9 * given.nat_gb * DAYS,
        listing * given.planner_gb * given.lambda_gb_second * DAYS,
        find_limit(looks, writes, listing, given),
    )


def find_limit(looks: float, writes: float, listing: float, given: Assumptions) -> str:
    """Return what has to be changed first for so many looks a night, in words; nothing where all holds."""
    if listing > PLANNER_LIMIT:
        return f"listing: {listing / 60:,.0f} min, Lambda gives 15; {math.ceil(listing / PLANNER_LIMIT):,} planners"
    if writes / (given.window_hours * HOUR) > PARTITION_WRITES * SHARDS:
        return "the indices: more shards"
    return "nothing"


def spell(bill: Bill) -> str:
    """Return a row of the table."""
    cells = (
        f"{bill.flags:,.0f}",
        f"{bill.vcpus:,.1f}",
        *(f"{each:,.2f}" for each in (bill.compute, bill.dynamo, bill.s3, bill.network, bill.planner, bill.total)),
        f"{bill.per_thousand:.4f}",
        bill.binds,
    )
    return f"| {' | '.join(cells)} |"


COLUMNS = (
    *("flags a day", "vCPUs in the window", "compute", "DynamoDB", "S3", "network", "planner"),
    *("a month, $", "a thousand flags, $", "what binds first"),
)


def tabulate(given: Assumptions, sizes: tuple[float, ...] = (1e5, 1e7, 1e9)) -> str:
    """Return the table in Markdown."""
    return "\n".join(
        [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}", *(spell(add_up(flags, given)) for flags in sizes)]
    )


def main() -> None:
    """Print the tables for the prices given; a price that both have is one option."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = (CheckAssumptions, Assumptions)
    defaults = {field.name: field.default for kind in kinds for field in fields(kind)}
    for name, default in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=default)
    given = vars(parser.parse_args())
    checks = CheckAssumptions(**{field.name: given[field.name] for field in fields(CheckAssumptions)})
    nights = Assumptions(**{field.name: given[field.name] for field in fields(Assumptions)})
    sys.stdout.write(f"{tabulate_checks(checks)}\n\n{tabulate(nights)}\n")


if __name__ == "__main__":
    main()
