"""How many checks one network address may ask for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from chalicelib.allowance import Allowance
from chalicelib.errors import StoreUnavailable, TooMany
from chalicelib.settings import Settings
from tests.backend.conftest import aws, table

__all__ = ["aws", "table"]


class Clock:
    time = 1_000_000_020.0

    def __call__(self) -> float:
        return self.time


def spend(allowance: Allowance, address: str, times: int) -> None:
    for _ in range(times):
        allowance.spend(address)


def test_an_address_has_so_many_a_minute_and_others_have_their_own(table: str) -> None:
    clock = Clock()
    # Two processes count together.
    one, other = (Allowance(table, 3, clock) for _ in range(2))
    spend(one, "192.0.2.1", 2)
    spend(other, "192.0.2.1", 1)
    with pytest.raises(TooMany) as refused:
        one.spend("192.0.2.1")
    assert (refused.value.status, refused.value.seconds) == (429, 60)
    clock.time += 59.5
    with pytest.raises(TooMany) as refused:
        other.spend("192.0.2.1")
    assert refused.value.seconds == 1
    spend(one, "192.0.2.2", 3)
    clock.time += 1
    spend(one, "192.0.2.1", 3)


def test_who_has_an_ipv6_network_has_it_all(table: str) -> None:
    allowance = Allowance(table, 2, Clock())
    spend(allowance, "2001:db8::1", 1)
    spend(allowance, "2001:db8:0:0:ffff::1", 1)
    with pytest.raises(TooMany):
        allowance.spend("2001:db8::2")
    spend(allowance, "2001:db8:0:1::1", 2)


@pytest.mark.parametrize("address", ["", "test-invoke-source-ip"])
def test_what_is_no_address_is_counted_as_one(table: str, address: str) -> None:
    allowance = Allowance(table, 1, Clock())
    allowance.spend(address)
    with pytest.raises(TooMany):
        allowance.spend(address)


def test_no_address_is_kept_and_counts_expire(table: str) -> None:
    Allowance(table, 9, Clock()).spend("192.0.2.1")
    (item,) = boto3.client("dynamodb").scan(TableName=table)["Items"]
    assert item["expires"] == {"N": "1000000080"}
    assert "192.0.2" not in str(item)
    assert len(item["pk"]["S"].split("#")[1]) == 6


@pytest.mark.usefixtures("aws")
def test_a_table_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        Allowance("nowhere", 1).spend("192.0.2.1")


def test_it_is_counted_where_lambda_runs_and_nowhere_else(monkeypatch: pytest.MonkeyPatch, table: str) -> None:
    from backend import app as web

    checker = SimpleNamespace(settings=Settings(table=table))
    monkeypatch.setattr(web, "checker", lambda: checker)
    find = web.allowance.__wrapped__
    assert find() is None
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "unmask")
    assert isinstance(find(), Allowance)
    checker.settings = Settings()
    assert find() is None, "there is no table to count in"


def event(method: str, path: str, **more: Any) -> dict[str, Any]:
    """What API Gateway hands over."""
    return {
        "httpMethod": method,
        "resource": path,
        "path": path,
        "headers": {"Content-Type": "application/octet-stream"},
        "multiValueQueryStringParameters": None,
        "pathParameters": {},
        "stageVariables": None,
        "body": "",
        "isBase64Encoded": False,
        "requestContext": {"httpMethod": method, "resourcePath": path, "identity": {"sourceIp": "192.0.2.9"}},
        **more,
    }


def test_a_check_too_many_is_refused_with_when_to_try_again(monkeypatch: pytest.MonkeyPatch, table: str) -> None:
    from backend import app as web

    monkeypatch.setattr(web, "allowance", lambda: counting)
    counting = Allowance(table, 1, Clock())
    counting.spend("192.0.2.9")
    answer = web.app(event("POST", "/v2/checks/image"), None)
    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (429, "60")
    assert '"too_many"' in answer["body"]
