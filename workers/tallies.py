"""What is counted as it happens, in the same write as what is counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rules.decision import Outcome
from workers import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rules.decision import Decision
    from workers.dispatch import Dispatch
    from workers.hold import Note

DAY_SECONDS: Final = 8 * 86400
_MATCHED: Final = frozenset({Outcome.DISPATCH, Outcome.SHADOW})


def of_decisions(decisions: Sequence[Decision], now: float) -> list[Note]:
    """The rules that have matched, shadow rules too."""
    notes: list[Note] = []
    for decision in decisions:
        if decision.outcome in _MATCHED:
            notes.append(("HINCRBY", keys.HITS, decision.rule, "1"))
            notes.append(("HSET", keys.LAST_HITS, decision.rule, f"{now * 1000:.0f}"))
    return notes


def of_dispatches(before: Mapping[str, Dispatch], changed: Iterable[Dispatch]) -> list[Note]:
    """The agents that have joined: the sessions of their day.

    `before` are the dispatches as they were, by id.
    """
    notes: list[Note] = []
    for dispatch in changed:
        earlier = before.get(dispatch.id)
        is_new = earlier is None or earlier.joined_at is None
        if dispatch.joined_at is not None and is_new:
            day = keys.DAY + date_of(dispatch.joined_at)
            notes.append(("HINCRBY", day, agent_key(dispatch.agent, dispatch.deployment), "1"))
            notes.append(("EXPIRE", day, str(DAY_SECONDS)))
    return notes


def agent_key(agent: str, deployment: str) -> str:
    """An agent of a deployment, as counters name it."""
    return f"{agent}\x1f{deployment}"


def date_of(at: float) -> str:
    """The day, UTC, of a time in Unix seconds, as `2026-03-02`."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()
