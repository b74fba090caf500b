"""The routes, asked through Chalice's test client and through events such as Lambda sends."""

from __future__ import annotations

import base64
import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chalice.config import Config
from chalice.deploy.swagger import CFNSwaggerGenerator
from chalice.deploy.validate import validate_route_content_types, validate_routes
from chalice.local import LambdaContext
from chalice.test import Client
from jsonschema import Draft202012Validator

from backend import app as web
from chalicelib.checks import Checker
from chalicelib.errors import StoreUnavailable

ROOT = Path(__file__).parents[2]
Ask = Callable[..., Any]
Encode = Callable[..., bytes]
DOCUMENT = web.get_document()


@pytest.fixture
def checker(make_checker: Callable[..., Checker], parts: Any, monkeypatch: pytest.MonkeyPatch) -> Checker:
    """What the routes work with here: finds one face and gives it logit 3."""
    made = make_checker(3.0, store=parts.Store(), max_bytes=100_000)
    monkeypatch.setattr(web, "checker", lambda: made)
    return made


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


def conform(method: str, path: str, status: int, content_type: str | None, body: bytes) -> None:
    """Assert that an answer is one that the API document promises, headers apart."""
    if status == 405 or path.startswith("/assets"):
        if status >= 400:
            _validate({"$ref": "#/components/schemas/Error"}, body)
        return
    templates = {"/v1/checks/": "/v1/checks/{check_id}"}
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
    return ask("POST", "/v1/checks/image", headers={"Content-Type": content_type}, body=data)


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
    answer = ask("POST", "/v1/checks/image", headers=headers, body=encode())
    assert (answer.status_code, answer.json_body["error"]["code"]) == (415, "unsupported_media")
    assert "image/webp" in answer.json_body["error"]["message"]


def test_every_accepted_type_reaches_lambda_as_bytes() -> None:
    assert set(web.IMAGE_TYPES) <= set(web.app.api.binary_types)
    assert set(web.IMAGE_TYPES) >= {"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"}


def test_the_routes_can_be_deployed() -> None:
    validate_routes(web.app.routes)
    validate_route_content_types(web.app.routes, web.app.api.binary_types)
    template = CFNSwaggerGenerator().generate_swagger(web.app)
    assert template["paths"]["/v1/checks/image"]["post"]["consumes"] == list(web.IMAGE_TYPES)
    assert "options" in template["paths"]["/v1/checks/{check_id}"]


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        pytest.param(b"", 422, "image_empty", id="row 33: nothing"),
        pytest.param(b"GIF89a", 422, None, id="row 33: header only"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_media", id="row 31: SVG"),
        pytest.param(b"\0" * 100_001, 413, "too_large", id="row 24: too large"),
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
    path = f"/v1/checks/{check['id']}"
    assert ask("GET", path).json_body == {**check, "cached": True}
    assert post(ask, encode()).json_body == {**check, "cached": True}
    deleted = ask("DELETE", path)
    assert (deleted.status_code, deleted.body) == (204, b"")
    for method in ("GET", "DELETE"):
        gone = ask(method, path)
        assert (gone.status_code, gone.json_body["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("check_id", ["0", "a" * 32, "' OR 1=1 --", "%2e%2e%2fetc", "é"])
def test_an_unknown_id_is_not_found_whatever_it_is(ask: Ask, check_id: str) -> None:
    assert ask("GET", f"/v1/checks/{check_id}").status_code == 404


def test_the_model_tells_what_it_covers_and_where_it_draws_the_line(ask: Ask, parts: Any) -> None:
    model = ask("GET", "/v1/model").json_body
    assert model.pop("thresholds") == {"real_below": 0.3, "fake_above": 0.7}
    assert model == {key: parts.card[key] for key in model}
    assert model.keys() == {"name", "version", "input_side", "covers", "limits", "metrics", "terms"}


def test_health_names_the_model(ask: Ask) -> None:
    answer = ask("GET", "/v1/health")
    assert answer.json_body == {
        "status": "ok",
        "model": {"name": "stand-in", "version": "2025.01-test"},
        "flags": False,
    }


def test_a_missing_model_fails_the_health_check(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, log: io.StringIO
) -> None:
    monkeypatch.setenv("UNMASK_MODELS", str(tmp_path))
    monkeypatch.setenv("UNMASK_STORE_PATH", str(tmp_path / "checks.sqlite3"))
    web._load_checker.cache_clear()
    answer = Client(web.app).http.get("/v1/health")
    assert (answer.status_code, answer.json_body["error"]["code"]) == (500, "model_unavailable")
    conform("GET", "/v1/health", 500, "application/json", answer.body)


def test_any_page_may_ask_and_nothing_is_cached_or_sniffed(ask: Ask, encode: Encode) -> None:
    for answer in (
        post(ask, encode()),
        post(ask, b""),
        ask("PUT", "/v1/model"),
        post(ask, b"", "text/plain"),
    ):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Request-Id"]


def test_a_method_that_is_not_served_is_answered_in_the_same_shape(ask: Ask) -> None:
    answer = ask("PUT", "/v1/model")
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
    assert ask("GET", f"/v1/checks/{'a' * 32}").status_code == 503


def test_each_request_is_one_line_of_json_without_what_was_sent(ask: Ask, encode: Encode, log: io.StringIO) -> None:
    check = post(ask, encode()).json_body
    ask("GET", f"/v1/checks/{check['id']}")
    first, second = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (first["route"], first["status"]) == ("POST /v1/checks/image", 200)
    assert (second["route"], second["status"]) == ("GET /v1/checks/{check_id}", 200)
    assert check["id"] not in log.getvalue()


def lambda_event(body: str | None, *, encoded: bool = True, content_type: str = "image/png") -> dict[str, Any]:
    """An event as API Gateway makes it of a POST."""
    return {
        "resource": "/v1/checks/image",
        "path": "/v1/checks/image",
        "httpMethod": "POST",
        "headers": {"Content-Type": content_type},
        "multiValueHeaders": {"Content-Type": [content_type]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"resourcePath": "/v1/checks/image", "httpMethod": "POST", "identity": {}},
        "body": body,
        "isBase64Encoded": encoded,
    }


def invoke(event: dict[str, Any]) -> tuple[int, Any]:
    """Call the app as Lambda does; the answer must survive JSON."""
    answer = json.loads(json.dumps(web.app(event, LambdaContext("unmask", 128))))
    conform("POST", "/v1/checks/image", answer["statusCode"], None, answer["body"].encode())
    return answer["statusCode"], json.loads(answer["body"])


def test_a_picture_comes_through_lambda(checker: Checker, encode: Encode) -> None:
    status, check = invoke(lambda_event(base64.b64encode(encode()).decode()))
    assert (status, check["verdict"]) == (200, "likely_fake")


@pytest.mark.parametrize(
    ("body", "encoded", "status", "code"),
    [
        pytest.param("A", True, 400, "bad_request", id="row 46: one character"),
        pytest.param("iVBORw0KGg=", True, 400, "bad_request", id="row 46: padding too short"),
        pytest.param("iVBORw0KGgo===", True, 400, "bad_request", id="row 46: padding too long"),
        pytest.param("iVBO*w0KGgo=", True, 400, "bad_request", id="row 46: not of the alphabet"),
        pytest.param("iVBO\nRw0KGgo=", True, 400, "bad_request", id="row 46: a line break"),
        pytest.param("iVBOé", True, 400, "bad_request", id="row 46: not ASCII"),
        pytest.param("A" * 133_400, True, 413, "too_large", id="row 46: over the limit"),
        pytest.param("*" * 133_400, True, 413, "too_large", id="row 46: over the limit and not decoded"),
        pytest.param(base64.b64encode(b"\0" * 100_000).decode(), True, 415, None, id="row 46: at the limit"),
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
