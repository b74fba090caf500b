"""The API document is generated from the routes and the types, and is one that tools can read."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from chalice.test import Client
from openapi_spec_validator import OpenAPIV31SpecValidator

from backend import app as web
from chalicelib.openapi import Operation, document
from chalicelib.schema import Check, describe

DOCUMENT = web.get_document()


def test_the_document_is_valid_openapi() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_the_document_is_served() -> None:
    answer = Client(web.app).http.get("/v2/openapi.json")
    assert (answer.status_code, answer.json_body) == (200, DOCUMENT)


def test_every_route_is_described_and_every_description_has_a_route() -> None:
    served = {
        (path, method.lower())
        for path, methods in web.app.routes.items()
        for method in methods
        if not path.startswith("/v1/")
    }
    described = {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert described == served
    views = {route.view_name for methods in web.app.routes.values() for route in methods.values()}
    assert web.operations.keys() == views


def test_every_part_of_a_path_that_varies_is_described() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            named = [
                f"{{{parameter['name']}}}" for parameter in operation.get("parameters", []) if parameter["in"] == "path"
            ]
            assert [part for part in path.split("/") if part.startswith("{")] == named


def test_what_a_route_takes_is_what_is_described() -> None:
    taken = DOCUMENT["paths"]["/v2/checks/image"]["post"]["requestBody"]["content"]
    assert taken == {kind: {} for kind in web.IMAGE_TYPES}
    taken = DOCUMENT["paths"]["/v2/checks/frames"]["post"]["requestBody"]["content"]
    assert taken == {"application/json": {"schema": {"$ref": "#/components/schemas/Clip"}}}
    taken = DOCUMENT["paths"]["/v2/checks/url"]["post"]["requestBody"]["content"]
    assert taken == {"application/json": {"schema": {"$ref": "#/components/schemas/Link"}}}


def test_every_operation_says_in_words_what_it_does_and_how_it_fails() -> None:
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            assert operation["summary"].endswith(".")
            assert "500" in operation["responses"]
    refusals = DOCUMENT["paths"]["/v2/checks/image"]["post"]["responses"]
    assert {"400", "413", "415", "422", "503"} <= refusals.keys()
    assert "`too_large`" in refusals["413"]["description"]
    refusals = DOCUMENT["paths"]["/v2/checks/url"]["post"]["responses"]
    for status, code in (
        ("400", "url_not_allowed"),
        ("403", "fetching_off"),
        ("422", "incomplete_body"),
        ("502", "fetch_failed"),
        ("504", "fetch_timeout"),
    ):
        assert f"`{code}`" in refusals[status]["description"]


@pytest.mark.parametrize(
    ("name", "optional"),
    [
        ("Check", {"tracks", "coverage"}),
        ("Clip", set()),
        ("Coverage", set()),
        ("Error", set()),
        ("Evidence", set()),
        ("Face", set()),
        ("Frame", set()),
        ("Generator", set()),
        ("Health", set()),
        ("Link", set()),
        ("Media", set()),
        ("Metrics", {"generators"}),
        ("Model", set()),
        ("ModelCard", set()),
        ("Point", set()),
        ("Track", set()),
    ],
)
def test_every_type_is_a_component_with_a_description(name: str, optional: set[str]) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    assert schema["description"]
    assert schema["required"] == sorted(schema["properties"].keys() - optional)


def test_a_route_that_nobody_described_is_refused() -> None:
    with pytest.raises(KeyError):
        document(web.app.routes, {})


class _Route(NamedTuple):
    view_function: Any
    view_name: str
    content_types: list[str]


def test_a_new_route_appears_by_itself() -> None:
    def forget_all() -> None:
        """Forget everything.

        At once,
        and for good.
        """

    routes = {"/v2/all": {"DELETE": _Route(forget_all, "forget_all", [])}}
    described = document(routes, {"forget_all": Operation({204: None})})["paths"]["/v2/all"]["delete"]
    assert described["summary"] == "Forget everything."
    assert described["description"] == "At once, and for good."
    assert described["responses"]["204"] == {"description": "Done; no body."}


def test_types_that_have_no_schema_are_refused() -> None:
    components: dict[str, Any] = {}
    assert describe(Check, components) == {"$ref": "#/components/schemas/Check"}
    with pytest.raises(TypeError, match="Received"):
        describe(set[int], components)
