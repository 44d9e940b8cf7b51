"""Committing what came of effects, and telling of what has moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.frozen import replace
from workers import counted, notices
from workers.history import dispatch_document
from workers.tallies import of_dispatches
from workers.telling import tell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workers.dispatch import Dispatch
    from workers.hold import Hold, Note
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
    """Commit dispatches after their steps, and what follows from them."""
    now, record = tools.queue.now(), hold.record
    changed = [each.dispatch for each in stepped]
    changed += [each.follower for each in stepped if each.follower is not None]
    record = record.with_dispatches(changed).with_replaced(changed, now)
    for each in stepped:
        record = record.with_unwanted(dict.fromkeys(each.unwanted, each.dispatch.agent), now)
        record = replace(record, unwanted=(*record.unwanted, *each.removed))
        if each.coming:
            record = record.with_coming(each.dispatch, now)
        if each.held:
            record = record.with_held(each.dispatch)
        if each.look:
            record = replace(record, look_due=now)
    await write_record(hold, tools, record, changed)


async def write_record(
    hold: Hold,
    tools: Tools,
    record: Record,
    changed: Sequence[Dispatch] = (),
    *,
    taken: str = "",
    notes: Sequence[Note] = (),
) -> None:
    """Commit a record; `changed` are the dispatches in it that are not as they were.

    `taken` and `notes` are what `DueQueue.commit` takes.

    Raises:
        Fenced, RedisError: as that.
    """
    before = hold.record.dispatches
    documents = [dispatch_document(before.get(d.id), d) for d in changed]
    now, redaction = tools.queue.now(), tools.queue.redaction
    told = notices.of_dispatches(tools.topics, before, changed, now, redaction)
    notes = [*of_dispatches(before, changed), *told, *notes]
    counts = counted.of_dispatches(before, changed)
    await tools.queue.commit(hold, record, documents, taken=taken, notes=notes, counts=counts)
    tell_moved(before, changed, tools)


def tell_moved(before: Mapping[str, Dispatch], changed: Sequence[Dispatch], tools: Tools) -> None:
    """Log and trace the dispatches that are not where they were."""
    for dispatch in changed:
        if has_moved(before.get(dispatch.id), dispatch):
            tell(dispatch)
            if tools.traces is not None:
                tools.traces.moved(dispatch)


def has_moved(before: Dispatch | None, after: Dispatch) -> bool:
    """Whether a dispatch has come to another state or heard another reason."""
    return before is None or before.moves != after.moves
