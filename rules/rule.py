"""One rule, compiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.decision import Claim, Once

if TYPE_CHECKING:
    from rules.conditions import Check
    from rules.dispatch import Dispatch
    from rules.event import Event
    from rules.index import RoomNames
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
    schedule: Schedules | None
    once: Once
    rooms: RoomNames | None
    """The only names of rooms its `when` can hold for; None if it may be any."""
    named_kinds: frozenset[str]
    """Guarded kinds of participants whose events it asks for by name."""
    shadow: bool
    """Decided and recorded, not dispatched."""
    dispatches: tuple[Dispatch, ...]

    def claims(self, event: Event) -> tuple[tuple[Claim, Dispatch], ...]:
        """What each of its dispatches takes; nothing if the event lacks what `once` needs."""
        subject = _subject(self.once, event)
        if not subject:
            return ()
        return tuple((Claim(self.id, d.position, self.once, subject), d) for d in self.dispatches)


def _subject(once: Once, event: Event) -> str:
    match once:
        case Once.ROOM:
            return event.room_name
        case Once.PARTICIPANT:
            return str((event.participant or {}).get("identity") or "")
        case Once.EVENT:
            return event.id
