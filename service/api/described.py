"""What a route takes and answers, said beside it: the OpenAPI document is made of this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from flask import Response

from service import problems

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from service.problems import Kind

V = TypeVar("V", bound="Callable[..., object]")

_AT: Final = "described"


@dataclass(frozen=True, slots=True)
class Described:
    """A route, but for its path and method."""

    answer: type[BaseModel]
    status: int = 200
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_required: bool = True
    problems: tuple[Kind, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    """Request headers that it reads, and what each means."""
    also: tuple[int, ...] = ()
    """Other statuses with the same answer."""
    is_open: bool = False
    """Whether it needs no token."""
    media: str = "application/json"
    """The content type of its answer."""


def described(told: Described) -> Callable[[V], V]:
    """Say of a view what it takes and answers."""

    def mark(view: V) -> V:
        view.__dict__[_AT] = told
        return view

    return mark


def description_of(view: Callable[..., object]) -> Described | None:
    """What was said of a view."""
    found = view.__dict__.get(_AT)
    return found if isinstance(found, Described) else None


def answer(
    value: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A model as a response."""
    return Response(value.model_dump_json(), status, headers, content_type="application/json")


STORE: Final = (problems.STORE_UNREACHABLE,)
"""What every route that reads Redis may answer."""
