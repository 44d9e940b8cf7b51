"""Committing what came of effects, and telling of what has moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.dispatch import Dispatch, Step
from workers.history import dispatch_document, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.inbox import Hold
    from workers.record import Record
    from workers.settle import Stepped
    from workers.tools import Tools


async def write(hold: Hold, tools: Tools, changed: Sequence[Dispatch]) -> None:
    """Commit dispatches as they stand now.

    Raises:
        Fenced, RedisError: as `DueQueue.commit`.
    """
    await write_record(hold, tools, hold.record.with_dispatches(changed), changed)


async def write_stepped(hold: Hold, tools: Tools, stepped: Sequence[Stepped]) -> None:
    """Commit dispatches after their steps, and what must go from LiveKit because of them."""
    changed = [each.dispatch for each in stepped]
    unwanted = [dispatch_id for each in stepped for dispatch_id in each.unwanted]
    record = hold.record.with_dispatches(changed).with_unwanted(unwanted, tools.queue.now())
    await write_record(hold, tools, record, changed)


async def write_record(
    hold: Hold, tools: Tools, record: Record, changed: Sequence[Dispatch] = ()
) -> None:
    """Commit a record; `changed` are the dispatches in it that are not as they were."""
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
