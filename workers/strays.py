"""What calls have left where it should not be: in the next session of a room's name, or in a room
that was lost while they were under way.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from redis.exceptions import RedisError

from rules.frozen import replace
from workers.dispatch import ID_ATTRIBUTE, SID_ATTRIBUTE, Step
from workers.entries import clear_offer, look_offer
from workers.errors import ProviderError
from workers.history import kept_dispatches
from workers.providers.base import CALL_SECONDS, EXECUTION_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.dispatch import Dispatch
    from workers.hold import Hold
    from workers.providers.base import Listed
    from workers.record import Record
    from workers.settle import Stepped
    from workers.tools import Tools

LOST_SECONDS: Final = 1.0
SWEEP_SECONDS: Final = 300.0
"""How long a sweep is tried when LiveKit does not answer."""

log = structlog.get_logger(__name__)


async def sweep(hold: Hold, tools: Tools) -> Record:
    """Find what calls of earlier sessions of this name left in the present one: that must go.

    The name is looked at again when a call that had just begun must be over.
    """
    record, provider = hold.record, tools.providers[hold.server_id]
    try:
        sid = await provider.room_sid(hold.room)
        await tools.queue.keep(hold, CALL_SECONDS + 1)
        listed = await provider.dispatches(hold.room) if sid is not None else []
        enough = EXECUTION_SECONDS
    except ProviderError as error:
        log.warning("sweep_failed", room=hold.room, error=str(error))
        enough, listed = SWEEP_SECONDS, []
    now = tools.queue.now()
    record = record.with_unwanted({d.id: d.agent for d in listed if _strayed(d, record, sid)}, now)
    if now - record.sweep_since >= enough:
        return replace(record, sweep=())
    return replace(record, sweep_due=now + EXECUTION_SECONDS)


def _strayed(dispatch: Listed, record: Record, sid: str | None) -> bool:
    attributes = dispatch.attributes
    return attributes.get(ID_ATTRIBUTE) in record.sweep and attributes.get(SID_ATTRIBUTE) != sid


def have_looked_at(results: Sequence[Stepped], hold: Hold, tools: Tools) -> None:
    """The room was lost while calls were under way: whoever has it is asked to look at it, for what
    they have made. Only who has the room deletes, for it may have taken that up as its own.

    Calls that were not answered may still be carried out: after those it is asked once more.
    """
    for each in results:
        if each.dispatch.apart and each.dispatch.dispatch_id is not None:
            tools.errands.start(_gone_unless_known(each.dispatch, hold.server_id, tools))
    known = {d.dispatch_id for d in hold.record.dispatches.values()}
    ids = [i for each in results for i in (each.dispatch.dispatch_id, *each.unwanted)]
    made = [i for i in ids if i is not None and i not in known]
    is_unclear = any(each.dispatch.step is Step.SETTLE for each in results)
    # Not when those are due: who knows when a process that stood still has sent them.
    waits = ([0.0] if made else []) + ([EXECUTION_SECONDS] if is_unclear else [])
    for seconds in waits:
        tools.errands.start(_have_looked_at(hold, tools, seconds, made))


async def _gone_unless_known(dispatch: Dispatch, server_id: str, tools: Tools) -> None:
    """What was made in another room than the lost one goes, unless whoever has that takes it up."""
    place = tools.server_of(dispatch.provider, server_id)
    if place not in tools.providers:  # there, nothing can be told from what is meant to be there
        return
    made = str(dispatch.dispatch_id)
    while True:
        await asyncio.sleep(2 * EXECUTION_SECONDS)  # by then it is taken up, or never
        try:
            kept = (await kept_dispatches(tools.queue.redis, [dispatch.id])).get(dispatch.id)
            if kept is not None and kept.dispatch_id == made:
                return
            if kept is None or kept.dispatch_id is not None or not kept.live:
                room, unwanted = dispatch.target or dispatch.room, {made: dispatch.agent}
                await tools.queue.offer(clear_offer(str(place), room, unwanted))
                return
        except RedisError as error:
            log.warning("stray_not_cleared", room=dispatch.room, error=str(error))


async def _have_looked_at(hold: Hold, tools: Tools, seconds: float, made: Sequence[str]) -> None:
    await asyncio.sleep(seconds)
    asked = look_offer(hold.server_id, hold.room, f"{hold.token}-{seconds:.0f}", made)
    while True:
        try:
            await tools.queue.offer(asked)
        except RedisError as error:
            log.warning("look_not_asked_for", room=hold.room, error=str(error))
            await asyncio.sleep(LOST_SECONDS)
        else:
            return
