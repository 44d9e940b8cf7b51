"""Lists of what was: their filters, as they stand in a page's address, and their pages."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from rules.durations import parse_duration
from service.dashboard.deployments import deployment_of
from workers.pages import BadCursor, Page
from workers.states import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_T = TypeVar("_T")
BY_HAND: Final = "by hand"
"""How pages call a dispatch that no rule has made; a rule's id has no space."""
_PAGE: Final = 50
_LONGEST_NUMBER: Final = 9
_ROUNDS: Final = 8
"""A page of history may be short where few match: so many are asked for, to fill one of ours."""


class BadFilter(ValueError):
    """A filter's value is not allowed; the text says what is."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list of calls was asked for, as it was typed."""

    state: str = ""
    agent: str = ""
    deployment: str = ""
    rule: str = ""
    room: str = ""
    since: str = ""
    cursor: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Filters:
        """Those of an address."""
        return cls(**{name: query.get(name, "").strip() for name in cls.__slots__})

    def asked(self) -> dict[str, Any]:
        """As `Ledger.dispatches` takes them.

        Raises:
            BadFilter: one is not allowed.
        """
        if self.state and self.state not in set(State):
            raise BadFilter(f"There is no state “{self.state}”: {', '.join(State)}.")
        asked: dict[str, Any] = {
            "state": self.state, "agent": self.agent, "rule": self.rule, "room": self.room,
        }  # fmt: skip
        found = {name: value for name, value in asked.items() if value}
        if self.deployment:
            found["deployment"] = deployment_of(self.deployment)
        if self.rule == BY_HAND:
            found["rule"] = ""
        return {**found, "since": since(self.since)}

    @property
    def query(self) -> dict[str, str]:
        """What of it stands in an address, but where the page begins."""
        names = (name for name in self.__slots__ if name != "cursor")
        return {name: value for name in names if (value := getattr(self, name))}


def since(text: str) -> float | None:
    """A length of time, such as `1h`, as the Unix seconds it reaches back to.

    Raises:
        BadFilter: it is none.
    """
    if not text:
        return None
    try:
        return time.time() - parse_duration(text).total_seconds()
    except (ValueError, OverflowError):
        raise BadFilter(f"“{text}” is no length of time: 10m, 2h or 7d.") from None


def filled(read: Callable[..., Page], cursor: str, **asked: Any) -> Page:  # noqa: ANN401 - what the ledger takes
    """A page of ours, from as many of history's as it takes.

    Raises:
        BadFilter: the cursor is none.
    """
    items: list[dict[str, Any]] = []
    behind: str | None = cursor or None
    for _ in range(_ROUNDS):
        try:
            page = read(limit=_PAGE - len(items), cursor=behind, **asked)
        except BadCursor:
            raise BadFilter("This page’s address is not whole: begin at the first page.") from None
        items += page.items
        behind = page.next
        if behind is None or len(items) >= _PAGE:
            break
    return Page(items, behind)


@dataclass(frozen=True, slots=True)
class Numbered(Generic[_T]):
    """A page of a list that is at hand as a whole. `number` counts from 1 to `last`."""

    items: Sequence[_T]
    number: int
    last: int


def numbered(items: Sequence[_T], asked: str, most: int) -> Numbered[_T]:
    """The page of that number, of at most so many; the last one where there are fewer now.

    Raises:
        BadFilter: it is no number of a page.
    """
    is_number = asked.isascii() and asked.isdigit() and len(asked) <= _LONGEST_NUMBER
    if asked and not (is_number and int(asked)):
        raise BadFilter(f"“{asked}” is no page: they are numbered from 1.")
    last = max(1, -(-len(items) // most))
    number = min(int(asked or 1), last)
    return Numbered(items[(number - 1) * most : number * most], number, last)
