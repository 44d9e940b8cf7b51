"""What calls have left where it should not be: in the next session of a room's name, or in a room
that was lost while they were under way.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
from redis.exceptions import RedisError

from workers.dispatch import ID_ATTRIBUTE, SID_ATTRIBUTE, Step
from workers.errors import ProviderError
from workers.providers.base import CALL_SECONDS, EXECUTION_SECONDS
from workers.removal import see_gone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.dispatch import Dispatch
    from workers.inbox import Hold
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


async def withdraw(results: Sequence[Stepped], hold: Hold, tools: Tools) -> None:
    """The room was lost while calls were under way: what they made and is not wanted must go.

    What the new holder has adopted is its own now. What it has not settled yet it will find when
    it looks; only a dispatch it has settled in another way is ours to take back.
    """
    current = await tools.queue.current(hold)
    ids = [dispatch_id for result in results for dispatch_id in result.unwanted]
    ids += [
        made.dispatch_id
        for made in (each.dispatch for each in results)
        if made.dispatch_id is not None and not _is_wanted(made, current, hold)
    ]
    if ids:
        provider, clock = tools.providers[hold.server_id], tools.queue.now
        adopted = partial(_adopted, hold, tools)
        tools.errands.start(see_gone(ids, hold.room, provider, clock, taken_up=adopted))


async def _adopted(hold: Hold, tools: Tools) -> frozenset[str]:
    """What the room's holder knows by now, as soon as Redis tells."""
    while True:
        try:
            return _known(await tools.queue.current(hold))
        except RedisError as error:
            log.warning("withdrawal_put_off", room=hold.room, error=str(error))
            await asyncio.sleep(LOST_SECONDS)


def _known(record: Record) -> frozenset[str]:
    """LiveKit's ids of the dispatches that a record knows, or is about to delete itself."""
    known = ((d.dispatch_id, d.replaces) for d in record.dispatches.values())
    return frozenset(dispatch_id for ids in known for dispatch_id in ids if dispatch_id)


def _is_wanted(made: Dispatch, current: Record, hold: Hold) -> bool:
    """Whether the new holder has what was made, or is sure to find it.

    What it has adopted is its own even when its agent has gone: it would take a deletion for
    somebody's hand, and send no other agent.
    """
    if made.dispatch_id in _known(current):
        return True
    kept = current.dispatches.get(made.id)
    if kept is None or not kept.live or kept.dispatch_id is not None:
        return False
    return kept.step is Step.SETTLE or kept.called_by == hold.token
