"""Version 1: what it stored is read on, and its clients are still answered, without the claim that it made."""

from __future__ import annotations

import json
import re
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from chalice.test import Client

from backend import app as web
from chalicelib.checks import Checker
from chalicelib.compatibility import DEPRECATED_SINCE, deprecation_headers, to_version_1, upgrade_record
from chalicelib.detector import Detector
from chalicelib.dynamo import DynamoTable, pack, spell_key
from chalicelib.flag_desk import FlagDesk
from chalicelib.flags import LOCAL, make_flag
from chalicelib.sqlite_flags import SqliteFlags
from chalicelib.store import SqliteStore
from chalicelib.stores import open_flags, open_pictures
from chalicelib.uploads import FolderUploads
from tests.backend.test_store import make_check

Encode = Callable[..., bytes]

# A clip's check as version 1 wrote it.
OLD_CHECK = {
    "id": "0" * 32,
    "verdict": "likely_real",
    "fake_probability": 0.04,
    "reasons": ["more_faces_than_checked"],
    "faces": [{"verdict": "likely_real", "evidence": {"grid": [[0.5, -1.0]], "box": [0, 0, 5, 5]}}],
    "tracks": [
        {"verdict": "likely_real", "reasons": [], "points": [{"verdict": "likely_real"}, {"verdict": "uncertain"}]}
    ],
    "signals": [{"value": "likely_real", "field": "verdict"}],
    "media": {"kind": "video", "sha256": "a" * 64},
    "model": {"name": "test", "version": "1"},
    "checked_at": "2026-01-02T03:04:05Z",
}
CHECK = {
    **OLD_CHECK,
    "verdict": "no_traces",
    "faces": [{**OLD_CHECK["faces"][0], "verdict": "no_traces"}],
    "tracks": [{"verdict": "no_traces", "reasons": [], "points": [{"verdict": "no_traces"}, {"verdict": "uncertain"}]}],
}
SCORE = {"verdict": "likely_real", "fake_probability": 0.1, "sha256": "a" * 64}
THRESHOLDS = {"temperature": 2.0, "bias": 0.5, "real_below": 0.3, "fake_above": 0.7}


def old_flag(flag_id: str = "1" * 32) -> Any:
    """A flag as version 1 wrote it, after a look."""
    made = make_flag(datetime(2026, 12, 1, tzinfo=UTC), url="https://photos.example/1.jpg", owner=LOCAL)
    return {**made, "id": flag_id, "before": SCORE, "after": {"picture": "same", "score": SCORE, "looks": 1}}


def test_a_check_of_version_1_is_read_with_todays_names_and_not_changed() -> None:
    before = deepcopy(OLD_CHECK)
    assert upgrade_record(OLD_CHECK) == CHECK
    assert before == OLD_CHECK
    assert upgrade_record(CHECK) == CHECK


@pytest.mark.parametrize("record", [None, 1.5, "likely_real", [], [[1.0]], ["likely_real"], {}])
def test_what_holds_no_verdict_stays_what_it_is(record: Any) -> None:
    assert upgrade_record(record) == to_version_1(record) == record


def test_a_report_of_a_night_is_read_with_todays_names() -> None:
    report = {"verdicts": [{"before": "likely_real", "after": "likely_fake", "pictures": 1}], "looks": 1}
    assert upgrade_record(report)["verdicts"] == [{"before": "no_traces", "after": "likely_fake", "pictures": 1}]


def test_a_store_gives_a_check_that_version_1_kept(tmp_path: Path) -> None:
    path = tmp_path / "checks.sqlite3"
    with closing(SqliteStore(path)) as store:
        store.save(make_check(1))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(
                "UPDATE checks SET id = ?, sha256 = ?, body = ?", ("0" * 32, "a" * 64, json.dumps(OLD_CHECK))
            )
            connection.commit()
        assert store.get("0" * 32) == store.find("a" * 64, "1") == CHECK


def test_a_table_gives_a_check_that_version_1_kept(table: str) -> None:
    from chalicelib.dynamo_store import DynamoStore

    body = zlib.compress(json.dumps(OLD_CHECK).encode())
    assert body == pack(OLD_CHECK), "as version 1 packed it"
    with closing(DynamoTable(table)) as raw:
        raw.put_all(
            [
                {"pk": spell_key("check", "0" * 32), "body": body},
                {"pk": spell_key("score", "a" * 64, "1"), "check_id": "0" * 32},
            ]
        )
    with closing(DynamoStore(table)) as store:
        assert store.get("0" * 32) == store.find("a" * 64, "1") == CHECK


@pytest.mark.parametrize("kind", ["sqlite", "dynamo"])
def test_flags_and_what_came_of_them_are_read_on(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if kind == "sqlite":
        store: Any = SqliteFlags(tmp_path / "checks.sqlite3", lambda: datetime(2026, 12, 2, tzinfo=UTC))
    else:
        from chalicelib.dynamo_flags import DynamoFlags

        store = DynamoFlags(request.getfixturevalue("table"), lambda: datetime(2026, 12, 2, tzinfo=UTC))
    with closing(store):
        store.add(old_flag())
        (listed,) = store.browse(owner=LOCAL)["flags"]
        for flag in (listed, store.get("1" * 32)):
            assert (flag["before"]["verdict"], flag["after"]["score"]["verdict"]) == ("no_traces", "no_traces")


def test_an_upload_that_version_1_has_checked_is_read_on(tmp_path: Path) -> None:
    uploads = FolderUploads(tmp_path)
    ticket = uploads.reserve(10)
    uploads.write({"id": ticket["id"], "state": "done", "progress": 1.0, "check": OLD_CHECK})  # type: ignore[typeddict-item]
    assert uploads.read(ticket["id"])["check"] == CHECK


def test_a_card_with_the_old_names_is_read(write_models: Callable[..., Path], parts: Any, tmp_path: Path) -> None:
    old = {
        **parts.card,
        "calibration": dict.fromkeys(("picture", "frame", "video"), THRESHOLDS),
        "metrics": {"overall": {"real_called_real": 0.9, "fake_called_real": 0.1, "real_called_fake": 0.01}},
    }
    detector = Detector(write_models(tmp_path, card=old))
    assert detector.calibration.picture.no_traces_below == 0.3
    assert detector.card["metrics"]["overall"] == {
        "real_no_traces": 0.9,
        "fake_no_traces": 0.1,
        "real_called_fake": 0.01,
    }


def test_the_keras_side_reads_such_a_card_too(parts: Any, tmp_path: Path) -> None:
    keras_detector = pytest.importorskip("training.keras_detector")
    old = {**parts.card, "calibration": dict.fromkeys(("picture", "frame", "video"), THRESHOLDS)}
    (tmp_path / "card.json").write_text(json.dumps(old), encoding="utf-8")
    card = keras_detector._read_card(tmp_path / "network.keras", tmp_path)
    assert card["calibration"]["video"]["no_traces_below"] == 0.3


def test_a_client_of_version_1_hears_uncertain_and_why_never_real() -> None:
    told = to_version_1(CHECK)
    assert "likely_real" not in {told["verdict"], told["faces"][0]["verdict"], told["tracks"][0]["verdict"]}
    assert (told["verdict"], told["reasons"]) == ("uncertain", ["more_faces_than_checked", "no_traces"])
    assert told["faces"] == [{**OLD_CHECK["faces"][0], "verdict": "uncertain"}]
    assert told["tracks"][0]["verdict"] == "uncertain"
    assert told["tracks"][0]["reasons"] == ["no_traces"]
    assert [point["verdict"] for point in told["tracks"][0]["points"]] == ["uncertain", "uncertain"]
    assert CHECK["reasons"] == ["more_faces_than_checked"], "what is stored is not changed"


@pytest.mark.parametrize("verdict", ["likely_fake", "uncertain", "no_face"])
def test_every_other_verdict_is_what_it_was(verdict: str) -> None:
    check = {"verdict": verdict, "reasons": ["between_thresholds"], "faces": []}
    assert to_version_1(check) == check


def test_the_headers_are_those_of_the_rfcs() -> None:
    told = deprecation_headers("/api/v1/checks/image")
    assert told == {"Deprecation": DEPRECATED_SINCE, "Link": '</api/v2/checks/image>; rel="successor-version"'}
    seconds = int(re.fullmatch(r"@(\d+)", DEPRECATED_SINCE)[1])  # type: ignore[index]
    assert datetime.fromtimestamp(seconds, UTC) == datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def checker(
    make_checker: Callable[..., Checker], parts: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Checker:
    """What the routes work with here: finds one face in which the model sees no traces."""
    made = make_checker(-6.0, store=parts.Store(), max_bytes=100_000)
    made.settings = replace(made.settings, store_path=tmp_path / "checks.sqlite3")
    monkeypatch.setattr(web, "checker", lambda: made)
    monkeypatch.setattr(web, "uploads", lambda: FolderUploads(tmp_path / "uploads"))
    monkeypatch.setattr(web, "desk", lambda: None)
    return made


def ask(method: str, path: str, **request: Any) -> Any:
    return Client(web.app).http.request(method, path, **request)


def test_one_and_the_same_check_is_told_in_both_versions(checker: Checker, encode: Encode) -> None:
    sent = {"headers": {"Content-Type": "image/png"}, "body": encode()}
    new, old = ask("POST", "/v2/checks/image", **sent), ask("POST", "/v1/checks/image", **sent)
    assert (new.json_body["verdict"], new.json_body["reasons"]) == ("no_traces", [])
    assert (old.json_body["verdict"], old.json_body["reasons"]) == ("uncertain", ["no_traces"])
    assert old.json_body["faces"][0]["verdict"] == "uncertain"
    assert old.json_body["id"] == new.json_body["id"]
    assert old.json_body["fake_probability"] == new.json_body["fake_probability"]
    path = f"/checks/{new.json_body['id']}"
    assert ask("GET", f"/v2{path}").json_body["verdict"] == "no_traces"
    read = ask("GET", f"/v1{path}")
    assert (read.json_body["verdict"], read.headers["Link"]) == ("uncertain", f'</v2{path}>; rel="successor-version"')
    assert "Deprecation" not in new.headers and "Link" not in new.headers


def test_model_and_health_of_version_1_have_the_old_names(checker: Checker) -> None:
    old, new = (ask("GET", f"/v{version}/model").json_body for version in (1, 2))
    assert old["thresholds"] == {"real_below": 0.3, "fake_above": 0.7}
    assert new["thresholds"] == {"no_traces_below": 0.3, "fake_above": 0.7}
    assert [ask("GET", f"/v{version}/health").json_body["api"] for version in (1, 2)] == [1, 2]


def test_flags_of_version_1_name_no_real_either(checker: Checker, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(open_flags(checker.settings)) as store:
        monkeypatch.setattr(web, "desk", lambda: FlagDesk(checker, store, open_pictures(checker.settings)))
        store.add(old_flag())
        (told,) = ask("GET", "/v1/flags").json_body["flags"]
        assert (told["before"]["verdict"], told["after"]["score"]["verdict"]) == ("uncertain", "uncertain")
        assert ask("GET", f"/v2/flags/{'1' * 32}").json_body["before"]["verdict"] == "no_traces"


ROUTES = sorted((method, path) for path, views in web.app.routes.items() for method in views if path.startswith("/v1/"))


def test_every_route_has_both_versions_and_the_same_conditions() -> None:
    assert len(ROUTES) >= 14
    for method, path in ROUTES:
        old, new = web.app.routes[path][method], web.app.routes[path.replace("/v1/", "/v2/", 1)][method]
        assert old.view_function is new.view_function, "one handler serves both, with its counts and its owners"
        assert (old.content_types, old.authorizer, old.cors) == (new.content_types, new.authorizer, new.cors)
    assert not [path for path in web.get_document()["paths"] if path.startswith("/v1/")]
    assert "/v1/" in web.get_document()["info"]["description"]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_answer_of_version_1_says_that_it_is_deprecated_and_where_to_go(
    method: str, path: str, checker: Checker
) -> None:
    path = re.sub(r"\{\w+\}", "0" * 32, path)
    answer = ask(method, path, headers={"Content-Type": "application/json"}, body=b"" if method == "POST" else b"{}")
    assert answer.headers["Deprecation"] == DEPRECATED_SINCE
    assert answer.headers["Link"] == f'<{path.replace("/v1/", "/v2/")}>; rel="successor-version"'
    assert {"Deprecation", "Link"} <= set(answer.headers["Access-Control-Expose-Headers"].split(","))
    if answer.status_code >= 400:
        assert "error" in answer.json_body


def test_a_path_cannot_write_a_header(checker: Checker) -> None:
    answer = ask("GET", '/v1/checks/a%0d%0aX: 1>; rel="x"')
    assert answer.status_code == 404
    assert not re.search(r"[\r\n ]|>.*>", answer.headers["Link"].removesuffix('; rel="successor-version"'))


def test_a_person_of_version_1_has_to_sign_in_too(checker: Checker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "unmask")
    for version in (1, 2):
        answer = ask("DELETE", f"/v{version}/checks/{'0' * 32}")
        assert (answer.status_code, answer.json_body["error"]["code"]) == (401, "sign_in_required")


def test_the_checks_of_both_versions_count_together(
    checker: Checker, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent: list[str] = []

    class Allowance:
        def spend(self, address: str) -> None:
            spent.append(address)

    monkeypatch.setattr(web, "allowance", lambda: Allowance())
    for version in (1, 2):
        ask("POST", f"/v{version}/checks/image", headers={"Content-Type": "image/png"}, body=encode())
    assert len(spent) == 2
