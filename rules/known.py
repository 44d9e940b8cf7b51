"""What is known of dispatches when an event is decided."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rules.decision import Provider

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping


def _none(rule: str, per: str) -> int:  # noqa: ARG001 - the shape of a count
    return 0


@dataclass(frozen=True, slots=True)
class Known:
    """The dispatches there are. Claims are told by their keys, within the event's session."""

    live: Mapping[str, str] = field(default_factory=dict)
    """Claims that have a live dispatch, and the rules that hold them."""
    accepted: Container[str] = ()
    """Claims for which a dispatch has been accepted, live or not: enough for `again: never`."""
    held: Container[tuple[str, str]] = ()
    """Rules and claims whose agent somebody has sent away by hand: none is sent again."""
    present: Container[str] = ()
    """Names of agents that are there or on their way without these rules, where that counts."""
    active: Callable[[str, str], int] = _none
    """How many live dispatches a rule has over all rooms, by a rendered `limit.per`."""
    providers: Container[Provider] = frozenset({Provider.LIVEKIT})
    """Those that can be called."""
    paused: Container[str] = ()
    """Ids of rules that send nobody for now, whatever they match; `EVERY_RULE` for all."""


EVERY_RULE: Final = "*"
"""No rule's id."""
NOTHING: Final = Known()
