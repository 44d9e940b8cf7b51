"""Carrying out what a room's record says is due.

The record is the only source: what is due was committed before, and what comes of it is committed
again, each result in one fenced write. So an effect can be repeated after a crash, and every step
looks at the world before it repeats one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules.frozen import replace
from workers import agents, apart, removal, settle, strays
from workers.calls import make_calls, unmark
from workers.looking import look
from workers.providers.base import CALL_SECONDS, LOOKUP_SECONDS
from workers.reasons import Why
from workers.scheduled import end_waits
from workers.states import State
from workers.writing import write_record

if TYPE_CHECKING:
    from workers.hold import Hold
    from workers.tools import Gate, Tools

UNKNOWN_SERVER_SECONDS: Final = 5.0
MORE_SECONDS: Final = 2.0
"""How long what is due waits for the events that the inbox still holds: they may say that the room
is over."""


async def carry_out(hold: Hold, tools: Tools) -> None:
    """Do what is due in a room now.

    Raises:
        Fenced: another holds the room; it is asked to look for what was just made.
        RedisError: Redis was lost; what was called is settled by whoever claims the room next.
    """
    due, now = hold.record.due, tools.queue.now()
    if due is None or due > now or (hold.more and now - due < MORE_SECONDS):
        return
    if hold.record.look_due is not None and hold.record.look_due <= now:
        await look(hold, tools)
    await end_waits(hold, tools)
    gate = tools.gates.get(hold.server_id)
    if gate is None:
        await _no_such_server(hold, tools)
        return
    if gate.full:
        await _wait(hold, tools, gate)
        return
    with gate.entered():
        await make_calls(hold, tools)
        await _listings(hold, tools)


async def _listings(hold: Hold, tools: Tools) -> None:
    now = tools.queue.now()
    if hold.server_id not in tools.providers:
        if hold.record.agents or hold.record.sweep or hold.record.unwanted:
            await write_record(hold, tools, *await apart.identified(hold, tools, now))
        return
    if hold.record.awaits_agents and hold.record.agents_due <= now:
        await tools.queue.keep(hold, LOOKUP_SECONDS + 1)
        record, changed = await agents.identify(hold, tools)
        await write_record(hold, tools, record, changed)
    if hold.record.must_sweep and hold.record.sweep_due <= now:
        await tools.queue.keep(hold, LOOKUP_SECONDS + 1)
        await write_record(hold, tools, await strays.sweep(hold, tools))
    if any(each.due <= now for each in hold.record.unwanted):
        await tools.queue.keep(hold, LOOKUP_SECONDS + 1)
        unwanted = await removal.look(
            hold.record.unwanted,
            hold.room,
            tools.providers[hold.server_id],
            tools.queue.now(),
            keep=lambda: tools.queue.keep(hold, CALL_SECONDS + 1),
        )
        await write_record(hold, tools, replace(hold.record, unwanted=unwanted))


async def _wait(hold: Hold, tools: Tools, gate: Gate) -> None:
    """This server has its share of the worker; come back in a moment."""
    await unmark(hold, tools)
    hold.not_before = tools.queue.now() + tools.spread(gate.patience)


async def _no_such_server(hold: Hold, tools: Tools) -> None:
    """No such server in this worker's settings: perhaps another worker's are newer than these."""
    now = tools.queue.now()
    dispatches = hold.record.dispatches.values()
    since = min((d.next_due or now for d in dispatches if d.live), default=None)
    if since is not None and now - since < settle.RETRY_SECONDS:
        await unmark(hold, tools)
        hold.not_before = now + tools.spread(UNKNOWN_SERVER_SECONDS)
        return
    hint = "its LiveKit server is not configured; see LIVEKIT_URL and LIVEKIT_URLS"
    reason = f"{Why.NOT_CONFIGURED}: {hint}"
    dropped = [d.dropped(reason, now) for d in dispatches]
    over = [d.ended(State.RELEASED, reason, now) if d.live else d for d in dropped]
    record = hold.record.with_dispatches(over)
    record = replace(record, agents={}, sweep=(), unwanted=(), look_due=None)
    await write_record(hold, tools, record, over)
