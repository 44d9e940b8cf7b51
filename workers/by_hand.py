"""Carrying out what somebody has ordered by hand, under the lease of its room.

An order for an agent becomes a dispatch like any other, once the room is seen to be there: it is
created, settled and watched by what does so for the dispatches of rules. An order that one goes
withdraws it as `release` does, and as a hand in LiveKit would, its rule sends none again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from rules.decision import Reason
from rules.frozen import replace
from rules.release import Leaving
from workers import keys, orders
from workers.dispatch import Dispatch, State, Step
from workers.errors import NotYet, ProviderError, Refused
from workers.looking import look
from workers.planned import ordered
from workers.providers.base import CALL_SECONDS, EXECUTION_SECONDS, LOOKUP_SECONDS, identities
from workers.reasons import Why
from workers.settle import RETRY_SECONDS
from workers.writing import write_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workers.hold import Hold, Note
    from workers.providers.base import Listed, Provider
    from workers.record import Record
    from workers.tools import Gate, Tools

PATIENCE_SECONDS: Final = 60.0
"""How long the order to remove a stranger's agent waits for a LiveKit that does not answer."""
_WITH_LIVEKIT: Final = frozenset({State.PENDING, State.ACTIVE})

log = structlog.get_logger(__name__)


class Order(NamedTuple):
    """One order."""

    id: str
    given: Mapping[str, Any]
    received_at: float


async def obey(hold: Hold, tools: Tools, given: Mapping[str, Any], *, received_at: float) -> None:
    """Carry out the order at the inbox's head.

    Raises:
        Fenced, RedisError: as `DueQueue.commit`.
        NotYet: LiveKit could not be asked.
        ValueError: it is an order of a newer version.
    """
    order = Order(str(given["id"]), given, received_at)
    if given["order"] == orders.DISPATCH:
        await _dispatch(hold, tools, order)
    elif given["order"] == orders.REMOVE:
        asked = given["dispatch"]
        live = [d for d in hold.record.dispatches.values() if d.live]
        # One that took over from it meanwhile is what is meant now.
        await _withdraw(hold, tools, order, [d for d in live if asked in (d.id, d.follows)])
    elif given["order"] == orders.REMOVE_AGENT:
        await _remove_agent(hold, tools, order)
    else:
        raise ValueError(f"the order {given['order']!r} is of a newer version")


async def _dispatch(hold: Hold, tools: Tools, order: Order) -> None:
    asked = order.given["dispatch"]
    if asked["id"] in hold.record.dispatches or await _is_kept(asked["id"], tools):
        await _write(hold, tools, order, hold.record)  # it came twice
        return
    seen_at = tools.queue.now()
    try:
        sid = await _sid(hold, tools)
    except NotYet as error:
        if hold.record.session is None or not hold.record.in_session:
            await _put_off(hold, tools, order, str(error))
            return
        # The room is looked up before the call, for as long as calls are tried.
        sid, seen_at = hold.record.session.sid, 0.0
    session = hold.record.session
    if sid is None:
        record = replace(hold.record, look_due=tools.queue.now())
        await _refuse(hold, tools, order, f"{Why.NO_ROOM}: there is no such room", record)
    elif sid in hold.record.past or (session is not None and session.sid == sid and session.ended):
        await _refuse(hold, tools, order, Reason.ROOM_ENDED.value, hold.record)
    elif session is not None and session.sid == sid:
        new = _ordered(hold, tools, order, sid, seen_at)
        await _write(hold, tools, order, hold.record.with_dispatches([new]), [new])
    else:  # what is there comes first, as the events that nobody has told of
        waiting = hold.entries[0]
        await look(hold, tools)
        if hold.entries[0] is waiting:
            await _put_off(hold, tools, order, "the room could not be listed")


async def _put_off(hold: Hold, tools: Tools, order: Order, why: str) -> None:
    """Nothing is known of the room: the order waits, and the room with it.

    Raises:
        NotYet: there is time.
    """
    if tools.queue.now() - order.received_at <= RETRY_SECONDS:
        raise NotYet(why)
    reason = f"{Why.GIVEN_UP}: not done within 5 minutes, {why}"
    await _refuse(hold, tools, order, reason, hold.record)


async def _refuse(hold: Hold, tools: Tools, order: Order, reason: str, record: Record) -> None:
    """Nobody is sent: it has failed as soon as it was decided."""
    sid = record.session.sid if record.session is not None and record.in_session else ""
    new = _ordered(hold, tools, order, sid, 0.0)
    over = new.ended(State.FAILED, reason, tools.queue.now())
    await _write(hold, tools, order, record, [over])


def _ordered(hold: Hold, tools: Tools, order: Order, sid: str, seen_at: float) -> Dispatch:
    return ordered(
        order.given["dispatch"],
        order.id,
        room=hold.room,
        room_sid=sid,
        event_at=seen_at,
        now=tools.queue.now(),
        received_at=order.received_at,
    )


async def _withdraw(hold: Hold, tools: Tools, order: Order, dispatches: Sequence[Dispatch]) -> None:
    now, record = tools.queue.now(), hold.record
    changed = [_withdrawn(d, tools, now) for d in dispatches]
    for before, after in zip(dispatches, changed, strict=True):
        if after.rule:
            record = record.with_held(after)
        if before.state is State.SCHEDULED and before.is_restart:  # its agent has failed already
            record = record.with_unwanted({before.replaces: before.agent}, now)
    await _write(hold, tools, order, record.with_dispatches(changed), changed)


def _withdrawn(dispatch: Dispatch, tools: Tools, now: float) -> Dispatch:
    """It is to go, and whatever its rule says, nothing takes its place."""
    last = replace(dispatch, release_when=Leaving.NEVER.value, fallback=())
    why = f"{Why.HELD}: removed by hand"
    if dispatch.state in _WITH_LIVEKIT or (dispatch.apart and dispatch.may_be_there):
        return last.withdrawing(State.RELEASED, why, now)
    if dispatch.called_at is not None:  # by a worker that has lost the room
        due = max(dispatch.due, dispatch.called_at + EXECUTION_SECONDS)
        last = replace(last, doubtful=True, due=due)
    elif dispatch.step is Step.SETTLE or tools.queue.may_have_forgotten(dispatch.due):
        last = replace(last, doubtful=True)
    return last.ended(State.RELEASED, why, now)  # and looked for, where it may have been made


async def _remove_agent(hold: Hold, tools: Tools, order: Order) -> None:
    identity = str(order.given["identity"])
    live = [d for d in hold.record.dispatches.values() if d.live]
    ours = [d for d in live if identity in (d.agent_identity, d.job_identity)]
    try:
        if not ours:
            provider, gate = _server(hold, tools)
            with gate.entered():
                sent = await _removed(identity, hold, tools, provider)
            ours = [d for d in live if any(d.is_sent_as(each) for each in sent)]
    except (NotYet, ProviderError) as error:
        is_old = tools.queue.now() - order.received_at > PATIENCE_SECONDS
        if not isinstance(error, Refused) and not is_old:
            raise NotYet(str(error)) from error
        # It has just gone; or whoever ordered it sees that it is there, and orders it again.
        log.warning("agent_not_removed", room=hold.room, identity=identity, error=str(error))
    await _withdraw(hold, tools, order, ours)


async def _removed(identity: str, hold: Hold, tools: Tools, provider: Provider) -> Sequence[Listed]:
    """Remove an agent that is there, unless it is ours; the dispatches that have sent it.

    Raises:
        ProviderError: it was not done.
    """
    await tools.queue.keep(hold, LOOKUP_SECONDS + 1)
    listing = await provider.snapshot(hold.room)
    agents = [p for p in listing.participants if p.get("kind") == "AGENT"]
    if all(p["identity"] != identity for p in agents):
        log.info("no_such_agent", room=hold.room, identity=identity)
        return ()
    await tools.queue.keep(hold, CALL_SECONDS + 1)
    lists = tools.providers.get(hold.server_id)
    listed = await lists.dispatches(hold.room) if lists is not None else ()
    sent = [d for d in listed if identity in identities([d])]
    live = [d for d in hold.record.dispatches.values() if d.live]
    if not any(d.is_sent_as(each) for d in live for each in sent):
        await tools.queue.keep(hold, CALL_SECONDS + 1)
        await provider.remove(hold.room, identity)
        log.info("agent_removed", room=hold.room, identity=identity)
    return sent


async def _sid(hold: Hold, tools: Tools) -> str | None:
    """Sid of the session the room has now; None if there is no such room.

    Raises:
        NotYet: LiveKit could not be asked.
    """
    provider, gate = _server(hold, tools)
    try:
        with gate.entered():
            await tools.queue.keep(hold, LOOKUP_SECONDS + 1)
            return await provider.room_sid(hold.room)
    except ProviderError as error:
        raise NotYet(str(error)) from error


def _server(hold: Hold, tools: Tools) -> tuple[Provider, Gate]:
    """The room's server.

    Raises:
        NotYet: it is not in this worker's settings, or has its share of the worker's calls.
    """
    gate = tools.gates.get(hold.server_id)
    if gate is None:
        raise NotYet("its LiveKit server is not configured here; see LIVEKIT_URL and LIVEKIT_URLS")
    if gate.full:
        raise NotYet("LiveKit has its share of this worker's calls")
    return tools.place(hold.server_id), gate


async def _is_kept(dispatch_id: str, tools: Tools) -> bool:
    [kept] = await tools.queue.redis.mget([keys.DISPATCH + dispatch_id])
    return kept is not None


async def _write(
    hold: Hold, tools: Tools, order: Order, record: Record, changed: Sequence[Dispatch] = ()
) -> None:
    """Commit what follows from an order; in the same moment it leaves the inbox."""
    notes: list[Note] = []
    if order.given["order"] == orders.DISPATCH:
        notes.append(orders.taken(order.given["dispatch"]["id"], order.given["digest"]))
    await write_record(hold, tools, record, changed, taken=order.id, notes=notes)
