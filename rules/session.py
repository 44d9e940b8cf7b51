"""What is known of one session of a room: who is there, who has gone, whether it is over.

A session is one life of a room name, named by its sid. The same name with a new sid is another
session. `observe` is the only way a session changes; it never looks at rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rules.event import (
    PARTIAL,
    VIDEOSDK,
    Event,
    EventName,
    Fields,
    is_human,
    whole_participant,
    whole_room,
)
from rules.frozen import replace
from rules.kept_parts import whole, with_defaults, without_defaults

if TYPE_CHECKING:
    from collections.abc import Mapping


TOMBSTONES: Final = 256
"""How many who left are remembered: a room may be open for weeks, an event is minutes late."""


@dataclass(frozen=True)
class Session:
    """One life of a room, as the events so far have told it."""

    sid: str
    room: Fields | None = None
    """The room as an event last carried it whole; None until one has."""
    participants: Mapping[str, Fields] = field(default_factory=dict)
    """Who is present, by participant sid."""
    gone: Mapping[str, str] = field(default_factory=dict)
    """The last who left, by participant sid, and their kinds: one that left never joins again,
    however late its events come, and its last tracks may end after it.
    """
    ended: bool = False

    @property
    def humans(self) -> tuple[str, ...]:
        """Identities of the humans present."""
        return tuple(str(p["identity"]) for p in self.participants.values() if is_human(p))

    @property
    def agents(self) -> tuple[str, ...]:
        """Names of the agents present; `""` for one that does not tell its name."""
        return tuple(agent_name(p) for p in self.participants.values() if p.get("kind") == "AGENT")

    def present(self, identity: str) -> bool:
        """Whether somebody with this identity is in the room."""
        return any(p.get("identity") == identity for p in self.participants.values())

    def to_json(self) -> dict[str, Any]:
        """The session as it is stored; `from_json` reads it back."""
        given: dict[str, Any] = {"sid": self.sid}
        if self.room is not None:
            room = {**without_defaults("room", self.room), "sid": self.room.get("sid")}
            if room["sid"] == self.sid:
                del room["sid"]
            given["room"] = room
        if self.participants:
            given["participants"] = {
                sid: without_defaults("participant", p) for sid, p in self.participants.items()
            }
        if self.gone:
            given["gone"] = dict(self.gone)
        if self.ended:
            given["ended"] = True
        return given

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Session:
        """Read what `to_json` wrote."""
        room, participants = given.get("room"), given.get("participants", {})
        return cls(
            sid=given["sid"],
            room=with_defaults("room", {"sid": given["sid"], **room}) if room is not None else None,
            participants={sid: with_defaults("participant", p) for sid, p in participants.items()},
            gone=dict(given.get("gone", {})),
            ended=given.get("ended", False),
        )


def observe(session: Session, event: Event) -> tuple[Session, Event]:
    """Apply an event to the session it belongs to.

    Returns:
        The session after the event, and the event filled in from it: track events learn their
        room and participant, egress and ingress events their room. What neither knows stays
        absent.
    """
    session = _presence(_room_seen(session, event), event)
    room, participant = event.room, event.participant
    if event.name in PARTIAL:
        room = _known(session.room, room)
        participant = _known(_on_record(session, event), participant)
    elif room is None and (event.egress_info is not None or event.ingress_info is not None):
        room = session.room
    return session, event.carrying(room=room, participant=participant)


def agent_name(participant: Fields) -> str:
    """The name an agent was dispatched by, from the attribute its worker sets; `""` if none."""
    attributes = participant.get("attributes") or {}
    return str(attributes.get("lk.agent_name", attributes.get("lk.agent.name", "")))


def joined_at(participant: Fields, otherwise: float) -> float:
    """When somebody has joined, Unix seconds, as exactly as it is told."""
    exact = participant.get("joined_at_ms")
    return int(exact) / 1000 if exact else float(participant.get("joined_at") or otherwise)


def _known(recorded: Fields | None, carried: Fields | None) -> Fields | None:
    return {**(carried or {}), **recorded} if recorded is not None else carried


def _on_record(session: Session, event: Event) -> Fields | None:
    """What is known of the participant of a track event; of one who has left, just the kind."""
    sid = _sid(session, event)
    if sid in session.participants:
        return session.participants[sid]
    return {"kind": session.gone[sid]} if sid in session.gone else None


def _sid(session: Session, event: Event) -> str:
    """The participant's sid. An event written by hand may tell the identity only."""
    participant = event.participant or {}
    sid, identity = str(participant.get("sid") or ""), participant.get("identity")
    if sid or not identity:
        return sid
    present = (s for s, p in session.participants.items() if p["identity"] == identity)
    return next(present, f"{identity}'s")


def _room_seen(session: Session, event: Event) -> Session:
    if event.room is None or "creation_time" not in event.room:
        return session
    return replace(session, room=whole_room(event.room))


def _presence(session: Session, event: Event) -> Session:
    if event.name == EventName.ROOM_FINISHED:
        return replace(
            session, ended=True, participants={}, gone=_gone(session, session.participants)
        )
    sid = _sid(session, event)
    if not sid or event.participant is None:
        return session
    match event.name:
        case EventName.PARTICIPANT_JOINED if sid not in session.gone and not session.ended:
            joined = whole("participant", whole_participant(event.participant))
            return replace(session, participants={**session.participants, sid: joined})
        case EventName.PARTICIPANT_CHANGED if sid in session.participants:
            changed = whole("participant", whole_participant(event.participant))
            return replace(session, participants={**session.participants, sid: changed})
        case EventName.PARTICIPANT_LEFT | EventName.PARTICIPANT_CONNECTION_ABORTED:
            remaining = {s: p for s, p in session.participants.items() if s != sid}
            leaver = session.participants.get(sid, event.participant)
            left = {sid: leaver} if event.participant.get("sid") and _is_visit(event) else {}
            return replace(session, participants=remaining, gone=_gone(session, left))
        case _:
            return session


def _is_visit(event: Event) -> bool:
    """Whether the sid is of one visit: VideoSDK's participants keep theirs when they come again."""
    return event.source != VIDEOSDK


def _gone(session: Session, leavers: Mapping[str, Fields]) -> Mapping[str, str]:
    kinds = {sid: str(leaver.get("kind", "STANDARD")) for sid, leaver in leavers.items()}
    return dict(list({**session.gone, **kinds}.items())[-TOMBSTONES:])
