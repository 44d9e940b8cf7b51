"""What a listing of a room shows that its record does not know: the webhooks that were lost.

Pure: from a record and a listing to the events that tell of the difference, in the order they must
have come. What is absent from a listing has left only when a second listing, later, agrees; a room
or a participant that is only just coming or going looks like that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rules.event import LEAVING, OURS, VIDEOSDK, EventName
from rules.frozen import replace
from rules.loop_guard import GUARDED_KINDS
from rules.session import agent_name
from workers.dispatch import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rules.event import Event, Fields
    from rules.ruleset import Ruleset
    from rules.session import Session
    from workers.providers.base import Snapshot
    from workers.record import Record

ID_PREFIX: Final = "lkd."
"""Ids of events that no webhook has told begin so."""
REPLAY: Final = ".replay."
"""Ids of events that somebody runs again have this in them."""
MOST_TOLD: Final = 256
ROOM: Final = ""
"""Stands for the room itself among what is missing."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What is not as the record has it."""

    events: tuple[dict[str, Any], ...] = ()
    """As inbox entries keep them."""
    missing: frozenset[str] = frozenset()
    """Sids of participants that were not listed this time, `ROOM` for the room."""

    def __bool__(self) -> bool:
        return bool(self.events or self.missing)


@dataclass(frozen=True, slots=True)
class Watched:
    """Whether rules ask for changes in a room that no webhook tells of, and of whom."""

    room: bool = False
    people: bool = False
    kinds: frozenset[str] = frozenset()
    """Guarded kinds whose participants some rule asks for too."""


def watched(ruleset: Ruleset, room: str) -> Watched:
    """What rules watch in a room of this name."""
    about_people = ruleset.index.concerned(EventName.PARTICIPANT_CHANGED, room)
    return Watched(
        room=bool(ruleset.index.concerned(EventName.ROOM_CHANGED, room)),
        people=bool(about_people),
        kinds=frozenset(kind for rule in about_people for kind in rule.named_kinds),
    )


def drift(
    record: Record, name: str, listing: Snapshot, now: float, watching: Watched, project: str
) -> Drift:
    """Compare a room's record with a listing of it.

    Args:
        record: of the room.
        name: the room's.
        listing: what LiveKit shows.
        now: of the listing, Unix seconds.
        watching: what rules ask for.
        project: the API key the listing was asked with.
    """
    session = record.session
    if listing.room is None:
        if session is None or session.ended:
            return Drift()
        finished = _event(EventName.ROOM_FINISHED, {"sid": session.sid, "name": name}, now, project)
        gone = (finished,) if ROOM in record.missing else ()
        return Drift(gone, frozenset({ROOM}))
    sid = str(listing.room["sid"])
    if sid in record.past or (session is not None and session.ended and session.sid == sid):
        return Drift()
    if session is None or session.sid != sid:
        return Drift(tuple(_all_of_it(listing, listing.room, now, project)))
    return Drift(
        tuple(_changes(record, session, listing, listing.room, now, watching, project)),
        _missing(record, session, listing),
    )


def _all_of_it(
    listing: Snapshot, room: Fields, now: float, project: str
) -> Iterator[dict[str, Any]]:
    yield _event(EventName.ROOM_STARTED, room, now, project)
    for participant in listing.participants:
        yield _event(EventName.PARTICIPANT_JOINED, room, now, project, participant)


def _changes(
    record: Record,
    session: Session,
    listing: Snapshot,
    room: Fields,
    now: float,
    watching: Watched,
    project: str,
) -> Iterator[dict[str, Any]]:
    if not record.started:
        yield _event(EventName.ROOM_STARTED, room, now, project)
    elif watching.room and room["metadata"] != (session.room or room)["metadata"]:
        yield _event(EventName.ROOM_CHANGED, room, now, project)
    for sid in sorted(_missing(record, session, listing)):
        if sid in record.missing:
            left = _as_known(record, session, sid)
            yield _event(EventName.PARTICIPANT_LEFT, room, now, project, left)
    for participant in listing.participants:
        sid = str(participant["sid"])
        if sid in session.gone:
            continue
        before = session.participants.get(sid)
        if before is None or sid in record.unheard:
            yield _event(EventName.PARTICIPANT_JOINED, room, now, project, participant)
        elif watching.people and _has_changed(before, participant, watching):
            yield _event(EventName.PARTICIPANT_CHANGED, room, now, project, participant)


def _missing(record: Record, session: Session, listing: Snapshot) -> frozenset[str]:
    listed = {str(p["sid"]) for p in listing.participants} | listing.joining
    agents = {
        d.agent_sid
        for d in record.dispatches.values()
        if d.state is State.ACTIVE
        and d.agent_sid is not None
        and d.room_sid == session.sid
        and not d.target  # that one is in another room
    }
    return frozenset((session.participants.keys() | agents) - listed - session.gone.keys())


def _as_known(record: Record, session: Session, sid: str) -> Fields:
    """A participant who has left, as last known."""
    known = session.participants.get(sid)
    if known is None:
        identity = next(d.agent_identity for d in record.dispatches.values() if d.agent_sid == sid)
        known = {"sid": sid, "identity": identity, "kind": "AGENT"}
    return {**known, "disconnect_reason": "UNKNOWN_REASON"}


def _has_changed(before: Fields, after: Fields, watching: Watched) -> bool:
    if after["kind"] in GUARDED_KINDS and after["kind"] not in watching.kinds:
        return False
    return any(before.get(key) != after.get(key) for key in ("metadata", "attributes"))


def strangers(record: Record, listing: Snapshot) -> dict[str, str]:
    """Agents that are there and that no dispatch of ours is known by: sid and name."""
    ours = {d.agent_identity for d in record.dispatches.values()}
    return {
        str(p["sid"]): agent_name(p)
        for p in listing.participants
        if p.get("kind") == "AGENT" and p["identity"] not in ours
    }


def _event(
    name: EventName, room: Fields, now: float, project: str, participant: Fields | None = None
) -> dict[str, Any]:
    """An event as a webhook would have told it. Its id follows from what it tells."""
    told: dict[str, Any] = {"event": str(name), "created_at": now, "project": project, "room": room}
    about = [str(name), str(room["sid"])]
    if participant is not None:
        told["participant"] = participant
        about.append(str(participant["sid"]))
    if name in (EventName.ROOM_CHANGED, EventName.PARTICIPANT_CHANGED):
        about.append(str(int(now * 1000)))
    return {"id": ID_PREFIX + ".".join(about), **told}


def is_told(record: Record, event: Event) -> bool:
    """Whether a listing has told before what a webhook tells now: that has been decided.

    What somebody runs again is decided again.
    """
    if event.source == VIDEOSDK and event.participant is not None:  # one sid for all visits
        session = record.session
        is_same = session is not None and session.sid == event.room_sid
        there = session.participants if session is not None and is_same else {}
        is_here = event.participant.get("sid") in there
        return event.name == EventName.PARTICIPANT_JOINED and is_here and REPLAY not in event.id
    return bool(record.told) and REPLAY not in event.id and _told(event) in record.told


def with_told(record: Record, event: Event) -> Record:
    """The record when an event of a listing is decided: the webhook may still come."""
    if not event.id.startswith(ID_PREFIX) or event.name in OURS:
        return record
    return replace(record, told=(*record.told, _told(event))[-MOST_TOLD:])


def _told(event: Event) -> str:
    name = EventName.PARTICIPANT_LEFT if event.name in LEAVING else event.name
    about = event.participant if event.participant is not None else event.room
    return f"{name}:{(about or {}).get('sid')}"
