"""`/api/v1/openapi.json`: every route in OpenAPI 3.1, from what is said beside each view."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, current_app, json
from pydantic.json_schema import models_json_schema

from service.access import READING
from service.api.described import Described, description_of
from service.api.models import ProblemDocument
from service.problems import (
    CSRF,
    INTERNAL,
    READ_ONLY,
    TOKEN_INVALID,
    TOKEN_MISSING,
    TOO_MANY_ATTEMPTS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask
    from pydantic import BaseModel
    from pydantic.json_schema import JsonSchemaMode
    from werkzeug.routing import Rule

    from service.problems import Kind

    _Schemas = dict[tuple[type[BaseModel], JsonSchemaMode], dict[str, Any]]

_REF: Final = "#/components/schemas/{model}"
_PARAMETER: Final = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
_METHODS: Final = ("GET", "POST", "DELETE")
_GUARDED: Final = (TOKEN_MISSING, TOKEN_INVALID, TOO_MANY_ATTEMPTS)
_CHANGING: Final = (READ_ONLY, CSRF)


def openapi() -> Blueprint:
    """The route of the document."""
    routes = Blueprint("openapi", __name__)

    @routes.get("/openapi.json")
    def document() -> Response:
        app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Flask's documented way to the app itself
        return Response(_document_of(app), content_type="application/json")

    return routes


@cache
def _document_of(app: Flask) -> str:
    return json.dumps(openapi_document(app))


def openapi_document(app: Flask) -> dict[str, Any]:
    """The OpenAPI document of an application: of each view that says what it takes and answers."""
    told = list(_told(app))
    schemas, definitions = _schemas([each for *_, each in told])
    paths: dict[str, dict[str, Any]] = {}
    for rule, method, described in told:
        path = _PARAMETER.sub(r"{\1}", rule.rule)
        view = app.view_functions[rule.endpoint]
        operation = _operation(rule, method, described, schemas)
        summary, _, more = cleandoc(view.__doc__ or "").partition("\n\n")
        operation |= {"summary": summary.replace("\n", " ")} | (
            {"description": more} if more else {}
        )
        operation["operationId"] = rule.endpoint.rpartition(".")[2] + f"_{_group(path)}"
        paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "livekit-dispatcher",
            "version": version("livekit-dispatcher"),
            "description": "Errors are RFC 9457 problem documents whose `type` stays the same.",
        },
        "security": [{"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "DISPATCHER_ADMIN_TOKEN, or to read DISPATCHER_VIEWER_TOKEN",
                }
            },
            "schemas": definitions,
        },
    }


def _told(app: Flask) -> Iterator[tuple[Rule, str, Described]]:
    for rule in app.url_map.iter_rules():
        described = description_of(app.view_functions[rule.endpoint])
        for method in sorted(rule.methods or ()):
            if described is not None and method in _METHODS:
                yield rule, method, described


def _group(path: str) -> str:
    return path.split("/")[3] if path.startswith("/api/v1/") else path.strip("/").replace("/", "_")


def _schemas(
    told: list[Described],
) -> tuple[_Schemas, dict[str, Any]]:
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {
        (ProblemDocument, "serialization"): None
    }
    for each in told:
        wanted[each.answer, "serialization"] = None
        for asked in (each.query, each.body):
            if asked is not None:
                wanted[asked, "validation"] = None
    by_model, defined = models_json_schema(list(wanted), ref_template=_REF)
    schemas = {(model, mode): by_model[model, mode] for model, mode in wanted}
    return schemas, defined.get("$defs", {})


def _operation(rule: Rule, method: str, told: Described, schemas: _Schemas) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1},
        }
        for name in _PARAMETER.findall(rule.rule)
    ]
    if told.query is not None:
        properties = told.query.model_json_schema(mode="validation", ref_template=_REF)[
            "properties"
        ]
        for name, schema in properties.items():
            parameters.append({"name": name, "in": "query", "schema": _plain(schema)})
    for name, meaning in told.headers:
        parameters.append(
            {"name": name, "in": "header", "schema": {"type": "string"}, "description": meaning}
        )
    operation: dict[str, Any] = {"parameters": parameters} if parameters else {}
    if told.body is not None:
        schema = schemas[told.body, "validation"]
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": told.body_required, "content": content}
    schema = schemas[told.answer, "serialization"]
    answers = {
        str(status): _answer(told.answer.__doc__, schema, told.media)
        for status in (told.status, *told.also)
    }
    problem = schemas[ProblemDocument, "serialization"]
    guarded = () if told.is_open else _GUARDED if method in READING else (*_GUARDED, *_CHANGING)
    for status, kinds in _by_status((*told.problems, *guarded, INTERNAL)).items():
        words = "; ".join(f"`{kind.slug}`: {kind.title}" for kind in kinds)
        answers[str(status)] = _answer(words, problem, "application/problem+json")
    if told.is_open:
        operation["security"] = []
    operation["responses"] = dict(sorted(answers.items()))
    return operation


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a query value: one that is not given is simply absent, never null."""
    given = {k: v for k, v in schema.items() if k not in ("title", "anyOf", "default")}
    choices = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    default = {"default": schema["default"]} if schema.get("default") is not None else {}
    return {**(choices[0] if choices else {}), **given, **default}


def _by_status(kinds: tuple[Kind, ...]) -> dict[int, list[Kind]]:
    found: dict[int, list[Kind]] = {}
    for kind in dict.fromkeys(kinds):
        found.setdefault(kind.status, []).append(kind)
    return found


def _answer(
    description: str | None, schema: dict[str, Any], kind: str = "application/json"
) -> dict[str, Any]:
    told = cleandoc(description or "").replace("\n", " ")
    return {"description": told, "content": {kind: {"schema": schema}}}
