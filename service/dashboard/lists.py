"""Lists of what was: their filters, as they stand in a page's address, and their pages."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rules.durations import parse_duration
from workers.pages import BadCursor, Page
from workers.states import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PRODUCTION: Final = "production"
BY_HAND: Final = "by hand"
"""How pages call a dispatch that no rule has made; a rule's id has no space."""
_PAGE: Final = 50
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
            "deployment": self.deployment,
        }  # fmt: skip
        found = {name: value for name, value in asked.items() if value}
        if self.deployment == PRODUCTION:
            found["deployment"] = ""
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
