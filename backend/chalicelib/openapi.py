"""The API document, generated from the routes that answer and the types that they answer with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from chalicelib import __version__
from chalicelib.errors import UnmaskError
from chalicelib.schema import Error, describe

# A route may answer with these whatever it does.
_ALWAYS: tuple[type[UnmaskError], ...] = (UnmaskError,)

_DESCRIPTION = (
    "The verdict `no_traces` says that this model found nothing that it knows; it does not say that a picture is "
    "genuine. `GET /v2/model` says what the model knows.\n\n"
    "Every route is served under `/v1/` too, which is deprecated. There the verdict `no_traces` is `uncertain`, with "
    "`no_traces` among the reasons, and `no_traces_below` is called `real_below`. Each answer carries the headers "
    "`Deprecation` (RFC 9745) and `Link`, which names the route under `/v2/`."
)


@dataclass(frozen=True, slots=True)
class Operation:
    """What a route's document needs beyond its path, method, docstring and content types.

    Attributes:
        answers: type of the body by status: a typed dictionary, a media type for a file, None for no body.
        errors: domain errors that it may raise.
        parameters: pattern of each part of the path that varies.
        body: type of the body that is sent; None for the bytes of a file.
        query: type of each value that may be asked with, by name.
        headers: type of each header that must be sent, by name.
    """

    answers: Mapping[int, Any]
    errors: tuple[type[UnmaskError], ...] = ()
    parameters: Mapping[str, str] | None = None
    body: Any = None
    query: Mapping[str, Any] | None = None
    headers: Mapping[str, Any] | None = None


class Route(Protocol):
    """A route as the web framework knows it."""

    view_function: Callable[..., Any]
    view_name: str
    content_types: list[str]


def document(routes: Mapping[str, Mapping[str, Route]], operations: Mapping[str, Operation]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document.

    Args:
        routes: by path, then by HTTP method; first line of a view's docstring is the summary.
        operations: by view name.

    Raises:
        KeyError: a route was left undescribed.
    """
    components: dict[str, Any] = {}
    paths = {
        path: {
            method.lower(): _operation(method, route, operations[route.view_name], components)
            for method, route in methods.items()
        }
        for path, methods in routes.items()
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Unmask",
            "version": __version__,
            "summary": "Tells whether a face in a picture looks machine-made or manipulated.",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(method: str, route: Route, operation: Operation, components: dict[str, Any]) -> dict[str, Any]:
    summary, _, description = (route.view_function.__doc__ or route.view_name).strip().partition("\n\n")
    described: dict[str, Any] = {"operationId": route.view_name, "summary": summary}
    if description:
        described["description"] = " ".join(description.split())
    parameters = [*_parameters(operation, components)]
    if parameters:
        described["parameters"] = parameters
    if method == "POST":
        # An empty schema is OpenAPI 3.1's way to say "raw bytes".
        media = {} if operation.body is None else {"schema": describe(operation.body, components)}
        described["requestBody"] = {"required": True, "content": dict.fromkeys(route.content_types, media)}
    described["responses"] = _answers(operation, components) | _refusals(operation, components)
    return described


def _parameters(operation: Operation, components: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, pattern in (operation.parameters or {}).items():
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": pattern}}
    for place, kinds in (("query", operation.query), ("header", operation.headers)):
        for name, kind in (kinds or {}).items():
            schema = describe(kind, components)
            yield {"name": name, "in": place, "required": place == "header", "schema": schema}


def _answers(operation: Operation, components: dict[str, Any]) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, kind in operation.answers.items():
        if kind is None:
            answers[str(status)] = {"description": "Done; no body."}
        elif isinstance(kind, str):
            answers[str(status)] = {"description": "A file.", "content": {kind: {}}}
        else:
            schema = describe(kind, components)
            described = (kind.__doc__ or "").strip() if isinstance(kind, type) else ""
            answers[str(status)] = {
                "description": described if "$ref" in schema else "A JSON document.",
                "content": {"application/json": {"schema": schema}},
            }
    return answers


def _refusals(operation: Operation, components: dict[str, Any]) -> dict[str, Any]:
    meanings = defaultdict(list)
    for error in (*operation.errors, *_ALWAYS):
        meanings[error.status].append(f"`{error.code}`: {_first_line(error)}")
    schema = describe(Error, components)
    return {
        str(status): {"description": " ".join(lines), "content": {"application/json": {"schema": schema}}}
        for status, lines in sorted(meanings.items())
    }


def _first_line(error: type[UnmaskError]) -> str:
    if error is UnmaskError:
        return "Something went wrong on our side."
    return (error.__doc__ or "").strip().splitlines()[0]
