"""Every rule's outcome on one event, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.decision import Decision, Plan
    from rules.event import Event


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
