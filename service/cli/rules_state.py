"""What `rules explain --state` knows of a room before the event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rules.event import whole_participant, whole_room
from rules.session import Session
from service.cli.commands import Failure

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from rules.event import Event, Fields
    from rules.ruleset import Ruleset


@dataclass(frozen=True, slots=True)
class State:
    """A room as it is before the event."""

    session: Session
    live: frozenset[str] = frozenset()
    """Ids of rules whose agents are live, whatever for."""

    def claims(self, ruleset: Ruleset, event: Event) -> dict[str, str]:
        """What those agents hold of what an event could claim, and their rules."""
        return {
            claim.key: rule.id
            for rule in ruleset.rules
            if rule.id in self.live
            for claim, _ in rule.claims(event)
        }


def read_state(given: Mapping[str, Any], room_sid: str, where: str, rules: Container[str]) -> State:
    """Read `{"room": {…}, "participants": [{…}], "live": ["rule-id"]}`, each optional.

    Raises:
        Failure: something else is in it.
    """
    unknown = set(given) - {"room", "participants", "live"}
    if unknown:
        raise Failure(
            f"{where}: unknown {min(unknown)!r}; a state has room, participants and live", 2
        )
    room, people = given.get("room"), given.get("participants", [])
    live = given.get("live", [])
    if not isinstance(people, list) or not all(isinstance(p, dict) for p in people):
        raise Failure(f"{where}: 'participants' is a list of participants", 2)
    if not isinstance(live, list) or not all(isinstance(rule, str) for rule in live):
        raise Failure(f"{where}: 'live' is a list of rules' ids", 2)
    for rule in live:
        if rule not in rules:
            raise Failure(f"{where}: 'live' names {rule!r}, and there is no such rule", 2)
    if room is not None and not isinstance(room, dict):
        raise Failure(f"{where}: 'room' is a room", 2)
    try:
        session = Session(
            sid=room_sid,
            room=whole_room(room) if room is not None else None,
            participants=_present(people),
        )
    except (ValueError, RecursionError) as error:
        raise Failure(f"{where}: {error}", 2) from None
    return State(session, frozenset(live))


def _present(people: Iterable[Mapping[str, Any]]) -> dict[str, Fields]:
    present: dict[str, Fields] = {}
    for number, person in enumerate(people):
        whole = dict(whole_participant(person))
        whole["sid"] = whole["sid"] or f"PA_{number}"
        present[whole["sid"]] = whole
    return present
