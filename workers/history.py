"""What is kept for people to look at: dispatches, events with their decisions, dead letters.

A dispatch is kept as in its room's record, an event with what cannot be told from it. What people
see is made when they look: it is written far more often than it is read.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog

from rules.decision import Reason
from rules.event import read_event
from workers import keys
from workers.clock import rfc3339
from workers.hold import Document
from workers.kept import from_record, to_record
from workers.places import Route, place, shared
from workers.shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from redis.asyncio import Redis

    from rules.decision import Decision
    from rules.event import Event
    from workers.dispatch import Dispatch
    from workers.hold import Hold

AFTER_SECONDS: Final = 0.000_002
"""How much later one is listed that took over from another: what scores can tell apart."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


def dispatch_document(before: Dispatch | None, dispatch: Dispatch) -> Document:
    """A dispatch as it stands now; it replaces the one kept `before`, if there was one."""
    where = place(dispatch.room, dispatch.id)
    return Document(
        key=keys.DISPATCH + dispatch.id,
        value=to_record(dispatch),
        # Those that follow each other within a millisecond stand in their order.
        at=dispatch.created_at + AFTER_SECONDS * (dispatch.rung + dispatch.attempt - 1),
        place=where,
        index=keys.DISPATCHES,
        by_room=keys.DISPATCHES_OF + shared(where),
        state=dispatch.state.value,
        before=before.state.value if before is not None else "",
        route=Route(dispatch.rule, dispatch.agent, dispatch.deployment).key,
    )


def readable(key: str, document: bytes | str, read: Callable[[bytes | str], T]) -> T | None:
    """What was kept there, by one of the functions below.

    None if it cannot be read: another version may have written it, and hides nothing but itself.
    """
    try:
        return read(document)
    except (LookupError, TypeError, ValueError) as error:
        log.warning("history_not_read", key=key, error=repr(error))
        return None


def read_dispatch(document: bytes | str) -> Dispatch:
    """A dispatch that was kept.

    Raises:
        LookupError, TypeError, ValueError: it is not that.
    """
    return from_record(json.loads(document))


async def kept_dispatches(redis: Redis, dispatch_ids: Sequence[str]) -> dict[str, Dispatch]:
    """Those of some dispatches that history has and can read, by our ids of them.

    Raises:
        RedisError: Redis could not be reached.
    """
    names = [keys.DISPATCH + each for each in dispatch_ids]
    documents = await redis.mget(names) if names else []
    read = {
        dispatch_id: readable(name, document, read_dispatch)
        for dispatch_id, name, document in zip(dispatch_ids, names, documents, strict=True)
        if document is not None
    }
    return {dispatch_id: found for dispatch_id, found in read.items() if found is not None}


def listed_dispatch(document: bytes | str) -> dict[str, Any]:
    """What people see of a dispatch that was kept, among others.

    Raises:
        LookupError, TypeError, ValueError: it is not that.
    """
    return shown(read_dispatch(document))


def shown_dispatch(document: bytes | str) -> dict[str, Any]:
    """All that people see of a dispatch that was kept.

    Raises:
        LookupError, TypeError, ValueError: it is not that.
    """
    dispatch = read_dispatch(document)
    return {
        **shown(dispatch),
        "timeline": timeline(dispatch),
        "latency": latency(dispatch),
        "rung": dispatch.rung,
        "follows": dispatch.follows or None,
    }


def timeline(dispatch: Dispatch) -> list[dict[str, str | None]]:
    """The moves of a dispatch, oldest first; each with its time, state and reason."""
    return [
        {"at": rfc3339(move.at), "state": move.state.value, "reason": move.reason}
        for move in dispatch.moves
    ]


def latency(dispatch: Dispatch) -> dict[str, int | None]:
    """What each part of a dispatch took, in ms; None where it has not come to that.

    From the webhook's arrival to the decision (of the first of those that took over from another),
    from then (or from the end of its `after`) to LiveKit's acceptance, and from that to the agent's
    join.
    """
    began = max(dispatch.created_at, min(dispatch.wanted_at, dispatch.accepted_at or 0.0))
    return {
        "decided_ms": None if dispatch.follows else _ms(dispatch.received_at, dispatch.created_at),
        "accepted_ms": _ms(began, dispatch.accepted_at),
        "joined_ms": _ms(dispatch.accepted_at, dispatch.joined_at),
    }


def _ms(since: float | None, until: float | None) -> int | None:
    if since is None or until is None:
        return None
    return max(0, round((until - since) * 1000))


def event_document(
    server_id: str,
    event_id: str,
    event: Event,
    decisions: Sequence[Decision],
    dispatches: Iterable[Dispatch],
    *,
    rules_hash: str,
    now: float,
    instant: float,
) -> Document:
    """An event, and what each rule said of it that it could concern.

    It was decided at `now`; among others it has its place by `instant`, which no other has.
    """
    sent: dict[str, list[str]] = {}
    for dispatch in dispatches:
        sent.setdefault(dispatch.rule, []).append(dispatch.id)
    value = {
        "decided_at": now,
        "rules_hash": rules_hash,
        "decisions": [
            (
                d.rule,
                d.outcome.value,
                d.reason.value,
                sent.get(d.rule, []) if d.reason is Reason.MATCHED else [],
                d.at,
                d.detail,
            )
            for d in decisions
        ],
        "body": event.to_json(),
    }
    where = place(event.room_name, f"{server_id}:{event_id}")
    return Document(
        key=f"{keys.EVENT}{server_id}:{event_id}",
        value=value,
        at=instant,
        place=where,
        index=keys.EVENTS,
        by_room=keys.EVENTS_OF + shared(where),
    )


def shown_event(document: bytes | str) -> dict[str, Any]:
    """What people see of an event that was kept.

    Raises:
        LookupError, TypeError, ValueError: it is not that.
    """
    kept = json.loads(document)
    event = read_event(kept["body"])
    return {
        "id": event.id,
        "event": event.name,
        "room": event.room_name,
        "room_sid": event.room_sid,
        "at": rfc3339(event.at),
        "decided_at": rfc3339(kept["decided_at"]),
        "rules_hash": kept["rules_hash"],
        "decisions": [
            {"rule": rule, "outcome": outcome, "reason": reason, "at": at, "detail": detail,
             "dispatches": dispatches}
            for rule, outcome, reason, dispatches, at, detail, *_ in kept["decisions"]
        ],
        "body": kept["body"],
        "redacted": list(kept.get("redacted", ())),
    }  # fmt: skip


def dead_letter(
    hold: Hold,
    event_id: str,
    body: object,
    error: str,
    *,
    now: float,
) -> Document:
    """An event that could not be decided, with what it raised, to be looked at and replayed."""
    value = {
        "id": event_id,
        "server": hold.server_id,
        "room": hold.room,
        "at": rfc3339(now),
        "error": error,
        "body": body,
    }
    document_id = f"{hold.server_id}:{event_id}"
    return Document(
        key=keys.DEAD + document_id,
        value=value,
        at=now,
        place=place(hold.room, document_id),
        index=keys.DEAD_LETTERS,
    )
