"""A look at one room: LiveKit's listing against the record, under the room's lease.

It is asked for by an entry in the room's inbox (whoever reconciles, or an operator) or by the
record itself, when what a first look missed must be looked for once more. What it finds goes to the
head of the inbox as the events that were lost, so that they are decided as webhooks are.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import structlog

from rules.event import VIDEOSDK
from rules.frozen import replace
from rules.session import agent_name, joined_at
from workers import by_token, counted
from workers.dispatch import ID_ATTRIBUTE, LIVE, SID_ATTRIBUTE, State
from workers.drift import drift, strangers, watched
from workers.errors import ProviderError
from workers.history import dispatch_document, kept_dispatches
from workers.providers.base import CALL_SECONDS, LOOKUP_SECONDS, identities
from workers.removal import COMING_SECONDS
from workers.stragglers import awaited
from workers.tallies import of_dispatches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workers.dispatch import Dispatch
    from workers.drift import Drift
    from workers.hold import Hold
    from workers.providers.base import Listed, Snapshot
    from workers.record import Record
    from workers.tools import Tools

AGAIN_SECONDS: Final = 2.0
"""Between the two looks that must agree that somebody has gone."""
FAILED_SECONDS: Final = 5.0
SETTLED_SECONDS: Final = 1.0
_AWAITED: Final = frozenset({State.REQUESTED, State.PENDING})
OVER: Final = frozenset(State) - LIVE
_UNWANTED: Final = frozenset({State.SUPERSEDED, State.RELEASED, State.FAILED})

log = structlog.get_logger(__name__)


async def look(hold: Hold, tools: Tools, *, taken: str = "", made: Sequence[str] = ()) -> None:
    """Look at a room now.

    Args:
        hold: the room.
        tools: what the work needs.
        taken: id of the inbox entry that asks for it.
        made: LiveKit's ids of what a worker made that had lost the room.

    Raises:
        Fenced, RedisError: as `DueQueue.commit`.
    """
    gate = tools.gates.get(hold.server_id)
    if gate is None:  # a server this worker does not know
        await tools.queue.commit(hold, replace(hold.record, look_due=None), taken=taken)
        return
    provider, lists = tools.place(hold.server_id), tools.providers.get(hold.server_id)
    if gate.full:
        due = tools.queue.now() + tools.spread(gate.patience)
        await tools.queue.commit(hold, replace(hold.record, look_due=due), taken=taken)
        return
    try:
        with gate.entered():
            await tools.queue.keep(hold, LOOKUP_SECONDS + 1)
            listing = await provider.snapshot(hold.room)
            await tools.queue.keep(hold, CALL_SECONDS + 1)
            listed = await lists.dispatches(hold.room) if lists and listing.room else ()
    except ProviderError as error:
        log.warning("look_failed", room=hold.room, error=str(error))
        due = tools.queue.now() + tools.spread(FAILED_SECONDS)
        await tools.queue.commit(hold, replace(hold.record, look_due=due), taken=taken)
        return
    now, watching = tools.queue.now(), watched(tools.ruleset, hold.room)
    found = drift(hold.record, hold.room, listing, now, watching, provider.project)
    changed = [_hurried(d, listing, listed, now) for d in hold.record.dispatches.values()]
    before = hold.record.dispatches
    changed = [d for d in changed if d != before[d.id]]
    record = _after(hold.record, found, listing, now).with_dispatches(changed)
    past = await _past(record, listed, tools)
    unwanted = {d.id: d.agent for d in listed if past.get(d.id) in _UNWANTED}
    unwanted |= _doubles(record, listed) | _astray(listing, listed)
    unwanted |= _nobodys(record, [d for d in listed if d.id in made])
    record = record.with_unwanted(unwanted, now)
    if found.events:
        told = [f"{event['event']}" for event in found.events]
        log.info("webhooks_missed", room=hold.room, events=told)
    over = {livekit_id for livekit_id, state in past.items() if state in OVER}
    if hold.has_tokens:  # what is decided now may meet those
        over |= by_token.unmet(listed, record)
    present = _present(record, listing, listed, over, now)
    await tools.queue.commit(
        hold,
        record,
        [dispatch_document(before[d.id], d) for d in changed],
        taken=taken,
        notes=of_dispatches(before, changed),
        counts=counted.of_dispatches(before, changed),
        put=[
            _entry({**(event if lists else _of_videosdk(event)), "listed": present}, now)
            for event in found.events
        ],
    )


def _after(record: Record, found: Drift, listing: Snapshot, now: float) -> Record:
    """The record after a look. What was missing for the first time is looked for again."""
    first = found.missing - record.missing
    return replace(
        record,
        missing=first,
        look_due=now + AGAIN_SECONDS if first else None,
        strangers=frozenset(strangers(record, listing)),
    )


def _hurried(
    dispatch: Dispatch, listing: Snapshot, listed: Sequence[Listed], now: float
) -> Dispatch:
    """A dispatch that waits for an agent which is there already, or that is not listed any more, is
    looked after at once.
    """
    if dispatch.state is not State.PENDING or dispatch.withdrawn is not None:
        return dispatch
    if now - (dispatch.accepted_at or now) < SETTLED_SECONDS:
        return dispatch
    mine = next((d for d in listed if d.id == dispatch.dispatch_id), None)
    here = {str(p["identity"]) for p in listing.participants}
    if listing.room is None or (mine is not None and not here & identities([mine])):
        return dispatch
    return replace(dispatch, join_by=now)


def _doubles(record: Record, listed: Sequence[Listed]) -> dict[str, str]:
    """What was created for a dispatch beside what it is known by: ids, and agents' names."""
    known = {d.id: d.dispatch_id for d in record.dispatches.values() if d.dispatch_id is not None}
    known |= by_token.known_by_mark(record, listed)
    return {
        d.id: d.agent for d in listed if known.get(d.attributes.get(ID_ATTRIBUTE, ""), d.id) != d.id
    }


def _nobodys(record: Record, made: Sequence[Listed]) -> dict[str, str]:
    """What no dispatch is known by, and none may still be found to be: ids, and agents' names."""
    if any(d.state is State.REQUESTED for d in record.dispatches.values()):
        return {}
    known = _known(record)
    return {d.id: d.agent for d in made if d.id not in known}


def _astray(listing: Snapshot, listed: Sequence[Listed]) -> dict[str, str]:
    """What was meant for another session of the room's name: ids, and agents' names."""
    sid = _sid(listing)
    return {d.id: d.agent for d in listed if d.attributes.get(SID_ATTRIBUTE, sid) != sid}


def _known(record: Record) -> set[str | None]:
    """LiveKit's ids of the dispatches a record knows, or is about to delete itself."""
    return {i for d in record.dispatches.values() for i in (d.dispatch_id, d.replaces)}


def _sid(listing: Snapshot) -> str | None:
    return str(listing.room["sid"]) if listing.room is not None else None


async def _past(record: Record, listed: Sequence[Listed], tools: Tools) -> Mapping[str, str]:
    """What history says of dispatches of ours in this session that the record does not hold any
    more: their state, by LiveKit's id.

    One that was to go is deleted, for its deletion was lost with the record, and so is a second of
    the same. One that history does not know, or knows as live, stays: its agent is with somebody.
    """
    sid = record.session.sid if record.session is not None else None
    ids = {d.id: d.attributes.get(ID_ATTRIBUTE, "") for d in listed}
    known = {d.dispatch_id for d in record.dispatches.values()}
    lost = [
        d.id
        for d in listed
        if ids[d.id]
        and ids[d.id] not in record.dispatches
        and d.id not in known
        and d.attributes.get(SID_ATTRIBUTE) == sid
    ]
    told: dict[str, State] = {}
    kept = await kept_dispatches(tools.queue.redis, [ids[i] for i in lost])
    for i in lost:
        if (each := kept.get(ids[i])) is not None:
            told[i] = each.state if each.dispatch_id in (i, None) else State.SUPERSEDED
    return told


def _present(
    record: Record, listing: Snapshot, listed: Sequence[Listed], over: set[str], now: float
) -> list[str]:
    """Names of the agents that are there, or on their way, without the dispatches we know of.

    One that is there of a name that we wait for is taken for ours, and one that is to go for gone,
    as are those of the dispatches that are `over`.
    """
    over = over | {each.dispatch_id for each in record.unwanted}
    here = {str(p["identity"]) for p in listing.participants}
    known, sid = _known(record), _sid(listing)
    ours = {mark for d in record.dispatches.values() for mark in d.marks}
    coming = (
        d.agent
        for d in listed
        if d.id not in known
        and d.id not in over
        and d.attributes.get(ID_ATTRIBUTE) not in ours
        and d.attributes.get(SID_ATTRIBUTE, sid) == sid
        and now - d.created_at < COMING_SECONDS
        and not here & identities([d])
    )
    going = {identity for each in record.unwanted for identity in each.identities}
    going |= identities(d for d in listed if d.id in over)
    going |= {straggler.identity for straggler in awaited(record.stragglers, now)}
    working = identities(d for d in listed if d.id not in over)
    staying = [
        p
        for p in listing.participants
        if p["identity"] in working
        or not (p["identity"] in going or record.is_straggler(agent_name(p), joined_at(p, now)))
    ]
    names = strangers(record, replace(listing, participants=tuple(staying))).values()
    waiting = (d.agent for d in record.dispatches.values() if d.state in _AWAITED)
    there = Counter(names) - Counter(waiting)
    return sorted(name for name in {*there, *coming} if name)


def _of_videosdk(event: dict[str, Any]) -> dict[str, Any]:
    """Somebody who comes again has the same sid there, and comes at another time."""
    visit = (event.get("participant") or {}).get("joined_at")
    told = event["id"] if visit is None else f"{event['id']}.{visit}"
    return {**event, "id": told, "source": VIDEOSDK}


def _entry(event: dict[str, Any], now: float) -> bytes:
    body = json.dumps(event, separators=(",", ":"), default=dict)
    return f"{event['id']}\n{int(now * 1000)}\n{body}".encode()
