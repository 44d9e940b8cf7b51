"""Carrying out what a room's record says is due.

The record is the only source: what is due was committed before, and what comes of it is committed
again, each result in one fenced write. So an effect can be repeated after a crash, and every step
looks at the world before it repeats one.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from workers import agents, removal, settle
from workers.dispatch import Dispatch, Step
from workers.errors import Fenced
from workers.history import dispatch_document, tell
from workers.providers.base import CALL_SECONDS, EXECUTION_SECONDS
from workers.settle import Stepped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.inbox import Hold
    from workers.record import Record
    from workers.tools import Gate, Tools

LATE_SECONDS: Final = 3.0
"""An event older than this may be of a room that has ended since: look before calling."""
UNKNOWN_SERVER_SECONDS: Final = 5.0
CALLS_EACH: Final = 16
"""Calls one room may have in flight."""
LEASE_FOR_A_CALL: Final = CALL_SECONDS + 1

log = structlog.get_logger(__name__)


def late(event_at: float, now: float) -> bool:
    """Whether a call for an event of this time must look first."""
    return now - event_at > LATE_SECONDS


async def carry_out(hold: Hold, tools: Tools) -> None:
    """Do what is due in a room now.

    Raises:
        Fenced: another holds the room; what was just created and is nobody's was deleted.
        RedisError: Redis was lost; what was called is settled by whoever claims the room next.
    """
    due = hold.record.due
    if due is None or due > tools.queue.now():
        return
    gate = tools.gates.get(hold.server_id)
    if gate is None:
        await _no_such_server(hold, tools)
        return
    if gate.full:
        await _wait(hold, tools, gate)
        return
    with gate.entered():
        await _dispatches(hold, tools)
        await _listings(hold, tools)


async def _dispatches(hold: Hold, tools: Tools) -> None:
    await _take_over(hold, tools)
    due = _due(hold, tools.queue.now())
    looked = await _in_session(hold, tools, due)
    due = [d for d in due if hold.record.dispatches.get(d.id) == d]  # the look has moved the rest
    creates = [d for d in due if d.step is Step.CREATE and (d.called_at is None or looked)]
    if creates:  # whoever takes over must know when a call may have begun
        now = tools.queue.now()
        marked = [replace(d, called_at=now, called_by=hold.token) for d in creates]
        await write(hold, tools, marked)
    while due and hold.left < LEASE_FOR_A_CALL:  # this process may have slept even in the write
        await tools.queue.commit(hold, None)
    running = {asyncio.create_task(_step(hold.record.dispatches[d.id], hold, tools)) for d in due}
    results: list[Stepped] = []
    try:
        while running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            finished = [task.result() for task in done]
            results += finished
            await _write_stepped(hold, tools, finished)
    except Fenced:
        results += [task.result() for task in (await asyncio.wait(running))[0]] if running else []
        await settle.withdraw(results, hold, tools)
        raise
    finally:
        await asyncio.gather(*running, return_exceptions=True)


def _due(hold: Hold, now: float) -> list[Dispatch]:
    """What is due, as much as one room may ask of a server at once; the rest is due again."""
    due = [
        d for d in hold.record.dispatches.values() if d.step is not Step.NOTHING and d.due <= now
    ]
    # What is marked as called must be called under this lease, or be settled under the next.
    return sorted(due, key=lambda d: d.called_at is None)[:CALLS_EACH]


async def _take_over(hold: Hold, tools: Tools) -> None:
    """Another worker lost this room with calls begun; nobody knows what came of them."""
    now = tools.queue.now()
    begun = [
        _taken_over(d, now)
        for d in hold.record.dispatches.values()
        if d.called_at is not None and d.called_by != hold.token
    ]
    if begun:
        await write(hold, tools, begun)


def _taken_over(dispatch: Dispatch, now: float) -> Dispatch:
    """Its caller lost the room, and may have called, or may even be calling."""
    called_at = dispatch.called_at or now
    return replace(
        dispatch,
        step=Step.SETTLE,
        due=max(now, called_at + EXECUTION_SECONDS),
        called_at=None,
        doubtful=True,
    )


async def _in_session(hold: Hold, tools: Tools, due: Sequence[Dispatch]) -> bool:
    """Look before late calls: what has lost its session is dropped, what could not be looked up is
    put off. Returns whether a look was needed.
    """
    now = tools.queue.now()
    doubtful = [d for d in due if d.step is not Step.CREATE or _must_look(d, now)]
    if not doubtful:
        return False
    changed = await settle.in_session(due, doubtful, hold, tools)
    if changed:
        await write(hold, tools, changed)
    return True


def _must_look(dispatch: Dispatch, now: float) -> bool:
    return dispatch.called_at is None and (
        dispatch.failures > 0 or dispatch.doubtful or late(dispatch.event_at, now)
    )


async def _step(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    match dispatch.step:
        case Step.CREATE:
            return await settle.create(dispatch, hold, tools)
        case Step.SETTLE:
            return await settle.settle(dispatch, hold, tools)
        case Step.LOOK_AGAIN:
            return await settle.look_again(dispatch, hold, tools)
        case Step.NOTHING:
            return Stepped(dispatch)


async def _listings(hold: Hold, tools: Tools) -> None:
    now = tools.queue.now()
    if hold.record.awaits_agents and hold.record.agents_due <= now:
        record, changed = await agents.identify(hold, tools)
        await _write_record(hold, tools, record, changed)
    if hold.record.must_sweep and hold.record.sweep_due <= now:
        await _write_record(hold, tools, await settle.sweep(hold, tools), [])
    if any(each.due <= now for each in hold.record.unwanted):
        provider = tools.providers[hold.server_id]
        unwanted = await removal.look(hold.record.unwanted, hold.room, provider, now)
        await _write_record(hold, tools, replace(hold.record, unwanted=unwanted), [])


async def _write_stepped(hold: Hold, tools: Tools, stepped: Sequence[Stepped]) -> None:
    changed = [each.dispatch for each in stepped]
    unwanted = [dispatch_id for each in stepped for dispatch_id in each.unwanted]
    record = hold.record.with_dispatches(changed).with_unwanted(unwanted, tools.queue.now())
    await _write_record(hold, tools, record, changed)


async def write(hold: Hold, tools: Tools, changed: Sequence[Dispatch]) -> None:
    """Commit dispatches as they stand now.

    Raises:
        Fenced, RedisError: as `DueQueue.commit`.
    """
    await _write_record(hold, tools, hold.record.with_dispatches(changed), changed)


async def _write_record(
    hold: Hold, tools: Tools, record: Record, changed: Sequence[Dispatch]
) -> None:
    before = hold.record.dispatches
    documents = [dispatch_document(d, tools.retention) for d in changed]
    await tools.queue.commit(hold, record, documents)
    for dispatch in changed:
        if _moved(before.get(dispatch.id), dispatch):
            tell(dispatch)


def _moved(before: Dispatch | None, after: Dispatch) -> bool:
    if before is None:
        return True
    return (before.state, before.failures, before.step is Step.SETTLE) != (
        after.state,
        after.failures,
        after.step is Step.SETTLE,
    )


async def _wait(hold: Hold, tools: Tools, gate: Gate) -> None:
    """This server has its share of the worker; come back in a moment."""
    await _unmark(hold, tools)
    hold.not_before = tools.queue.now() + tools.spread(gate.patience)


async def _unmark(hold: Hold, tools: Tools) -> None:
    """Take back the marks of calls that were to begin at once and have not."""
    marked = [d for d in hold.record.dispatches.values() if d.called_by == hold.token]
    uncalled = [replace(d, called_at=None) for d in marked if d.called_at is not None]
    if uncalled:
        await write(hold, tools, uncalled)


async def _no_such_server(hold: Hold, tools: Tools) -> None:
    """No such server in this worker's settings: perhaps another worker's are newer than these."""
    now = tools.queue.now()
    dispatches = hold.record.dispatches.values()
    if any(now - d.created_at < settle.RETRY_SECONDS for d in dispatches if d.live):
        await _unmark(hold, tools)
        hold.not_before = now + tools.spread(UNKNOWN_SERVER_SECONDS)
        return
    reason = "its LiveKit server is not configured; see LIVEKIT_URL and LIVEKIT_URLS"
    over = [d.dropped(reason, now) for d in dispatches]
    record = replace(hold.record.with_dispatches(over), agents={}, sweep=())
    await _write_record(hold, tools, record, over)
