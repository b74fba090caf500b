"""What is flagged, what is kept for it, and who may see it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib.checks import Checker
from chalicelib.errors import BadRequest, FetchingOff, NotFound, TooLarge, UrlNotAllowed
from chalicelib.flag_desk import FlagDesk
from chalicelib.pictures import FolderPictures
from chalicelib.schema import Flag
from chalicelib.sqlite_flags import SqliteFlags
from tests.backend.web import Internet, Server, internet, reply

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ME, STRANGER = "me", "stranger"
Encode = Callable[..., bytes]
MakeDesk = Callable[..., FlagDesk]


@pytest.fixture
def pictures(tmp_path: Path) -> FolderPictures:
    return FolderPictures(tmp_path / "flagged", 30)


@pytest.fixture
def make_desk(
    make_checker: Callable[..., Checker], parts: Any, tmp_path: Path, pictures: FolderPictures
) -> Iterator[MakeDesk]:
    """A function that opens a desk whose checker gives every face one logit."""
    with closing(SqliteFlags(tmp_path / "checks.sqlite3", clock=lambda: NOW)) as store:

        def make(logit: float = 3.0, **settings: Any) -> FlagDesk:
            checker = make_checker(logit, store=parts.Store(), **settings)
            desk = FlagDesk(checker, store, pictures, lambda: NOW)
            desk.checker = checker  # type: ignore[attr-defined]
            return desk

        yield make


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch, encode: Encode) -> Iterator[Internet]:
    with internet(monkeypatch, encode((7, 7, 7))) as made:
        yield made


def take(desk: FlagDesk, **told: Any) -> Flag:
    return desk.take(json.dumps(told).encode(), ME)


def test_a_check_is_flagged_with_what_it_said(make_desk: MakeDesk, encode: Encode) -> None:
    desk = make_desk()
    check = desk.checker.check_image(encode())  # type: ignore[attr-defined]
    flag = take(desk, check_id=check["id"], note="odd\x1b[2J ear\n")
    assert flag["before"] is not None
    assert flag["before"]["fake_probability"] == check["fake_probability"]
    assert flag["note"] == "odd[2J ear", "nothing that steers a terminal"
    assert flag["state"] == "needs_review", "there is nothing that a model could look at"
    assert desk.get(flag["id"], ME) == flag
    assert flag["owner"] == ME


def test_a_check_that_is_not_known_cannot_be_flagged(make_desk: MakeDesk) -> None:
    with pytest.raises(NotFound):
        take(make_desk(), check_id="1" * 32)


def test_an_address_is_flagged_without_being_fetched(make_desk: MakeDesk, net: Internet) -> None:
    flag = take(make_desk(), url="https://photos.example/1.jpg")
    assert (flag["url"], flag["state"], flag["sha256"]) == ("https://photos.example/1.jpg", "waiting", None)
    assert flag["kept_until"] is None


@pytest.mark.parametrize(
    "url", ["ftp://a.example/1.jpg", "file:///etc/passwd", "http://me:secret@a.example/", "nonsense"]
)
def test_an_address_that_is_never_fetched_is_refused_at_once(make_desk: MakeDesk, url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        take(make_desk(), url=url)


def test_no_address_is_flagged_where_nothing_is_fetched(make_desk: MakeDesk) -> None:
    with pytest.raises(FetchingOff):
        take(make_desk(fetch_urls=False), url="https://photos.example/1.jpg")


def test_with_consent_the_picture_that_is_sent_is_kept_and_goes_with_its_flag(
    make_desk: MakeDesk, encode: Encode, pictures: FolderPictures
) -> None:
    desk = make_desk()
    data = encode()
    check = desk.checker.check_image(data)  # type: ignore[attr-defined]
    flag = take(desk, check_id=check["id"], keep=True, picture=base64.b64encode(data).decode())
    assert (flag["state"], flag["kept_until"]) == ("waiting", "2026-03-31T12:00:00Z")
    assert pictures.get(flag["id"]) == data
    for deed in (desk.get, desk.delete):
        with pytest.raises(NotFound):
            deed(flag["id"], STRANGER)
    assert pictures.get(flag["id"]) == data
    desk.delete(flag["id"], ME)
    for gone in (desk.get, desk.delete):
        with pytest.raises(NotFound):
            gone(flag["id"], ME)
    with pytest.raises(NotFound):
        pictures.get(flag["id"])


def test_without_consent_nothing_is_kept(make_desk: MakeDesk, net: Internet, tmp_path: Path) -> None:
    take(make_desk(), url="https://photos.example/1.jpg", keep=False)
    assert not (tmp_path / "flagged").exists()


@pytest.mark.parametrize(
    ("picture", "error", "word"),
    [
        ("AAAA", BadRequest, "not the file that was checked"),
        ("AAA", BadRequest, "base64"),
        ("A" * 400_000, TooLarge, "larger"),
    ],
)
def test_a_picture_that_is_not_the_one_that_was_checked_is_refused(
    make_desk: MakeDesk, encode: Encode, picture: str, error: type[Exception], word: str
) -> None:
    desk = make_desk(max_bytes=100_000)
    check = desk.checker.check_image(encode())  # type: ignore[attr-defined]
    with pytest.raises(error, match=word):
        take(desk, check_id=check["id"], keep=True, picture=picture)
    assert desk._store.browse()["flags"] == []


def test_with_consent_an_address_is_fetched_and_its_picture_kept(
    make_desk: MakeDesk, net: Internet, encode: Encode, pictures: FolderPictures
) -> None:
    data = encode()
    net.put(Server(reply(data)), "photos.example")
    flag = take(make_desk(), url="http://photos.example/1.jpg", keep=True)
    assert pictures.get(flag["id"]) == data
    assert flag["sha256"] == hashlib.sha256(data).hexdigest()


def test_what_has_taken_the_place_of_the_checked_picture_is_not_kept(
    make_desk: MakeDesk, net: Internet, encode: Encode
) -> None:
    desk = make_desk()
    check = desk.checker.check_image(encode())  # type: ignore[attr-defined]
    net.put(Server(reply(encode((9, 9, 9)))), "photos.example")
    flag = take(desk, check_id=check["id"], url="http://photos.example/1.jpg", keep=True)
    assert (flag["state"], flag["kept_until"]) == ("waiting", None)
    assert flag["sha256"] == check["media"]["sha256"]


@pytest.mark.parametrize(
    ("logit", "more", "flagged"),
    [
        pytest.param(0.0, {"flag_uncertain": True}, True, id="uncertain"),
        pytest.param(0.0, {}, False, id="off by default"),
        pytest.param(3.0, {"flag_uncertain": True}, False, id="sure"),
    ],
)
def test_an_uncertain_check_flags_itself_where_that_is_set(
    make_desk: MakeDesk, encode: Encode, logit: float, more: dict[str, Any], flagged: bool
) -> None:
    desk = make_desk(logit, **more)
    check = desk.checker.check_image(encode())  # type: ignore[attr-defined]
    flag = desk.doubt(check, "https://photos.example/1.jpg")
    assert (flag is not None) is flagged
    if flag is not None:
        assert (flag["origin"], flag["owner"]) == ("uncertain", None)
        assert flag["url"] == "https://photos.example/1.jpg"
        again = desk.checker.check_image(encode())  # type: ignore[attr-defined]
        assert desk.doubt(again, "https://photos.example/1.jpg") is None, "once is enough"


def test_all_flags_of_one_person_are_forgotten_with_their_pictures(
    make_desk: MakeDesk, net: Internet, encode: Encode, pictures: FolderPictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.flag_desk.PAGE", 2)
    net.put(Server(reply(encode())), "photos.example")
    desk = make_desk()
    kept = take(desk, url="http://photos.example/1.jpg", keep=True)
    for n in range(4):
        take(desk, url=f"https://photos.example/{n}.jpg")
    other = desk.take(json.dumps({"url": "https://photos.example/2.jpg"}).encode(), STRANGER)
    desk.forget_person(ME)
    assert desk.browse(ME, None, None, None)["flags"] == []
    with pytest.raises(NotFound):
        pictures.get(kept["id"])
    assert desk.get(other["id"], STRANGER) == other
    desk.forget_person(ME)


def test_flags_are_listed_to_their_owner_alone(make_desk: MakeDesk) -> None:
    desk = make_desk()
    first, second = (take(desk, url=f"https://photos.example/{n}.jpg") for n in range(2))
    page = desk.browse(ME, None, "1", None)
    rest = desk.browse(ME, "waiting", None, page["cursor"])
    assert {flag["id"] for flag in page["flags"] + rest["flags"]} == {first["id"], second["id"]}
    assert desk.browse(ME, "gone", None, None)["flags"] == []
    for person in (STRANGER, "", "' OR 1=1 --"):
        assert desk.browse(person, None, None, None)["flags"] == []


@pytest.mark.parametrize(
    ("state", "limit", "cursor"),
    [
        ("lost", None, None),
        (None, "0", None),
        (None, "501", None),
        (None, "9" * 5000, None),
        (None, "٣", None),
        (None, None, "forged"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(
    make_desk: MakeDesk, state: str | None, limit: str | None, cursor: str | None
) -> None:
    with pytest.raises(BadRequest):
        make_desk().browse(ME, state, limit, cursor)
