"""One rule, compiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rules.decision import Again, Claim, Once

if TYPE_CHECKING:
    from rules.agents_are import AgentsAre
    from rules.conditions import Check
    from rules.event import Event
    from rules.expression import Expression
    from rules.index import RoomNames
    from rules.ladder import Ladder
    from rules.limit import Limit
    from rules.problems import Mark
    from rules.schedule import Schedules


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it is evaluated: nothing of its file is left to interpret."""

    id: str
    mark: Mark
    description: str
    enabled: bool
    on: tuple[str, ...]
    when: Check | None
    unless: Check | None
    expression: Expression | None
    """What stands behind `if`."""
    schedule: Schedules | None
    once: Once
    again: Again
    remembered: bool
    """Whether its accepted dispatches are remembered: `again: never` of it or of its group."""
    group: str | None
    limit: Limit | None
    after: float
    """Seconds."""
    rooms: RoomNames | None
    """The only names of rooms its `when` can hold for; None if it may be any."""
    named_kinds: frozenset[str]
    """Guarded kinds of participants whose events it asks for by name."""
    agents_are: AgentsAre
    """How it tells VideoSDK's agents from people."""
    shadow: bool
    """Decided and recorded, not dispatched."""
    dispatches: tuple[Ladder, ...]
    asked: Any
    """Its `when` as written, as JSON; None without one."""
    can_fail: bool
    """Whether it has templates, which may find something absent."""

    @property
    def owner(self) -> str:
        """Whom its claims belong to: itself, or its group."""
        return f"group:{self.group}" if self.group is not None else self.id

    def claims(self, event: Event) -> tuple[tuple[Claim, Ladder], ...]:
        """What each of its dispatches takes; nothing if the event lacks what `once` needs."""
        subject = _subject(self.once, event)
        if not subject:
            return ()
        owner = self.owner
        return tuple((Claim(owner, d.position, self.once, subject), d) for d in self.dispatches)


def is_remembered(once: Once, again: Again) -> bool:
    """Whether accepted dispatches must be remembered: an event is decided once in any case, and a
    room may have very many of them.
    """
    return again is Again.NEVER and once is not Once.EVENT


def _subject(once: Once, event: Event) -> str:
    match once:
        case Once.ROOM:
            return event.room_name
        case Once.PARTICIPANT:
            return str((event.participant or {}).get("identity") or "")
        case Once.EVENT:
            return event.id
