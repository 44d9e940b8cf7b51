"""The calls that a room's dispatches are due for: looked up first where they are late, marked in
the record before they begin, and each result written as it comes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from rules.frozen import replace
from workers import agents, apart, dry_run, ladder, releases, settle, strays
from workers.dispatch import Dispatch, Step
from workers.errors import Fenced
from workers.providers.base import CALL_SECONDS, EXECUTION_SECONDS, LOOKUP_SECONDS
from workers.writing import write, write_stepped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workers.hold import Hold
    from workers.settle import Stepped
    from workers.tools import Tools

LATE_SECONDS: Final = 3.0
"""An event older than this may be of a room that has ended since: look before calling."""
CALLS_EACH: Final = 16
"""Calls one room may have in flight."""
ROUNDS: Final = 4
"""What follows from a call at once is done at once: a look, a deletion, the next rung's call."""


class Due(NamedTuple):
    """A dispatch and what is to be done for it now."""

    dispatch: Dispatch
    step: Step


def late(event_at: float, now: float) -> bool:
    """Whether a call for an event of this time must look first."""
    return now - event_at > LATE_SECONDS


async def make_calls(hold: Hold, tools: Tools) -> None:
    """Make the calls that are due.

    Raises:
        Fenced: another holds the room; it is asked to look for what was just made.
        RedisError: Redis was lost; what was called is settled by whoever claims the room next.
    """
    await _take_over(hold, tools)
    for _ in range(ROUNDS):
        if tools.dry_run:
            await dry_run.rehearse(hold, tools)
        due = await _ready(hold, tools)
        if not due:
            return
        await _run(due, hold, tools)


async def _run(due: list[Due], hold: Hold, tools: Tools) -> None:
    if len(due) == 1:  # as most have: a task of its own would cost more than all else here
        stepped = [await _step(due[0], hold, tools)]
        try:
            await write_stepped(hold, tools, stepped)
        except Fenced:
            strays.have_looked_at(stepped, hold, tools)
            raise
        return
    running = {asyncio.create_task(_step(each, hold, tools)) for each in due}
    results: list[Stepped] = []
    try:
        while running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            finished = _results(done)
            results += finished
            for task in done:
                task.result()  # raises what one of them has raised
            await write_stepped(hold, tools, finished)
    except Fenced:
        results += _results((await asyncio.wait(running))[0]) if running else []
        strays.have_looked_at(results, hold, tools)
        raise
    finally:
        await asyncio.gather(*running, return_exceptions=True)


def _results(done: Iterable[asyncio.Task[Stepped]]) -> list[Stepped]:
    """What came of those that have not raised: what they made must be known of, or it stays."""
    return [task.result() for task in done if not task.cancelled() and task.exception() is None]


async def unmark(hold: Hold, tools: Tools) -> None:
    """Take back the marks of calls that were to begin at once and have not."""
    marked = [d for d in hold.record.dispatches.values() if d.called_by == hold.token]
    uncalled = [replace(d, called_at=None) for d in marked if d.called_at is not None]
    if uncalled:
        await write(hold, tools, uncalled)


async def _ready(hold: Hold, tools: Tools) -> list[Due]:
    """What is due, looked up where it must be, and marked as called: to be called right now.

    Redis or this process may have slept in any of these writes, so all of it is asked again until
    nothing has become late meanwhile.
    """
    looked_at, looked_up = float("-inf"), frozenset[str]()
    while True:
        await tools.queue.keep(hold, LOOKUP_SECONDS + 1)
        due = _due(hold, tools.queue.now())
        if must := _must_look(due, looked_at, looked_up, tools):
            began = tools.queue.now()
            look = await settle.in_session([d for d, _ in due], must, hold, tools)
            if look.stepped:
                await write_stepped(hold, tools, look.stepped)
            if not look.answered:
                await unmark(hold, tools)  # those that need no look begin at the next claim
                return []
            if tools.queue.now() - began <= LOOKUP_SECONDS + CALL_SECONDS:  # else it slept in it
                looked_at, looked_up = tools.queue.now(), frozenset(d.id for d, _ in due)
            continue
        due = _one_apart(due[:CALLS_EACH])
        now = tools.queue.now()
        began_anew = [
            replace(d, called_at=now, called_by=hold.token)
            for d, step in due
            if step is Step.CREATE and (d.called_at is None or d.called_at < looked_at)
        ]
        if began_anew:  # whoever takes over must know when a call may have begun
            await write(hold, tools, began_anew)
        await tools.queue.keep(hold, CALL_SECONDS + 1)
        if not _must_look(due, looked_at, looked_up, tools):
            return [Due(hold.record.dispatches[d.id], step) for d, step in due]


def _due(hold: Hold, now: float) -> list[Due]:
    """All that is due, in the order of calls: one room may ask a server `CALLS_EACH` at once."""
    steps = [Due(d, d.due_step(now)) for d in hold.record.dispatches.values()]
    # What is marked as called must be called under this lease, or be settled under the next.
    return sorted(
        (each for each in steps if each.step in _STEPS),
        key=lambda each: each.dispatch.called_at is None,
    )


def _one_apart(due: list[Due]) -> list[Due]:
    """Without all but the first that no listing shows: each looks who is not another's agent."""
    first = next((each for each in due if each.dispatch.apart), None)
    return [each for each in due if not each.dispatch.apart or each is first]


def _must_look(
    due: list[Due], looked_at: float, looked_up: frozenset[str], tools: Tools
) -> list[Dispatch]:
    """Those that must not go on before it is known which session the room has now."""
    now = tools.queue.now()
    known = frozenset[str]() if late(looked_at, now) else looked_up
    return [
        d
        for d, step in due
        if d.id not in known
        and not (d.apart and step is not Step.CREATE)  # they look where it was sent
        and (
            step is not Step.CREATE
            or d.failures > 0
            or d.doubtful
            or late(d.event_at, now)
            or tools.queue.may_have_forgotten(d.event_at)
        )
    ]


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
    if dispatch.withdrawn is not None:  # it is to go, whatever came of the call
        return replace(dispatch, called_at=None, doubtful=True)
    # Where nothing is listed, it shows only when its agent should be there.
    wait = max(EXECUTION_SECONDS, dispatch.patience) if dispatch.apart else EXECUTION_SECONDS
    return replace(
        dispatch,
        step=Step.SETTLE,
        due=max(now, called_at + wait),
        called_at=None,
        doubtful=True,
    )


_STEPS: Final[Mapping[Step, apart.Carry]] = {
    Step.CREATE: settle.create,
    Step.SETTLE: settle.settle,
    Step.LOOK_AGAIN: settle.look_again,
    Step.FIND_AGENT: agents.find,
    Step.JOIN: ladder.overdue,
    Step.LEAVE: releases.leave,
    Step.WITHDRAW: ladder.withdraw,
    Step.REPLACE: ladder.replace_failed,
    Step.CLEAR: ladder.clear,
    Step.CHECK: ladder.check,
}


_APART: Final[Mapping[Step, apart.Carry]] = {
    Step.CREATE: apart.create,
    Step.SETTLE: apart.settle,
    Step.LOOK_AGAIN: apart.look_again,
    Step.FIND_AGENT: apart.watch,
    Step.JOIN: apart.overdue,
    Step.LEAVE: releases.leave,
    Step.WITHDRAW: apart.withdraw,
    Step.REPLACE: apart.replace_failed,
    Step.CLEAR: apart.replace_failed,
    Step.CHECK: apart.nothing,
}


async def _step(due: Due, hold: Hold, tools: Tools) -> Stepped:
    steps = _APART if due.dispatch.apart else _STEPS
    return await steps[due.step](due.dispatch, hold, tools)
