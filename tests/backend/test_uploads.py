"""Videos that are uploaded, checked and asked after: in a folder and in a bucket, one contract for both."""

from __future__ import annotations

import http.client
import io
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend import app as web
from backend.server import Server
from chalicelib.checks import Checker
from chalicelib.errors import BadRequest, IncompleteBody, NotFound, StoreUnavailable, TooLarge
from chalicelib.settings import Settings
from chalicelib.uploads import LIFETIME, MOST_OPEN, FolderUploads, check_upload, read_size
from tests.backend import clips

Make = Callable[..., Checker]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return clips.count_up(tmp_path_factory.mktemp("films") / "film.mp4", 12).read_bytes()


class Place:
    """Uploads, and a way to bring a file there."""

    def __init__(self, uploads: Any, put: Callable[[Any, bytes], None]) -> None:
        self.uploads = uploads
        self.put = put


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    if request.param == "folder":
        folder = FolderUploads(tmp_path / "uploads")
        yield Place(folder, lambda ticket, data: folder.receive(ticket["id"], io.BytesIO(data), len(data)))
        return
    moto = pytest.importorskip("moto", reason="S3 is played by moto")
    import boto3

    from chalicelib.buckets import BucketUploads

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with moto.mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="films")
        yield Place(
            BucketUploads("films"),
            lambda ticket, data: client.put_object(Bucket="films", Key=f"uploads/{ticket['id']}/clip", Body=data),
        )


def test_an_upload_is_checked_and_its_answer_is_that_of_one_request(
    place: Place, make_checker: Make, parts: Any, film: bytes, tmp_path: Path
) -> None:
    checker = make_checker(3.0, store=parts.Store())
    ticket = place.uploads.reserve(len(film))
    assert (ticket["upload"]["method"], ticket["seconds"]) == ("PUT", LIFETIME)
    waiting = {"id": ticket["id"], "state": "waiting", "progress": 0.0}
    assert place.uploads.read(ticket["id"]) == waiting
    place.put(ticket, film)
    check_upload(place.uploads, checker, ticket["id"])
    told = place.uploads.read(ticket["id"])
    assert (told["state"], told["progress"]) == ("done", 1.0)
    (tmp_path / "same.mp4").write_bytes(film)
    assert checker.check_video(tmp_path / "same.mp4") == {**told["check"], "cached": True}
    # The video itself is gone, and a second event changes nothing.
    with pytest.raises((NotFound, OSError)), place.uploads.open(ticket["id"]) as path:
        path.read_bytes()
    check_upload(place.uploads, checker, ticket["id"])
    assert place.uploads.read(ticket["id"]) == told


def test_progress_can_be_asked_for_meanwhile(place: Place, make_checker: Make, film: bytes) -> None:
    told: list[Any] = []
    ticket = place.uploads.reserve(len(film))
    place.put(ticket, film)
    write = place.uploads.write
    place.uploads.write = lambda upload: (write(upload), told.append(place.uploads.read(ticket["id"])))
    check_upload(place.uploads, make_checker(3.0), ticket["id"])
    parts = [upload["progress"] for upload in told]
    assert {upload["state"] for upload in told[:-1]} == {"checking"}
    assert parts == sorted(parts) and 3 < len(parts) < 14


def test_row_47_a_failure_is_told_with_its_sentence_and_is_no_verdict(place: Place, make_checker: Make) -> None:
    ticket = place.uploads.reserve(5)
    place.put(ticket, b"hello")
    check_upload(place.uploads, make_checker(3.0), ticket["id"])
    told = place.uploads.read(ticket["id"])
    assert (told["state"], told["status"], told["error"]["code"]) == ("failed", 415, "unsupported_media")
    assert "check" not in told


def test_a_fault_of_ours_is_told_as_such_and_reaches_our_log(place: Place, make_checker: Make, film: bytes) -> None:
    checker = make_checker(3.0)
    checker.check_video = None  # type: ignore[assignment, method-assign]
    ticket = place.uploads.reserve(len(film))
    place.put(ticket, film)
    with pytest.raises(TypeError):
        check_upload(place.uploads, checker, ticket["id"])
    told = place.uploads.read(ticket["id"])
    assert (told["state"], told["status"], told["error"]["code"]) == ("failed", 500, "internal_error")


@pytest.mark.parametrize("upload_id", ["f" * 32, "..", "../" * 3 + "etc/passwd", "", "F" * 32])
def test_an_unknown_upload_is_not_found(place: Place, make_checker: Make, upload_id: str) -> None:
    with pytest.raises(NotFound):
        place.uploads.read(upload_id)
    with pytest.raises(NotFound):
        check_upload(place.uploads, make_checker(3.0), upload_id)


def test_a_folder_takes_what_was_announced_once(tmp_path: Path) -> None:
    folder = FolderUploads(tmp_path)
    ticket = folder.reserve(4)
    with pytest.raises(BadRequest):
        folder.receive(ticket["id"], io.BytesIO(b"12345"), 5)
    with pytest.raises(IncompleteBody):
        folder.receive(ticket["id"], io.BytesIO(b"12"), 4)
    folder.receive(ticket["id"], io.BytesIO(b"1234"), 4)
    folder.write({**folder.read(ticket["id"]), "state": "done"})
    with pytest.raises(NotFound):
        folder.receive(ticket["id"], io.BytesIO(b"1234"), 4)


def test_a_folder_bounds_what_waits_and_forgets_what_is_old(tmp_path: Path) -> None:
    now = [0.0]
    folder = FolderUploads(tmp_path, lambda: now[0])
    tickets = [folder.reserve(4) for _ in range(MOST_OPEN)]
    with pytest.raises(StoreUnavailable):
        folder.reserve(4)
    folder.write({**folder.read(tickets[0]["id"]), "state": "failed"})
    folder.reserve(4)
    now[0] = 1e12
    folder.reserve(4)
    with pytest.raises(NotFound):
        folder.read(tickets[0]["id"])


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", BadRequest),
        (b"[]", BadRequest),
        (b'{"bytes": "5"}', BadRequest),
        (b'{"bytes": true}', BadRequest),
        (b'{"bytes": 0}', BadRequest),
        (b'{"bytes": 5, "name": "a"}', BadRequest),
        (b'{"bytes": 101}', TooLarge),
    ],
)
def test_only_a_size_is_asked_for(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_size(body, 100)
    assert read_size(b'{"bytes": 100}', 100) == 100


def test_an_event_of_s3_names_the_videos_that_arrived() -> None:
    from chalicelib.buckets import read_event

    keys = ["uploads/" + "a" * 32 + "/clip", "uploads/" + "a" * 32 + "/state.json", "other/b/clip"]
    event = {"Records": [{"s3": {"object": {"key": key}}} for key in keys]}
    assert read_event(event) == ["a" * 32]
    assert read_event({"Event": "s3:TestEvent"}) == []


def test_an_address_of_the_bucket_takes_the_announced_size_only(place: Place) -> None:
    ticket = place.uploads.reserve(1234)
    if ticket["upload"]["url"].startswith("/"):
        assert ticket["upload"]["url"] == f"/v2/uploads/{ticket['id']}/clip"
    else:
        assert "content-length" in ticket["upload"]["url"] and "X-Amz-Signature" in ticket["upload"]["url"]


def test_the_local_server_plays_the_bucket(
    make_checker: Make, parts: Any, film: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checker = make_checker(3.0, store=parts.Store())
    folder = FolderUploads(tmp_path / "uploads")
    monkeypatch.setattr(web, "checker", lambda: checker)
    monkeypatch.setattr(web, "uploads", lambda: folder)
    server = Server("127.0.0.1", 0, Settings())
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def ask(method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(*server.server_address[:2], timeout=60)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text else None

    try:
        kind = {"Content-Type": "application/json"}
        _, ticket = ask("POST", "/v2/uploads", json.dumps({"bytes": len(film)}).encode(), **kind)
        assert ask("PUT", ticket["upload"]["url"], film[:-1])[0] == 400
        assert ask("PUT", ticket["upload"]["url"], film)[0] == 204
        path = f"/v2/uploads/{ticket['id']}"
        while (told := ask("GET", path)[1])["state"] not in ("done", "failed"):
            pass
        assert told["check"]["media"]["kind"] == "video"
        status, direct = ask("POST", "/v2/checks/video", film, **{"Content-Type": "video/mp4"})
        assert (status, direct) == (200, {**told["check"], "cached": True})
        assert ask("PUT", f"/v2/uploads/{'0' * 32}/clip", b"x")[0] == 404
        assert ask("GET", "/v2/health")[1]["upload_bytes"] == checker.settings.max_upload_bytes
    finally:
        server.shutdown()
        server.server_close()
