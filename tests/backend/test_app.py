"""The routes, asked through Chalice's test client and through events such as Lambda sends."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chalice.config import Config
from chalice.deploy.swagger import CFNSwaggerGenerator
from chalice.deploy.validate import validate_route_content_types, validate_routes
from chalice.local import LambdaContext
from chalice.test import Client
from jsonschema import Draft202012Validator, ValidationError
from PIL import Image as Pillow

from backend import app as web
from chalicelib.checks import Checker
from chalicelib.errors import StoreUnavailable
from chalicelib.flag_desk import FlagDesk
from chalicelib.schema import API
from chalicelib.stores import open_flags, open_pictures
from tests.backend import clips
from tests.backend.web import PRIVATE, Internet, Server, chunked, drip, internet, redirect, reply

ROOT = Path(__file__).parents[2]
Ask = Callable[..., Any]
Encode = Callable[..., bytes]
DOCUMENT = web.get_document()


@pytest.fixture
def checker(make_checker: Callable[..., Checker], parts: Any, monkeypatch: pytest.MonkeyPatch) -> Checker:
    """What the routes work with here: finds one face and gives it logit 3."""
    made = make_checker(3.0, store=parts.Store(), max_bytes=100_000, max_video_bytes=200_000)
    monkeypatch.setattr(web, "checker", lambda: made)
    monkeypatch.setattr(web, "uploads", lambda: None)
    monkeypatch.setattr(web, "desk", lambda: None)
    return made


@pytest.fixture
def desk(checker: Checker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FlagDesk]:
    """Where flags are taken here."""
    checker.settings = replace(checker.settings, store_path=tmp_path / "checks.sqlite3")
    with closing(open_flags(checker.settings)) as store:
        made = FlagDesk(checker, store, open_pictures(checker.settings))
        monkeypatch.setattr(web, "desk", lambda: made)
        yield made


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, encode: Encode) -> bytes:
    """A video of ten frames, no two alike, in which stand-ins find a sharp and bright face."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    frames = (np.asarray(Pillow.open(io.BytesIO(encode((200, 30 + 2 * n, 40))))) for n in range(10))
    return clips.write_clip(path, frames).read_bytes()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the app logs."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    web.app.log.addHandler(handler)
    yield text
    web.app.log.removeHandler(handler)


@pytest.fixture
def ask(checker: Checker) -> Ask:
    """Send a request; the answer is held against the API document before the test sees it."""
    client = Client(web.app)

    def send(method: str, path: str, **request: Any) -> Any:
        answer = client.http.request(method, path, **request)
        conform(method, path, answer.status_code, answer.headers.get("Content-Type"), answer.body)
        return answer

    return send


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch, encode: Encode) -> Iterator[Internet]:
    """An internet in which nothing stands but a trap, which serves a picture."""
    with internet(monkeypatch, encode((7, 7, 7))) as made:
        yield made


def conform(method: str, path: str, status: int, content_type: str | None, body: bytes) -> None:
    """Assert that an answer is one that the API document promises, headers apart."""
    if status == 405 or path.startswith("/assets"):
        if status >= 400:
            _validate({"$ref": "#/components/schemas/Error"}, body)
        return
    templates = {"/v2/checks/": "/v2/checks/{check_id}", "/v2/flags/": "/v2/flags/{flag_id}"}
    path = path.partition("?")[0]
    known = path if path in DOCUMENT["paths"] else templates[path[: path.rindex("/") + 1]]
    promised = DOCUMENT["paths"][known][method.lower()]["responses"][str(status)]
    if "content" not in promised:
        assert body == b""
        return
    (media_type,) = promised["content"]
    if media_type == "application/json":
        # Chalice leaves the header out where a view gives plain data, and API Gateway fills it in.
        assert (content_type or "application/json") == "application/json"
        _validate(promised["content"][media_type]["schema"], body)
    else:
        assert (content_type or "").startswith(media_type)


def _validate(schema: dict[str, Any], body: bytes) -> None:
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(json.loads(body))


def post(ask: Ask, data: bytes, content_type: str = "application/octet-stream") -> Any:
    return ask("POST", "/v2/checks/image", headers={"Content-Type": content_type}, body=data)


def clip(*images: bytes, **more: Any) -> bytes:
    """The body that asks to check these frames, a second apart."""
    frames = [{"time": n, "image": base64.b64encode(image).decode()} for n, image in enumerate(images)]
    return json.dumps({"frames": frames, **more}).encode()


def post_clip(ask: Ask, body: bytes, content_type: str = "application/json") -> Any:
    return ask("POST", "/v2/checks/frames", headers={"Content-Type": content_type}, body=body)


def post_video(ask: Ask, body: bytes, content_type: str = "video/mp4") -> Any:
    return ask("POST", "/v2/checks/video", headers={"Content-Type": content_type}, body=body)


def post_url(ask: Ask, url: str = "http://pictures.example/a.png", **headers: str) -> Any:
    body = json.dumps({"url": url}).encode()
    return ask("POST", "/v2/checks/url", headers={"Content-Type": "application/json", **headers}, body=body)


@pytest.mark.parametrize("content_type", [*web.IMAGE_TYPES, "IMAGE/PNG", "image/png; charset=binary"])
def test_a_picture_is_checked_whatever_accepted_type_it_is_said_to_be(
    ask: Ask, encode: Encode, content_type: str
) -> None:
    answer = post(ask, encode(), content_type)
    assert answer.status_code == 200
    assert (answer.json_body["verdict"], answer.json_body["media"]["format"]) == ("likely_fake", "png")


def test_row_30_the_content_type_is_a_hint_and_never_echoed(ask: Ask, encode: Encode) -> None:
    answer = post(ask, encode(format="JPEG"), "image/png, text/html; x=<script>")
    assert answer.json_body["media"]["format"] == "jpeg"
    refused = post(ask, b"", "text/<script>")
    assert refused.status_code == 415
    for told in (answer, refused):
        assert "script>" not in json.dumps(told.headers) + told.body.decode()


@pytest.mark.parametrize("content_type", [None, "application/x-www-form-urlencoded", "multipart/form-data"])
def test_other_content_types_are_told_what_to_send(ask: Ask, encode: Encode, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = ask("POST", "/v2/checks/image", headers=headers, body=encode())
    assert (answer.status_code, answer.json_body["error"]["code"]) == (415, "unsupported_media")
    assert "image/webp" in answer.json_body["error"]["message"]


def test_a_picture_at_an_address_is_checked_as_its_bytes_are(
    ask: Ask, checker: Checker, net: Internet, encode: Encode
) -> None:
    server = net.put(Server(reply(encode())))
    check = post_url(ask).json_body
    assert (check["verdict"], check["media"]["kind"], check["cached"]) == ("likely_fake", "image", False)
    assert post(ask, encode()).json_body == post_url(ask).json_body == {**check, "cached": True}
    assert server.accepted == 2
    assert ask("DELETE", f"/v2/checks/{check['id']}").status_code == 204


def test_row_49_an_address_whose_picture_has_changed_is_answered_anew(ask: Ask, net: Internet, encode: Encode) -> None:
    net.put(Server(reply(encode((1, 1, 1))), reply(encode((2, 2, 2))), reply(encode((1, 1, 1)))))
    first, second, third = (post_url(ask).json_body for _ in range(3))
    assert first["media"]["sha256"] != second["media"]["sha256"]
    assert (second["cached"], third) == (False, {**first, "cached": True})


@pytest.mark.parametrize("version", ["2025.01-test", "2026.01-test"])
def test_row_49_a_new_model_judges_anew(
    ask: Ask, checker: Checker, net: Internet, encode: Encode, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    net.put(Server(reply(encode())))
    post_url(ask)
    monkeypatch.setitem(checker._detector.card, "version", version)
    again = post_url(ask).json_body
    assert (again["cached"], again["model"]["version"]) == (version == "2025.01-test", version)


def test_row_48_an_address_that_is_sent_twice_at_once_is_scored_once(
    make_checker: Callable[..., Checker], parts: Any, net: Internet, encode: Encode
) -> None:
    # Chalice's test client swaps the environment, so it cannot be used by several threads.
    slow = make_checker(3.0, store=parts.Store(), pause=0.2)
    net.put(Server(reply(encode())))
    with ThreadPoolExecutor(4) as pool:
        checks = list(pool.map(slow.check_url, ["http://pictures.example/a.png"] * 4))
    assert sorted(check.pop("cached") for check in checks) == [False, True, True, True]
    assert all(check == checks[0] for check in checks)
    assert slow._detector.calls == 1  # type: ignore[attr-defined]


def test_every_address_that_is_refused_is_refused_in_the_same_words(ask: Ask, net: Internet) -> None:
    net.name("inside.example", [PRIVATE])
    net.put(Server(redirect("http://inside.example/")))
    urls = [
        "http://pictures.example/",
        "http://inside.example/",
        "http://169.254.169.254/latest/meta-data/",
        "http://2130706433/",
        "http://user:password@pictures.example/",
        "http://pictures.example:22/",
        "http://evil.com\\@169.254.169.254/",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "no address at all",
        "",
        "\ud800",
        "http://\ud800.example/",
    ]
    answers = [post_url(ask, url) for url in urls]
    assert {answer.status_code for answer in answers} == {400}
    assert len({answer.body for answer in answers}) == 1
    assert answers[0].json_body["error"]["code"] == "url_not_allowed"
    assert net.trap.accepted == 0


@pytest.mark.parametrize("header", ["unmask.example", "Unmask.Example:8000", "unmask.example."])
def test_row_18_the_name_that_a_request_calls_us_by_is_not_fetched_from(
    ask: Ask, net: Internet, header: str, encode: Encode
) -> None:
    server = net.put(Server(reply(encode())), host="unmask.example")
    answer = post_url(ask, "http://unmask.example/v2/checks/url", Host=header)
    assert (answer.status_code, server.accepted) == (400, 0)
    assert post_url(ask, "http://unmask.example/", Host="other.example").status_code == 200


MP4 = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(100)


def test_a_video_is_checked_read_again_and_forgotten(ask: Ask, film: bytes) -> None:
    check = post_video(ask, film).json_body
    assert (check["verdict"], check["fake_probability"], check["reasons"]) == ("likely_fake", 0.8808, [])
    assert check["media"] == {
        "kind": "video",
        "sha256": hashlib.sha256(film).hexdigest(),
        "width": 240,
        "height": 160,
        "format": "mp4",
        "frames": 10,
    }
    assert check["coverage"] == {"frames": 10, "usable": 10}
    (track,) = check["tracks"]
    assert [point["time"] for point in track["points"]] == [n / 25 for n in range(10)]
    path = f"/v2/checks/{check['id']}"
    assert ask("GET", path).json_body == post_video(ask, film).json_body == {**check, "cached": True}
    assert ask("DELETE", path).status_code == 204


def test_a_video_comes_by_lambda_and_by_its_address_too(ask: Ask, net: Internet, film: bytes) -> None:
    check = post_video(ask, film).json_body
    net.put(Server(reply(film, "Content-Type: text/plain")))
    assert post_url(ask).json_body == {**check, "cached": True}
    event = lambda_event(
        base64.b64encode(film).decode(), encoded=True, content_type="video/mp4", path="/v2/checks/video"
    )
    assert invoke(event) == (200, {**check, "cached": True})


def test_row_39_a_moving_gif_is_a_picture_or_a_clip_as_it_is_sent(ask: Ask, encode: Encode) -> None:
    file = io.BytesIO()
    first, *others = (Pillow.open(io.BytesIO(encode((200, 30 + 2 * n, 40)))) for n in range(5))
    first.save(file, "GIF", save_all=True, append_images=others, duration=100)
    picture = post(ask, file.getvalue(), "image/gif").json_body
    moving = post_video(ask, file.getvalue(), "image/gif").json_body
    assert (picture["media"]["kind"], picture["media"]["frames"], "tracks" in picture) == ("image", 5, False)
    assert (moving["media"]["kind"], moving["media"]["format"], moving["coverage"]["frames"]) == ("video", "gif", 5)
    assert picture["media"]["sha256"] != moving["media"]["sha256"]


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        pytest.param(b"", 422, "video_empty", id="row_47 nothing"),
        pytest.param(MP4, 422, "video_index_missing", id="row_47 a head"),
        pytest.param(b"\xff\xd8\xff\xe0", 415, "unsupported_media", id="a picture"),
        pytest.param(MP4 + bytes(300_000), 413, "too_large", id="row_47 too large"),
    ],
)
def test_what_is_no_video_is_told(ask: Ask, checker: Checker, sent: bytes, status: int, code: str) -> None:
    answer = post_video(ask, sent)
    assert (answer.status_code, answer.json_body["error"]["code"]) == (status, code)
    assert answer.json_body["error"]["message"].endswith(".")


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(reply(b"<!doctype html><title>Oops</title>", "Content-Type: text/html"), id="row_28 a page"),
        pytest.param(reply(b"<!doctype html>", "Content-Type: image/png"), id="row_29 a page that claims to be a PNG"),
        pytest.param(chunked(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), id="row_31 SVG"),
    ],
)
def test_what_is_no_picture_is_told_as_such(ask: Ask, net: Internet, page: bytes) -> None:
    net.put(Server(page))
    answer = post_url(ask)
    assert (answer.status_code, answer.json_body["error"]["code"]) == (415, "unsupported_media")
    assert "only pictures and videos can" in answer.json_body["error"]["message"]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("Content-Type: text/html", id="row_29 another type"),
        pytest.param("X-Nothing: at all", id="row_29 no type"),
        pytest.param("Content-Type: image/png, text/html; x=<script>", id="row_30 two types"),
    ],
)
def test_what_a_server_says_of_a_picture_neither_counts_nor_comes_back(
    ask: Ask, net: Internet, encode: Encode, header: str
) -> None:
    net.put(Server(reply(encode(format="JPEG"), header)))
    answer = post_url(ask)
    assert answer.json_body["media"]["format"] == "jpeg"
    assert "script>" not in json.dumps(answer.headers) + answer.body.decode()


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        pytest.param(reply(status="404 Not Found"), 502, "fetch_failed", id="row_28 not found"),
        pytest.param(reply(length=200_001), 413, "too_large", id="row_24 a length over the cap"),
        pytest.param(reply(b"x" * 10, length=100), 422, "incomplete_body", id="row_25 cut off"),
        pytest.param(reply(b""), 422, "image_empty", id="row_33 nothing"),
        pytest.param(redirect("/"), 502, "fetch_failed", id="row_15 a circle"),
        pytest.param(drip(b"", 3600), 504, "fetch_timeout", id="row_22 silence"),
    ],
)
def test_what_goes_wrong_on_the_way_is_answered_with_the_reason(
    ask: Ask, checker: Checker, net: Internet, answer: Any, status: int, code: str
) -> None:
    checker.settings = replace(checker.settings, fetch_seconds=0.5 if status == 504 else 60.0)
    net.put(Server(answer))
    told = post_url(ask)
    assert (told.status_code, told.json_body["error"]["code"]) == (status, code)
    assert told.json_body["error"]["message"].endswith(".")


def test_a_service_that_fetches_nothing_says_so(ask: Ask, checker: Checker, net: Internet) -> None:
    checker.settings = replace(checker.settings, fetch_urls=False)
    answer = post_url(ask)
    assert (answer.status_code, answer.json_body["error"]["code"]) == (403, "fetching_off")
    assert net.lookups == []


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"{}", 400), (b'{"url": 5}', 400), (b'{"url": "http://a.b/", "x": 1}', 400), (b" " * 100_001, 413)],
)
def test_a_request_for_no_address_is_told_what_to_send(ask: Ask, body: bytes, status: int) -> None:
    answer = ask("POST", "/v2/checks/url", headers={"Content-Type": "application/json"}, body=body)
    assert answer.status_code == status


def test_an_address_is_neither_logged_nor_kept(
    ask: Ask, checker: Checker, net: Internet, encode: Encode, log: io.StringIO
) -> None:
    net.put(Server(reply(encode()), reply(status="500 Oops"), b"nonsense"), host="secret-word.example")
    answers = [post_url(ask, "http://secret-word.example/secret-word?secret-word#secret-word") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 502, 502]
    kept = json.dumps(checker.get(answers[0].json_body["id"]))
    told = "".join(answer.body.decode() + json.dumps(answer.headers) for answer in answers)
    assert "secret-word" not in log.getvalue() + kept + told
    # Nor can strangers fill the log with errors.
    assert "ERROR" not in log.getvalue()


@pytest.mark.parametrize("encoded", [False, True], ids=["as text", "in base64"])
def test_an_address_comes_through_lambda(checker: Checker, net: Internet, encode: Encode, encoded: bool) -> None:
    net.put(Server(reply(encode())))
    sent = json.dumps({"url": "http://pictures.example/"})
    event = lambda_event(
        base64.b64encode(sent.encode()).decode() if encoded else sent,
        encoded=encoded,
        content_type="application/json",
        path="/v2/checks/url",
    )
    status, check = invoke(event)
    assert (status, check["verdict"]) == (200, "likely_fake")


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_a_clip_is_checked_read_again_and_forgotten(ask: Ask, encode: Encode, content_type: str) -> None:
    sent = clip(*(encode((n, 0, 0), "JPEG") for n in range(4)))
    check = post_clip(ask, sent, content_type).json_body
    assert (check["verdict"], check["media"]["kind"], len(check["tracks"])) == ("likely_fake", "video", 1)
    path = f"/v2/checks/{check['id']}"
    assert ask("GET", path).json_body == post_clip(ask, sent).json_body == {**check, "cached": True}
    assert ask("DELETE", path).status_code == 204
    assert ask("GET", path).status_code == 404


@pytest.mark.parametrize(
    ("sent", "status", "code", "sentence"),
    [
        pytest.param(b"", 400, "bad_request", "not JSON", id="nothing"),
        pytest.param(b'{"frames": []}', 400, "bad_request", "at least one frame", id="no frame"),
        pytest.param(b'{"frames": [{"time": 0, "image": "*"}]}', 400, "bad_request", "Frame 1: ", id="no base64"),
        pytest.param(clip(b"", b""), 422, "image_empty", "Frame 1: The file is empty.", id="an empty frame"),
        pytest.param(clip(b"<svg/>"), 415, "unsupported_media", "Frame 1: ", id="a drawing"),
        pytest.param(clip(*[b"x"] * 33), 413, "too_many_frames", "at most 32", id="too many"),
        pytest.param(b" " * 100_001, 413, "too_large", "at most 0.1 MB", id="too large"),
    ],
)
def test_a_clip_that_is_refused_is_answered_with_the_reason(
    ask: Ask, sent: bytes, status: int, code: str, sentence: str
) -> None:
    answer = post_clip(ask, sent)
    assert (answer.status_code, answer.json_body["error"]["code"]) == (status, code)
    assert sentence in answer.json_body["error"]["message"]


def test_a_clip_of_another_type_is_told_what_to_send(ask: Ask) -> None:
    answer = post_clip(ask, clip(b"x"), "text/plain")
    assert (answer.status_code, answer.json_body["error"]["code"]) == (415, "unsupported_media")
    assert answer.json_body["error"]["message"] == "Send the body with one of these content types: application/json."


def test_what_a_clip_must_be_is_described(encode: Encode) -> None:
    described = DOCUMENT["paths"]["/v2/checks/frames"]["post"]["requestBody"]["content"]["application/json"]
    _validate(described["schema"], clip(encode()))
    for wrong in (b"{}", clip(encode(), more=1), b'{"frames": [{"time": -1, "image": ""}]}'):
        with pytest.raises(ValidationError):
            _validate(described["schema"], wrong)


def test_json_reaches_lambda_as_text() -> None:
    assert "application/json" not in web.app.api.binary_types
    for path in ("/v2/checks/frames", "/v2/checks/url", "/v2/flags"):
        assert web.app.routes[path]["POST"].content_types == ["application/json"]


def test_every_accepted_type_reaches_lambda_as_bytes() -> None:
    assert set(web.IMAGE_TYPES) <= set(web.app.api.binary_types)
    assert set(web.IMAGE_TYPES) >= {"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"}


def test_the_routes_can_be_deployed() -> None:
    validate_routes(web.app.routes)
    validate_route_content_types(web.app.routes, web.app.api.binary_types)
    template = CFNSwaggerGenerator().generate_swagger(web.app)
    assert template["paths"]["/v2/checks/image"]["post"]["consumes"] == list(web.IMAGE_TYPES)
    for path in ("/v2/checks/frames", "/v2/checks/url", "/v2/flags"):
        assert template["paths"][path]["post"]["consumes"] == ["application/json"]


def test_api_gateway_answers_a_browser_that_asks_before_it_sends() -> None:
    paths = CFNSwaggerGenerator().generate_swagger(web.app)["paths"]
    assert paths.keys() == web.app.routes.keys()
    for path, methods in paths.items():
        (answer,) = methods["options"]["x-amazon-apigateway-integration"]["responses"].values()
        told = {name.rpartition(".")[2]: value.strip("'") for name, value in answer["responseParameters"].items()}
        assert set(web.app.routes[path]) <= set(told["Access-Control-Allow-Methods"].split(","))
        assert {"Content-Type", "X-Api-Key"} <= set(told["Access-Control-Allow-Headers"].split(","))
        assert told["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        pytest.param(b"", 422, "image_empty", id="row_33 nothing"),
        pytest.param(b"GIF89a", 422, None, id="row_33 header only"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_media", id="row_31 SVG"),
        pytest.param(b"\0" * 100_001, 413, "too_large", id="row_24 too large"),
    ],
)
def test_a_picture_that_is_refused_is_answered_with_the_reason(
    ask: Ask, data: bytes, status: int, code: str | None
) -> None:
    answer = post(ask, data)
    assert answer.status_code == status
    error = answer.json_body["error"]
    assert error["code"] == code or code is None
    assert error["message"].endswith(".")
    assert "verdict" not in answer.json_body


def test_a_check_can_be_read_again_and_forgotten(ask: Ask, encode: Encode) -> None:
    check = post(ask, encode()).json_body
    path = f"/v2/checks/{check['id']}"
    assert ask("GET", path).json_body == {**check, "cached": True}
    assert post(ask, encode()).json_body == {**check, "cached": True}
    deleted = ask("DELETE", path)
    assert (deleted.status_code, deleted.body) == (204, b"")
    for method in ("GET", "DELETE"):
        gone = ask(method, path)
        assert (gone.status_code, gone.json_body["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("check_id", ["0", "a" * 32, "' OR 1=1 --", "%2e%2e%2fetc", "é"])
def test_an_unknown_id_is_not_found_whatever_it_is(ask: Ask, check_id: str) -> None:
    assert ask("GET", f"/v2/checks/{check_id}").status_code == 404


def flag(ask: Ask, **told: Any) -> Any:
    return ask("POST", "/v2/flags", headers={"Content-Type": "application/json"}, body=json.dumps(told).encode())


def test_a_check_is_flagged_read_again_and_forgotten(ask: Ask, desk: FlagDesk, encode: Encode) -> None:
    data = encode()
    check = post(ask, data).json_body
    made = flag(ask, check_id=check["id"], keep=True, picture=base64.b64encode(data).decode()).json_body
    assert (made["state"], made["before"]["verdict"]) == ("waiting", "likely_fake")
    path = f"/v2/flags/{made['id']}"
    assert ask("GET", path).json_body == made
    assert ask("DELETE", path).status_code == 204
    assert ask("GET", path).status_code == ask("DELETE", path).status_code == 404


def test_flags_are_listed_page_by_page(ask: Ask, desk: FlagDesk) -> None:
    for n in range(3):
        flag(ask, url=f"https://photos.example/{n}.jpg")
    page = ask("GET", "/v2/flags?limit=2&state=waiting").json_body
    rest = ask("GET", f"/v2/flags?limit=2&state=waiting&cursor={page['cursor']}").json_body
    assert [len(page["flags"]), len(rest["flags"]), rest["cursor"]] == [2, 1, None]
    assert len({each["id"] for each in page["flags"] + rest["flags"]}) == 3
    assert {each["owner"] for each in page["flags"]} == {"local"}


def ask_signed(
    method: str,
    path: str,
    resource: str,
    person: str | None,
    body: str = "",
    groups: str | None = None,
    **parts: str,
) -> Any:
    """Ask as API Gateway does for somebody whose token it has found good; None is nobody."""
    context: dict[str, Any] = {"httpMethod": method, "resourcePath": resource, "identity": {"sourceIp": "192.0.2.1"}}
    if person is not None:
        claims = {"sub": person, "email": "me@example.org"}
        context["authorizer"] = {"claims": claims if groups is None else {**claims, "cognito:groups": groups}}
    answer = web.app(
        {
            "httpMethod": method,
            "resource": resource,
            "path": path,
            "headers": {"Content-Type": "application/json", "Host": "api.example"},
            "multiValueQueryStringParameters": None,
            "pathParameters": parts,
            "stageVariables": None,
            "body": body,
            "isBase64Encoded": False,
            "requestContext": context,
        },
        None,
    )
    return answer["statusCode"], json.loads(answer["body"]) if answer["body"] else None


def test_in_aws_what_is_owned_is_seen_and_deleted_by_its_owner_alone(
    ask: Ask, desk: FlagDesk, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = post(ask, encode()).json_body
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "unmask")
    told = json.dumps({"url": "https://photos.example/1.jpg"})
    status, made = ask_signed("POST", "/v2/flags", "/v2/flags", "anna", told)
    assert (status, made["owner"]) == (200, "anna")
    assert "me@example.org" not in json.dumps(made)
    one = (f"/v2/flags/{made['id']}", "/v2/flags/{flag_id}")
    everything = [
        ("POST", "/v2/flags", "/v2/flags", told, {}),
        ("GET", "/v2/flags", "/v2/flags", "", {}),
        ("GET", *one, "", {"flag_id": made["id"]}),
        ("DELETE", *one, "", {"flag_id": made["id"]}),
        ("DELETE", f"/v2/checks/{check['id']}", "/v2/checks/{check_id}", "", {"check_id": check["id"]}),
    ]
    # API Gateway lets none of these through; the app does not rest on it.
    for person in (None, ""):
        for method, path, resource, body, parts in everything:
            status, answer = ask_signed(method, path, resource, person, body, **parts)
            assert (status, answer["error"]["code"]) == (401, "sign_in_required")
    for method, path, resource, body, parts in everything[2:4]:
        assert ask_signed(method, path, resource, "bert", body, **parts)[0] == 404
    assert ask_signed(*everything[1][:3], "bert")[1]["flags"] == []
    assert [each["id"] for each in ask_signed(*everything[1][:3], "anna")[1]["flags"]] == [made["id"]]
    assert ask_signed(*everything[3][:3], "anna", flag_id=made["id"])[0] == 204
    ask_signed("POST", "/v2/flags", "/v2/flags", "anna", told)
    forget = ("DELETE", "/v2/flags", "/v2/flags")
    assert ask_signed(*forget, None)[0] == 401
    assert ask_signed(*forget, "bert")[0] == 204
    assert len(ask_signed(*everything[1][:3], "anna")[1]["flags"]) == 1
    assert ask_signed(*forget, "anna")[0] == 204
    assert ask_signed(*everything[1][:3], "anna")[1]["flags"] == []


def test_reports_of_nights_are_for_operators(
    ask: Ask, checker: Checker, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.buckets import BucketShelf

    assert ask("GET", "/v2/reports").status_code == 404, "on one machine they lie in a folder"
    checker.settings = replace(checker.settings, rescore_bucket=bucket)
    older, newer = "20260301T020000Z-00000000", "20260302T020000Z-00000000"
    for night in (older, newer):
        BucketShelf(bucket).put(f"rescore/{night}/manifest.jsonl", io.BytesIO(b""))
    BucketShelf(bucket).put(f"rescore/{older}/report.json", io.BytesIO(b'{"looks": 3}'))
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "unmask")
    listed = ("GET", "/v2/reports", "/v2/reports")
    one = (f"/v2/reports/{older}", "/v2/reports/{night}")
    assert ask_signed(*listed, None)[0] == 401
    for groups in (None, "", "people", "operators-of-old"):
        for status, answer in (
            ask_signed(*listed, "anna", groups=groups),
            ask_signed("GET", *one, "anna", groups=groups, night=older),
        ):
            assert (status, answer["error"]["code"]) == (403, "operators_only")
    for groups in ("operators", "people,operators", "[people operators]"):
        assert ask_signed(*listed, "anna", groups=groups) == (200, {"reports": [newer, older]})
    assert ask_signed("GET", *one, "anna", groups="operators", night=older) == (200, {"looks": 3})
    for night in (newer, "..", "20260301T020000Z-0000000/", "é"):
        status, answer = ask_signed("GET", *one, "anna", groups="operators", night=night)
        assert (status, answer["error"]["code"]) == (404, "not_found")


def test_health_tells_where_to_sign_in(ask: Ask, checker: Checker) -> None:
    pool = {"sign_in_url": "https://cognito-idp.eu-central-1.amazonaws.com/", "sign_in_client": "abc"}
    checker.settings = replace(checker.settings, **pool)
    assert ask("GET", "/v2/health").json_body["sign_in"] == {
        "endpoint": "https://cognito-idp.eu-central-1.amazonaws.com/",
        "client_id": "abc",
    }


def test_where_no_flags_are_taken_that_is_said(ask: Ask) -> None:
    for answer in (flag(ask, url="https://photos.example/1.jpg"), ask("GET", "/v2/flags"), ask("GET", "/v2/flags/1")):
        assert (answer.status_code, answer.json_body["error"]["code"]) == (404, "not_found")


def test_an_address_whose_picture_is_uncertain_flags_itself_where_that_is_set(
    ask: Ask, desk: FlagDesk, checker: Checker, net: Internet, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    net.put(Server(reply(encode())))
    monkeypatch.setattr(desk, "settings", replace(checker.settings, flag_uncertain=True))
    monkeypatch.setattr(checker._detector, "logits", (0.0,))
    assert post_url(ask).json_body["verdict"] == "uncertain"
    (made,) = desk._store.browse()["flags"]
    assert (made["origin"], made["url"]) == ("uncertain", "http://pictures.example/a.png")


def test_what_a_flag_must_be_is_described(ask: Ask) -> None:
    described = DOCUMENT["paths"]["/v2/flags"]["post"]["requestBody"]["content"]["application/json"]
    _validate(described["schema"], b'{"url": "https://photos.example/1.jpg", "keep": true}')
    with pytest.raises(ValidationError):
        _validate(described["schema"], b'{"address": "https://photos.example/1.jpg"}')
    asked = {each["name"]: each["in"] for each in DOCUMENT["paths"]["/v2/flags"]["get"]["parameters"]}
    assert asked == {"state": "query", "limit": "query", "cursor": "query"}


def test_health_tells_whether_flags_are_taken(ask: Ask, desk: FlagDesk) -> None:
    assert ask("GET", "/v2/health").json_body["flags"] is True


def test_the_model_tells_what_it_covers_and_where_it_draws_the_line(ask: Ask, parts: Any) -> None:
    model = ask("GET", "/v2/model").json_body
    assert model.pop("thresholds") == {"no_traces_below": 0.3, "fake_above": 0.7}
    assert model.pop("frame_thresholds") == {"no_traces_below": 0.25, "fake_above": 0.75}
    assert model.pop("video_thresholds") == {"no_traces_below": 0.28, "fake_above": 0.8}
    assert model == {key: parts.card[key] for key in model}
    assert model.keys() == {"name", "version", "input_side", "covers", "limits", "metrics", "terms"}


def test_health_names_the_model(ask: Ask) -> None:
    answer = ask("GET", "/v2/health")
    assert answer.json_body == {
        "status": "ok",
        "api": API,
        "model": {"name": "stand-in", "version": "2025.01-test"},
        "flags": False,
        "sign_in": None,
        "video_bytes": web.checker().settings.max_video_bytes,
        # These tests make no place for any.
        "upload_bytes": 0,
    }


def test_the_page_that_is_served_understands_the_api_that_serves_it() -> None:
    service = (web.PAGE / "service.js").read_text(encoding="utf-8")
    least, newest = (int(re.findall(rf"{name}_API = (\d+);", service)[0]) for name in ("LEAST", "NEWEST"))
    assert least <= API == newest


def test_a_missing_model_fails_the_health_check(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, log: io.StringIO
) -> None:
    monkeypatch.setenv("UNMASK_MODELS", str(tmp_path))
    monkeypatch.setenv("UNMASK_STORE_PATH", str(tmp_path / "checks.sqlite3"))
    web._load_checker.cache_clear()
    answer = Client(web.app).http.get("/v2/health")
    assert (answer.status_code, answer.json_body["error"]["code"]) == (500, "model_unavailable")
    conform("GET", "/v2/health", 500, "application/json", answer.body)


def test_any_page_may_ask_and_nothing_is_cached_or_sniffed(ask: Ask, encode: Encode) -> None:
    for answer in (
        post(ask, encode()),
        post(ask, b""),
        ask("PUT", "/v2/model"),
        post(ask, b"", "text/plain"),
    ):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        exposed = set(answer.headers["Access-Control-Expose-Headers"].split(","))
        assert exposed == {"Deprecation", "Link", "Retry-After", "X-Request-Id"}
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Request-Id"]


def test_a_method_that_is_not_served_is_answered_in_the_same_shape(ask: Ask) -> None:
    answer = ask("PUT", "/v2/model")
    assert (answer.status_code, answer.json_body["error"]["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET"


def test_an_unexpected_failure_is_a_plain_sentence_and_a_request_id(
    ask: Ask, checker: Checker, encode: Encode, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(data: bytes) -> None:
        raise RuntimeError("https://example.org/private.jpg")

    monkeypatch.setattr(checker, "check_image", fail)
    answer = post(ask, encode())
    assert (answer.status_code, answer.json_body["error"]["code"]) == (500, "internal_error")
    assert answer.headers["X-Request-Id"] in answer.json_body["error"]["message"]
    unexpected, *_ = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (unexpected["event"], unexpected["error"]) == ("unexpected", "RuntimeError")
    assert unexpected["request_id"] == answer.headers["X-Request-Id"]
    assert any(frame.startswith("test_app.py") for frame in unexpected["frames"])
    assert "example.org" not in log.getvalue() + answer.body.decode()


def test_a_store_that_is_down_is_told_as_such(ask: Ask, checker: Checker, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(check_id: str) -> None:
        raise StoreUnavailable("The store does not answer.")

    monkeypatch.setattr(checker, "get", fail)
    assert ask("GET", f"/v2/checks/{'a' * 32}").status_code == 503


def test_each_request_is_one_line_of_json_without_what_was_sent(ask: Ask, encode: Encode, log: io.StringIO) -> None:
    check = post(ask, encode()).json_body
    ask("GET", f"/v2/checks/{check['id']}")
    first, second = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (first["route"], first["status"]) == ("POST /v2/checks/image", 200)
    assert (second["route"], second["status"]) == ("GET /v2/checks/{check_id}", 200)
    assert check["id"] not in log.getvalue()


def lambda_event(
    body: str | None, *, encoded: bool = True, content_type: str = "image/png", path: str = "/v2/checks/image"
) -> dict[str, Any]:
    """An event as API Gateway makes it of a POST."""
    return {
        "resource": path,
        "path": path,
        "httpMethod": "POST",
        "headers": {"Content-Type": content_type},
        "multiValueHeaders": {"Content-Type": [content_type]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"resourcePath": path, "httpMethod": "POST", "identity": {}},
        "body": body,
        "isBase64Encoded": encoded,
    }


def invoke(event: dict[str, Any]) -> tuple[int, Any]:
    """Call the app as Lambda does; the answer must survive JSON."""
    answer = json.loads(json.dumps(web.app(event, LambdaContext("unmask", 128))))
    conform("POST", event["path"], answer["statusCode"], None, answer["body"].encode())
    return answer["statusCode"], json.loads(answer["body"])


def test_a_picture_comes_through_lambda(checker: Checker, encode: Encode) -> None:
    status, check = invoke(lambda_event(base64.b64encode(encode()).decode()))
    assert (status, check["verdict"]) == (200, "likely_fake")


@pytest.mark.parametrize(
    ("body", "encoded", "status", "code"),
    [
        pytest.param("A", True, 400, "bad_request", id="row_46 one character"),
        pytest.param("iVBORw0KGg=", True, 400, "bad_request", id="row_46 padding too short"),
        pytest.param("iVBORw0KGgo===", True, 400, "bad_request", id="row_46 padding too long"),
        pytest.param("iVBO*w0KGgo=", True, 400, "bad_request", id="row_46 not of the alphabet"),
        pytest.param("iVBO\nRw0KGgo=", True, 400, "bad_request", id="row_46 a line break"),
        pytest.param("iVBOé", True, 400, "bad_request", id="row_46 not ASCII"),
        pytest.param("A" * 133_400, True, 413, "too_large", id="row_46 over the limit"),
        pytest.param("*" * 133_400, True, 413, "too_large", id="row_46 over the limit and not decoded"),
        pytest.param(base64.b64encode(b"\0" * 100_000).decode(), True, 415, None, id="row_46 at the limit"),
        pytest.param("", True, 422, "image_empty", id="empty"),
        pytest.param(None, False, 422, "image_empty", id="no body"),
        pytest.param("\ufffdPNG\r\n", False, 415, None, id="bytes that the gateway took for text"),
    ],
)
def test_bodies_that_lambda_may_hand_over(
    checker: Checker, body: str | None, encoded: bool, status: int, code: str | None
) -> None:
    answered, told = invoke(lambda_event(body, encoded=encoded))
    assert (answered, told["error"]["code"]) == (status, code or told["error"]["code"])


@pytest.mark.parametrize("encoded", [False, True], ids=["as text", "in base64"])
def test_a_clip_comes_through_lambda(checker: Checker, encode: Encode, encoded: bool) -> None:
    sent = clip(*(encode((n, 0, 0), "JPEG") for n in range(4)))
    event = lambda_event(
        base64.b64encode(sent).decode() if encoded else sent.decode(),
        encoded=encoded,
        content_type="application/json",
        path="/v2/checks/frames",
    )
    status, check = invoke(event)
    assert (status, check["verdict"], check["coverage"]) == (200, "likely_fake", {"frames": 4, "usable": 4})


def test_an_event_of_another_kind_is_an_error_in_our_shape(checker: Checker, log: io.StringIO) -> None:
    answer = web.app({"Records": []}, LambdaContext("unmask", 128))
    assert answer["statusCode"] == 500
    assert json.loads(answer["body"])["error"]["code"] == "internal_error"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page folder of our own, with a neighbour that must not be served."""
    folder = tmp_path / "page"
    folder.mkdir()
    monkeypatch.setattr(web, "PAGE", folder)
    for name in ("index.html", "page.css", "page.js", "icon.svg", "notes.txt", ".secret"):
        (folder / name).write_text(f"{name} ✓", encoding="utf-8")
    (folder / "picture.png").write_bytes(b"\x89PNG\xff")
    (tmp_path / "settings.json").write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/assets/index.html", "text/html; charset=utf-8"),
        ("/assets/page.css", "text/css; charset=utf-8"),
        ("/assets/page.js", "text/javascript; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
        ("/assets/picture.png", "image/png"),
    ],
)
def test_the_page_is_served_under_a_strict_policy(ask: Ask, page: Path, path: str, media_type: str) -> None:
    answer = ask("GET", path, headers={"Accept": "*/*"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, media_type)
    assert answer.body == (page / (path.rpartition("/")[2] or "index.html")).read_bytes()
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    "name",
    ["notes.txt", ".secret", "none.js", "..", "%2e%2e%2fsettings.json", "..%5csettings.json", "page.js%00"],
)
def test_nothing_but_the_page_is_served(ask: Ask, page: Path, name: str) -> None:
    answer = ask("GET", f"/assets/{name}")
    assert (answer.status_code, answer.json_body["error"]["code"]) == (404, "not_found")


def test_every_file_of_the_page_has_a_media_type() -> None:
    assert {path.suffix for path in web.PAGE.iterdir() if path.is_file()} <= web.MEDIA_TYPES.keys()


def test_importing_the_app_loads_no_model() -> None:
    program = "import app, sys; print(app._load_checker.cache_info().currsize, 'tensorflow' in sys.modules)"
    for variables in (
        {"AWS_CHALICE_CLI_MODE": "true"},
        {"AWS_CHALICE_CLI_MODE": "true", "AWS_LAMBDA_FUNCTION_NAME": "x"},
        {"AWS_LAMBDA_FUNCTION_NAME": "x", "_HANDLER": "app.plan_rescoring"},
    ):
        run = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT / "backend",
            env={"UNMASK_MODELS": "/nowhere", **variables},
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.split() == ["0", "False"]


@pytest.mark.parametrize("handler", ["app.app", "app.check_arrival"])
def test_what_judges_pictures_in_lambda_has_its_models_before_it_is_asked(tmp_path: Path, handler: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", "import app; print(app._load_checker.cache_info().currsize)"],
        cwd=ROOT / "backend",
        env={
            "UNMASK_STORE_PATH": str(tmp_path / "checks.sqlite3"),
            "AWS_LAMBDA_FUNCTION_NAME": "x",
            "_HANDLER": handler,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "1"


def test_lambda_starts_without_a_model_and_says_so_when_asked(tmp_path: Path) -> None:
    program = "import app; print('up')"
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT / "backend",
        env={"UNMASK_MODELS": str(tmp_path), "AWS_LAMBDA_FUNCTION_NAME": "x"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "up"


def test_the_project_is_one_that_chalice_can_load() -> None:
    config = Config(config_from_disk=json.loads((ROOT / "backend" / ".chalice" / "config.json").read_text()))
    assert (config.app_name, config.lambda_timeout, config.lambda_memory_size) == ("unmask", 29, 3008)
    for stage in ("dev", "prod"):
        uploads, planner = (config.scope(stage, name) for name in ("check_upload", "plan_rescoring"))
        assert (uploads.lambda_timeout, uploads.lambda_memory_size) == (300, 3008)
        assert (planner.lambda_timeout, planner.lambda_memory_size) == (900, 1769)
