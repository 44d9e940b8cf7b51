"""Every rule's outcome on one event, as JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rules.decide import decide
from rules.known import NOTHING, Known
from rules.session import Session, observe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.decision import Decision, Plan
    from rules.event import Event
    from rules.ruleset import Ruleset


def explain(
    ruleset: Ruleset, event: Event, session: Session | None = None, known: Known = NOTHING
) -> dict[str, Any]:
    """Explain an event.

    Args:
        ruleset: the rules.
        event: as `read_event` gives it, or filled in already.
        session: what is known of the room; the event is applied to it here.
        known: which dispatches there are.

    Returns:
        What `rules explain --json` prints of one event.
    """
    if not event.id:
        event = replace(event, id="explained")
    session, event = observe(session or Session(sid=event.room_sid), event)
    return explained(event, decide(ruleset, event, session, known))


def explained(event: Event, decisions: Sequence[Decision]) -> dict[str, Any]:
    """An event's decisions as `rules explain --json` prints them."""
    return {
        "event": event.name,
        "room": event.room_name,
        "decisions": [_decision(decision) for decision in decisions],
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "rule": decision.rule,
        "outcome": decision.outcome.value,
        "reason": decision.reason.value,
        "at": decision.at,
        "dispatches": [_dispatch(plan) for plan in decision.plans],
    }


def _dispatch(plan: Plan) -> dict[str, Any]:
    return {
        "provider": plan.provider.value,
        "agent": plan.agent,
        "deployment": plan.deployment,
        "metadata": plan.metadata,
        "attributes": dict(plan.attributes),
        "restart_policy": plan.restart_policy.value,
    }
