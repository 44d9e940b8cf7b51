"""What is counted as it happens, in the same write as what is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules.decision import Outcome
from workers import keys
from workers.clock import date_of
from workers.outcomes import of_outcomes
from workers.places import agent_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rules.decision import Decision
    from workers.dispatch import Dispatch
    from workers.hold import Note

_MATCHED: Final = frozenset({Outcome.DISPATCH, Outcome.SHADOW})


def of_decisions(decisions: Sequence[Decision], now: float) -> list[Note]:
    """The rules that have matched, shadow rules too."""
    notes: list[Note] = []
    for decision in decisions:
        if decision.outcome in _MATCHED:
            notes.append(("HINCRBY", keys.HITS, decision.rule, "1"))
            notes.append(("HSET", keys.LAST_HITS, decision.rule, f"{now * 1000:.0f}"))
    return notes


def of_dispatches(before: Mapping[str, Dispatch], changed: Sequence[Dispatch]) -> list[Note]:
    """What has become of dispatches: outcomes, and sessions of a day.

    `before` are they as they were, by id.
    """
    notes = of_outcomes(before, changed)
    for dispatch in changed:
        earlier = before.get(dispatch.id)
        is_new = earlier is None or earlier.joined_at is None
        if dispatch.joined_at is not None and is_new:
            day = keys.DAY + date_of(dispatch.joined_at)
            notes.append(("HINCRBY", day, agent_key(dispatch.agent, dispatch.deployment), "1"))
            notes.append(("EXPIRE", day, str(keys.DAY_SECONDS)))
    return notes
