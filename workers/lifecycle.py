"""What an event means for the room's record before any rule is asked.

Sessions begin and end, agents come and go, and the dispatches they belong to move on. Pure: from a
record and an event to the next record.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from rules.decision import Reason
from rules.event import LEAVING, PARTIAL, Event, EventName
from rules.session import Session, agent_name, observe
from workers.dispatch import Dispatch, State, Step
from workers.record import TOMBSTONES, Record, SeenAgent
from workers.removal import heard

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rules.event import Fields
    from workers.providers.base import Snapshot


_RECONNECTED: Final = frozenset({"duplicate_identity", "migration"})
"""Why a connection ends when its participant has another one."""
_AWAITED: Final = frozenset({State.REQUESTED, State.PENDING})


class Observed(NamedTuple):
    """The room after an event."""

    record: Record
    event: Event
    """Filled in with what the record knows of its room and participant."""
    session: Session
    """The session the event belongs to: the record's current one, or one that is over."""
    changed: tuple[Dispatch, ...]
    """Dispatches the event itself has moved."""


def apply(record: Record, event: Event, now: float, snapshot: Snapshot | None = None) -> Observed:
    """Apply an event to a room's record.

    Args:
        record: the room before the event.
        event: the event, as it came.
        now: Unix seconds.
        snapshot: what a listing of the room showed just now, if one was needed.
    """
    session = record.session_of(event)
    if snapshot is not None:
        session = _from_listing(session, snapshot)
    over_before = session.ended
    session, event = observe(session, event)
    if record.session is not None and over_before and session.sid != record.session.sid:
        return Observed(record, event, session, ())  # of an earlier session: nothing here changes
    changed: list[Dispatch] = []
    if not session.sid:  # an ingress without its room: nothing to keep, and nowhere to go
        return Observed(record, event, replace(session, ended=True), ())
    if record.session is not None and session.sid != record.session.sid:
        record, over = _next_session(record, now)
        changed += over
    if session is not record.session:
        record = replace(record, session=session)
    if session.ended:
        over = [_over(d, now) for d in record.dispatches.values()]
        record = replace(_end(record, over, now), agents={})
        changed += over
    elif (event.participant or {}).get("kind") == "AGENT" and event.participant is not None:
        record, moved = _agent(_unwanted(record, event, now), event, event.participant, now)
        changed += moved
    return Observed(record.with_dispatches(changed), event, session, tuple(changed))


def _from_listing(session: Session, snapshot: Snapshot) -> Session:
    """A listing of another session than this one says only that this one is over."""
    if snapshot.room is None or snapshot.room["sid"] != session.sid:
        return replace(session, ended=True, participants={})
    session = replace(session, ended=False)
    present = {str(p["sid"]): p for p in snapshot.participants if p["sid"] not in session.gone}
    return replace(session, room=snapshot.room, participants={**session.participants, **present})


def _next_session(record: Record, now: float) -> tuple[Record, list[Dispatch]]:
    """The name has a new session though the last one's end was not heard of, or was."""
    over = [_over(d, now) for d in record.dispatches.values()]
    past = (*record.past, record.session.sid if record.session is not None else "")[-TOMBSTONES:]
    record = _end(record, over, now)
    return replace(record, past=past, agents={}, accepted=()).with_sweep((), now), over


def _end(record: Record, over: Iterable[Dispatch], now: float) -> Record:
    """Remember which calls may still land under this name although their session is over, and
    which agents may still come.
    """
    before = [record.dispatches[d.id] for d in over]
    in_flight = tuple(d.id for d in before if d.called_at is not None or _unsettled(d))
    sweep = tuple(dict.fromkeys((*record.sweep, *in_flight)))
    return replace(record, sweep=sweep).with_stragglers(before, now)


def _unsettled(dispatch: Dispatch) -> bool:
    """Whether its call, or another worker's, may have met another session of the name."""
    owed = dispatch.step in (Step.SETTLE, Step.LOOK_AGAIN)
    return owed or dispatch.state is State.PENDING or dispatch.doubtful


def _over(dispatch: Dispatch, now: float) -> Dispatch:
    return dispatch.dropped(Reason.ROOM_ENDED.value, now)


def _unwanted(record: Record, event: Event, now: float) -> Record:
    if not record.unwanted or event.name in PARTIAL:
        return record
    identity = str((event.participant or {}).get("identity", ""))
    here = event.name == EventName.PARTICIPANT_JOINED
    return replace(record, unwanted=heard(record.unwanted, identity, now, here=here))


def _agent(
    record: Record, event: Event, participant: Fields, now: float
) -> tuple[Record, list[Dispatch]]:
    sid, identity = str(participant["sid"]), str(participant["identity"])
    if event.name == EventName.PARTICIPANT_JOINED:
        has_left = record.session is not None and sid in record.session.gone
        again = [
            d.found(sid)
            for d in record.dispatches.values()
            if d.state is State.ACTIVE and d.agent_identity == identity and not has_left
        ]
        name = agent_name(participant)
        is_late = any(s.agent == name and s.until > event.at for s in record.stragglers)
        is_awaited = any(d.state in _AWAITED for d in record.dispatches.values())
        if not is_awaited and (again or not is_late):
            return record, again
        seen = SeenAgent(sid, identity, _joined_at(participant, event), name=name)
        if has_left:  # its leaving came first
            seen = replace(seen, left_at=event.at, left_because="unknown_reason")
        agents = {**record.agents, sid: seen}
        return replace(record, agents=agents, agents_due=0.0, agents_looks=0), again
    if event.name not in LEAVING:
        return record, []
    because = str(participant.get("disconnect_reason", "UNKNOWN_REASON")).lower()
    if sid in record.agents:
        left = replace(record.agents[sid], left_at=event.at, left_because=because)
        return replace(record, agents={**record.agents, sid: left}), []
    gone = [
        d.reconnecting(because, now)
        if because in _RECONNECTED
        else d.ended(State.ENDED, because, event.at)
        for d in record.dispatches.values()
        if d.state is State.ACTIVE and d.agent_sid == sid
    ]
    return record, gone


def _joined_at(participant: Fields, event: Event) -> float:
    exact = participant.get("joined_at_ms")
    if exact:
        return int(exact) / 1000
    return float(participant.get("joined_at") or event.at)
