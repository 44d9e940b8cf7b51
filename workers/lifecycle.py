"""What an event means for the room's record before any rule is asked.

Sessions begin and end, agents come and go, and the dispatches they belong to move on. Pure: from a
record and an event to the next record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rules.decision import Reason
from rules.event import LEAVING, PARTIAL, VIDEOSDK, Event, EventName
from rules.frozen import replace
from rules.session import Session, agent_name, joined_at, observe
from workers import releases
from workers.dispatch import Dispatch, State, Step
from workers.drift import with_told
from workers.record import TOMBSTONES, Record, SeenAgent
from workers.removal import heard
from workers.restarts import OWN_END, left

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rules.event import Fields
    from rules.release import Release
    from workers.providers.base import Snapshot


_RECONNECTED: Final = frozenset({"duplicate_identity", "migration"})
"""Why a connection ends when its participant has another one."""
_AWAITED: Final = frozenset({State.REQUESTED, State.PENDING})
HEARD_SECONDS: Final = 1.5
"""An event tells its time in whole seconds: one heard of so soon happened just now."""


class Observed(NamedTuple):
    """The room after an event."""

    record: Record
    event: Event
    """Filled in with what the record knows of its room and participant."""
    session: Session
    """The session the event belongs to: the record's current one, or one that is over."""
    changed: tuple[Dispatch, ...]
    """Dispatches the event itself has moved."""


def apply(
    record: Record,
    event: Event,
    now: float,
    snapshot: Snapshot | None = None,
    *,
    ours: bool = True,
    conditions: Mapping[str, Release] = releases.NONE,
) -> Observed:
    """Apply an event to a room's record.

    Args:
        record: the room before the event.
        event: the event, as it came.
        now: Unix seconds.
        snapshot: what a listing of the room showed just now, if one was needed.
        ours: whether agents that fail are sent again by us; else LiveKit does it.
        conditions: the `release` of dispatches whose rule has conditions there, by their ids.
    """
    session = record.session_of(event)
    if snapshot is not None:
        heard = session.participants.keys()
        session = _from_listing(session, snapshot)
        record = replace(record, unheard=record.unheard | (session.participants.keys() - heard))
    over_before = session.ended
    session, event = observe(session, event)
    if record.session is not None and over_before and session.sid != record.session.sid:
        return Observed(record, event, session, ())  # of an earlier session: nothing here changes
    if not session.sid:  # an ingress without its room: nothing to keep, and nowhere to go
        return Observed(record, event, replace(session, ended=True), ())
    room = _Room(record)
    if record.session is not None and session.sid != record.session.sid:
        _next_session(room, now)
    if session is not room.record.session:
        room.record = replace(room.record, session=session)
    room.record = _heard(with_told(room.record, event), event)
    if session.ended:
        _end(room, now)
        room.record = replace(room.record, agents={}, missing=frozenset(), look_due=None)
    else:
        if (event.participant or {}).get("kind") == "AGENT" and event.participant is not None:
            room.record = _unwanted(room.record, event, now)
            _agent(room, event, event.participant, now, ours=ours)
        room.move(releases.after(room.record.dispatches.values(), event, session, now, conditions))
    return Observed(room.record, event, session, tuple(room.changed.values()))


class _Room:
    """A record on its way through an event, and the dispatches that have changed."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.changed: dict[str, Dispatch] = {}

    def move(self, dispatches: Iterable[Dispatch]) -> None:
        moved = {d.id: d for d in dispatches}
        self.changed |= moved
        self.record = self.record.with_dispatches(moved.values())


def _heard(record: Record, event: Event) -> Record:
    if event.name == EventName.ROOM_STARTED:
        return replace(record, started=True)
    sid = (event.participant or {}).get("sid")
    if event.name == EventName.PARTICIPANT_JOINED and sid in record.unheard:
        return replace(record, unheard=record.unheard - {sid})
    return record


def _from_listing(session: Session, snapshot: Snapshot) -> Session:
    """A listing of another session than this one says only that this one is over."""
    if snapshot.room is None or snapshot.room["sid"] != session.sid:
        return replace(session, ended=True, participants={})
    session = replace(session, ended=False)
    present = {str(p["sid"]): p for p in snapshot.participants if p["sid"] not in session.gone}
    return replace(session, room=snapshot.room, participants={**session.participants, **present})


def _next_session(room: _Room, now: float) -> None:
    """The name has a new session though the last one's end was not heard of, or was."""
    sid = room.record.session.sid if room.record.session is not None else ""
    past = (*room.record.past, sid)[-TOMBSTONES:]
    _end(room, now)
    record = replace(
        room.record,
        past=past,
        agents={},
        accepted=(),
        met=(),
        held=(),
        started=False,
        unheard=frozenset(),
        missing=frozenset(),
        strangers=frozenset(),
        look_due=None,
    )
    room.record = record.with_sweep((), now)


def _end(room: _Room, now: float) -> None:
    """The session is over, and its dispatches are.

    It is remembered which calls may still land under this name, and which agents may still come.
    """
    before = tuple(room.record.dispatches.values())
    here = [d for d in before if not d.apart]
    in_flight = tuple(d.id for d in here if d.called_at is not None or _unsettled(d))
    sweep = tuple(dict.fromkeys((*room.record.sweep, *in_flight)))
    room.move([d.dropped(Reason.ROOM_ENDED.value, now) for d in before])
    room.record = replace(room.record, sweep=sweep).with_stragglers(here, now)


def _unsettled(dispatch: Dispatch) -> bool:
    """Whether its call, or another worker's, may have met another session of the name."""
    owed = dispatch.step in (Step.SETTLE, Step.LOOK_AGAIN)
    return owed or dispatch.state is State.PENDING or dispatch.doubtful


def _unwanted(record: Record, event: Event, now: float) -> Record:
    if not record.unwanted or event.name in PARTIAL:
        return record
    identity = str((event.participant or {}).get("identity", ""))
    here = event.name == EventName.PARTICIPANT_JOINED
    return replace(record, unwanted=heard(record.unwanted, identity, now, here=here))


def _agent(room: _Room, event: Event, participant: Fields, now: float, *, ours: bool) -> None:
    if event.name == EventName.PARTICIPANT_JOINED:
        _came(room, event, participant, now)
    elif event.name in LEAVING:
        # VideoSDK does not say why: one that has finished is not to be taken for one that failed.
        said = str(participant.get("disconnect_reason", "UNKNOWN_REASON")).lower()
        because = OWN_END if event.source == VIDEOSDK else said
        _went(room, event, str(participant["sid"]), because, now, ours=ours)


def _came(room: _Room, event: Event, participant: Fields, now: float) -> None:
    sid, identity = str(participant["sid"]), str(participant["identity"])
    record = room.record
    has_left = record.session is not None and sid in record.session.gone
    again = [
        d.found(sid, now)
        for d in record.dispatches.values()
        if d.state is State.ACTIVE and d.agent_identity == identity and not has_left
    ]
    room.move(again)
    is_kindless = event.source == VIDEOSDK
    name = str(participant.get("name", "")) if is_kindless else agent_name(participant)
    at = joined_at(participant, event.at)  # a look may tell of it much later
    is_late = record.is_straggler(name, at)
    is_awaited = any(d.state in _AWAITED for d in record.dispatches.values())
    if not is_awaited and (again or not is_late):
        return
    seen = SeenAgent(sid, identity, at, name=name)
    if has_left:  # its leaving came first
        seen = replace(seen, left_at=event.at, left_because="unknown_reason")
    agents = {**record.agents, sid: seen}
    room.record = replace(room.record, agents=agents, agents_due=0.0, agents_looks=0)


def _went(room: _Room, event: Event, sid: str, because: str, now: float, *, ours: bool) -> None:
    at = now if now - event.at < HEARD_SECONDS else event.at
    record = room.record
    active = [d for d in record.dispatches.values() if d.state is State.ACTIVE]
    if sid in record.agents and all(d.agent_sid != sid for d in active):
        gone = replace(record.agents[sid], left_at=at, left_because=because)
        room.record = replace(record, agents={**record.agents, sid: gone})
        return
    if record.session is None:
        return
    for d in active:
        if d.agent_sid != sid or d.step is Step.WITHDRAW:
            continue
        if because in _RECONNECTED:
            room.move([d.reconnecting(because, now)])
            continue
        outcome = left(d, because, at, now, record.session, ours=ours)
        room.move(outcome.changed)
        if outcome.held:
            room.record = room.record.with_held(d)
