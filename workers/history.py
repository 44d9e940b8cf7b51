"""What is kept for people to look at: dispatches, events with their decisions, dead letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from rules.decision import Outcome, Reason
from workers import keys
from workers.clock import rfc3339
from workers.dispatch import Dispatch, State, Step
from workers.hold import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rules.decision import Decision
    from rules.event import Event
    from workers.hold import Hold


log = structlog.get_logger(__name__)


def dispatch_document(dispatch: Dispatch, lives: int) -> Document:
    """A dispatch as it stands now; it replaces the one kept before."""
    more = {
        "timeline": timeline(dispatch),
        "latency": latency(dispatch),
        "rung": dispatch.rung,
        "follows": dispatch.follows or None,
    }
    return Document(
        key=keys.DISPATCH + dispatch.id,
        value={**dispatch.to_json(), **more},
        lives=lives,
        index=keys.DISPATCHES,
        at=dispatch.created_at,
    )


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


_TOLD: Final = {
    State.SCHEDULED: "dispatch_scheduled",
    State.PENDING: "dispatched",
    State.ACTIVE: "agent_joined",
    State.ENDED: "dispatch_ended",
    State.RELEASED: "dispatch_released",
    State.SUPERSEDED: "dispatch_superseded",
    State.FAILED: "dispatch_failed",
}
_TOLD_AGAIN: Final = {State.PENDING: "no_agent_yet", State.ACTIVE: "agent_reconnects"}
"""A reason in these states says that all is not well."""
_WARNINGS: Final = frozenset({"dispatch_superseded", "dispatch_failed", "no_agent_yet"})


def tell(dispatch: Dispatch) -> None:
    """Log a dispatch that has moved: one line, for whoever reads along."""
    about: dict[str, object] = {"room": dispatch.room, "rule": dispatch.rule}
    about |= {"agent": dispatch.agent, "deployment": dispatch.deployment, "dispatch": dispatch.id}
    if dispatch.reason is not None:
        about["reason"] = dispatch.reason
    if dispatch.state is State.REQUESTED:
        if dispatch.failures or dispatch.step is Step.SETTLE:
            log.warning("dispatch_retried", **about)
        return
    event = _TOLD[dispatch.state]
    if dispatch.reason is not None:
        event = _TOLD_AGAIN.get(dispatch.state, event)
    if dispatch.withdrawn is State.RELEASED:
        event = "dispatch_withdrawing"
    match event:
        case "dispatch_scheduled":
            about["due"] = rfc3339(dispatch.due)
        case "dispatched":
            about["livekit_dispatch"] = dispatch.dispatch_id
        case "agent_joined":
            about["identity"] = dispatch.agent_identity
    level = "warning" if event in _WARNINGS else "info"
    getattr(log, level)(event, **about)


def tell_errors(event: Event, decisions: Sequence[Decision]) -> None:
    """Log the rules that failed on an event: nobody else would see that an agent is missing."""
    for decision in decisions:
        if decision.outcome is Outcome.ERROR:
            log.warning(
                "rule_failed",
                room=event.room_name,
                rule=decision.rule,
                event_id=event.id,
                reason=decision.reason.value,
                at=decision.at,
                detail=decision.detail,
            )


def event_documents(
    hold: Hold,
    event_id: str,
    event: Event,
    decisions: Sequence[Decision],
    dispatches: Iterable[Dispatch],
    *,
    rules_hash: str,
    now: float,
    lives: int,
) -> list[Document]:
    """An event, and what each rule said of it that it could concern."""
    sent: dict[str, list[str]] = {}
    for dispatch in dispatches:
        sent.setdefault(dispatch.rule, []).append(dispatch.id)
    value = {
        "id": event.id,
        "event": event.name,
        "room": event.room_name,
        "room_sid": event.room_sid,
        "at": rfc3339(event.at),
        "decided_at": rfc3339(now),
        "rules_hash": rules_hash,
        "decisions": [
            {
                "rule": d.rule,
                "outcome": d.outcome.value,
                "reason": d.reason.value,
                "at": d.at,
                "detail": d.detail,
                "dispatches": sent.get(d.rule, []) if d.reason is Reason.MATCHED else [],
            }
            for d in decisions
        ],
        "body": event.to_json(),
    }
    key = f"{keys.EVENT}{hold.server_id}:{event_id}"
    return [Document(key=key, value=value, lives=lives, index=keys.EVENTS, at=now)]


def dead_letter(
    hold: Hold,
    event_id: str,
    body: object,
    error: str,
    *,
    now: float,
    lives: int,
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
    key = f"{keys.DEAD}{hold.server_id}:{event_id}"
    return Document(key=key, value=value, lives=lives, index=keys.DEAD_LETTERS, at=now)
