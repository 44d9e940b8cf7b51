"""What is logged of dispatches and decisions: one line each, for whoever reads along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from rules.decision import Outcome
from workers.clock import rfc3339
from workers.dispatch import Dispatch, State, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.decision import Decision
    from rules.event import Event
    from workers.redacting import Redaction

log = structlog.get_logger(__name__)

_TOLD: Final = {
    State.SCHEDULED: "dispatch_scheduled",
    State.PENDING: "dispatched",
    State.ACTIVE: "agent_joined",
    State.ENDED: "dispatch_ended",
    State.RELEASED: "dispatch_released",
    State.SUPERSEDED: "dispatch_superseded",
    State.FAILED: "dispatch_failed",
    State.DRY_RUN: "dry_run",
}
_TOLD_AGAIN: Final = {State.PENDING: "no_agent_yet", State.ACTIVE: "agent_reconnects"}
"""A reason in these states says that all is not well."""
_WARNINGS: Final = frozenset({"dispatch_superseded", "dispatch_failed", "no_agent_yet"})


def tell(dispatch: Dispatch) -> None:
    """Log a dispatch that has moved: one line, for whoever reads along."""
    about: dict[str, object] = {"room": dispatch.room, "rule": dispatch.rule}
    about |= {"agent": dispatch.agent, "deployment": dispatch.deployment, "dispatch": dispatch.id}
    about["event_id"] = dispatch.event_id
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


def tell_errors(event: Event, decisions: Sequence[Decision], redaction: Redaction) -> None:
    """Log the rules that failed on an event: nobody else would see that an agent is missing."""
    failed = [decision for decision in decisions if decision.outcome is Outcome.ERROR]
    if failed:
        for decision in redaction.decisions(event.to_json(), failed):
            log.warning(
                "rule_failed",
                room=event.room_name,
                rule=decision.rule,
                event_id=event.id,
                reason=decision.reason.value,
                at=decision.at,
                detail=decision.detail,
            )
