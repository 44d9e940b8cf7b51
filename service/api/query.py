"""Query values: read into a model, and refused with the name, the value and what is allowed."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from flask import request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from rules.durations import parse_duration
from rules.problems import nearest, quoted
from service import problems
from service.problems import Problem
from workers.pages import BadCursor, Page
from workers.states import State

if TYPE_CHECKING:
    from collections.abc import Callable

MOST: Final = 1000
"""Items of a page."""

_LIMIT: Final = re.compile(r"[1-9][0-9]{0,2}|1000")

Q = TypeVar("Q", bound=BaseModel)


def _since(text: object) -> object:
    """Unix seconds of a time, or of a duration before now."""
    try:
        return (datetime.now(UTC) - parse_duration(str(text))).timestamp()
    except (ValueError, OverflowError):
        pass
    try:
        when = datetime.fromisoformat(str(text))
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError("it must be a duration such as 1h, or a time in RFC 3339") from None


def _state(text: object) -> object:
    if text not in set(State):
        raise ValueError(f"it must be one of {', '.join(State)}")
    return State(str(text))


def _limit(text: object) -> object:
    if not _LIMIT.fullmatch(str(text)):
        raise ValueError(f"it must be a whole number from 1 to {MOST}")
    return int(str(text))


Limit = Annotated[int, BeforeValidator(_limit), Field(ge=1, le=MOST)]
Since = Annotated[
    float,
    BeforeValidator(_since),
    Field(
        json_schema_extra={"type": "string", "description": "A duration, or a time in RFC 3339."}
    ),
]


class Query(BaseModel):
    """Query values that belong together."""

    model_config = ConfigDict(extra="forbid")


class LimitQuery(Query):
    """How many of a list."""

    limit: Limit = 50


class PageQuery(LimitQuery):
    """Which page of a list."""

    cursor: str | None = Field(None, description="`next` of the page before.")


class DispatchesQuery(PageQuery):
    """Which dispatches."""

    room: str | None = None
    agent: str | None = None
    deployment: str | None = Field(None, description='"" is production.')
    rule: str | None = Field(None, description='"": by hand.')
    state: Annotated[State, BeforeValidator(_state)] | None = None
    since: Since | None = None


class EventsQuery(PageQuery):
    """Which events."""

    room: str | None = None
    since: Since | None = None


class RoomsQuery(PageQuery):
    """Which rooms."""

    name: str | None = Field(None, description="A part of their names.")


class ProjectQuery(Query):
    """Which server."""

    project: str | None = Field(None, description="An API key of the server that is meant.")


def read_query(model: type[Q]) -> Q:
    """The query values of this request.

    Raises:
        Problem: one is unknown, given twice, or not allowed.
    """
    given: dict[str, Any] = {}
    for name, values in request.args.lists():
        if name not in model.model_fields:
            hint = nearest(name, model.model_fields)
            raise Problem(problems.BAD_QUERY, f"There is no query value {quoted(name)}{hint}.")
        if len(values) > 1:
            raise Problem(problems.BAD_QUERY, f"{name} is given {len(values)} times: give it once.")
        given[name] = values[0]
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        cause = first.get("ctx", {}).get("error")
        words = str(cause) if isinstance(cause, ValueError) else first["msg"]
        name = str(first["loc"][0])
        detail = f"{name}={quoted(str(given.get(name, '')))} is not allowed: {words}."
        raise Problem(problems.BAD_QUERY, detail) from None


def page_of(read: Callable[..., Page], model: type[PageQuery]) -> Page:
    """The page that this request asks for, of what takes the model's fields.

    Raises:
        Problem: a query value is not allowed, or its cursor is none that a page gave.
    """
    asked = read_query(model)
    try:
        return read(**asked.model_dump())
    except BadCursor:
        given = quoted(asked.cursor or "")
        told = f"cursor={given} is not allowed: it must be the 'next' of a page."
        raise Problem(problems.BAD_QUERY, told) from None
