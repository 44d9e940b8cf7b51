"""What is counted of decisions and dispatches, for metrics: once they are committed.

What history counts for the pages (workers/tallies.py) is written with the commit itself. These
are more, and may be a second late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules.decision import Reason
from rules.event import EventName
from workers import metrics
from workers.outcomes import outcome_of
from workers.reasons import Why
from workers.states import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rules.decision import Decision
    from rules.event import Event
    from workers.dispatch import Dispatch
    from workers.metrics import Count

JOINED: Final = "joined"
_EVENTS: Final = frozenset(EventName)
_WORDS: Final = frozenset({*Why, Reason.ROOM_ENDED})
"""Reasons that are ours; a provider's own words are without bound."""


def of_event(event: Event, decisions: Sequence[Decision]) -> list[Count]:
    """An event, and what each rule said of it."""
    name = event.name if event.name in _EVENTS else metrics.OTHER
    counts: list[Count] = [(metrics.EVENTS.field(name), 1)]
    field = metrics.DECISIONS.field
    counts += [(field(d.rule, d.outcome, d.reason), 1) for d in decisions]
    return counts


def of_dispatches(before: Mapping[str, Dispatch], changed: Iterable[Dispatch]) -> list[Count]:
    """What has become of dispatches. `before` are they as they were, by id."""
    counts: list[Count] = []
    for dispatch in changed:
        earlier = before.get(dispatch.id)
        if earlier is None:
            counts += _taken_over(before, dispatch)
        elif dispatch.failures > earlier.failures:
            counts.append((metrics.RETRIES.field(dispatch.provider), 1))
        if earlier is None or earlier.moves is not dispatch.moves:
            counts += _moved(earlier, dispatch)
    return counts


def _moved(earlier: Dispatch | None, dispatch: Dispatch) -> list[Count]:
    route = (dispatch.provider, dispatch.agent, dispatch.deployment)
    reached = _states(dispatch) if earlier is None else _states(dispatch) - _states(earlier)
    counts: list[Count] = [(metrics.DISPATCHES.field(*route, state), 1) for state in reached]
    outcome = outcome_of(earlier, dispatch)
    if outcome is not None:
        told = outcome.reason if outcome.reason in _WORDS else metrics.OTHER
        word = JOINED if outcome.join_ms is not None else told
        counts.append((metrics.OUTCOMES.field(*route, word), 1))
    accepted, joined = dispatch.accepted_at, dispatch.joined_at
    is_fresh = _is_of_webhook(dispatch)
    if accepted is not None and (earlier is None or earlier.accepted_at is None) and is_fresh:
        took = max(0.0, accepted - dispatch.received_at)
        counts += metrics.ACCEPTED.observed(took, dispatch.provider)
    if joined is not None and (earlier is None or earlier.joined_at is None):
        counts += metrics.JOINED.observed(max(0.0, joined - (accepted or joined)), *route)
        if is_fresh:
            took = max(0.0, joined - dispatch.received_at)
            counts += metrics.ANSWERED.observed(took, dispatch.provider)
    return counts


def _taken_over(before: Mapping[str, Dispatch], dispatch: Dispatch) -> list[Count]:
    """A dispatch that is new, if it has taken over from another."""
    followed = before.get(dispatch.follows)
    if followed is None:
        return []
    route = (dispatch.provider, dispatch.agent, dispatch.deployment)
    if dispatch.rung > followed.rung:
        return [(metrics.FALLBACKS.field(*route), 1)]
    if dispatch.is_restart:
        return [(metrics.RESTARTS.field(*route), 1)]
    return []


def _states(dispatch: Dispatch) -> frozenset[State]:
    return frozenset(move.state for move in dispatch.moves)


def _is_of_webhook(dispatch: Dispatch) -> bool:
    """Whether its time runs from an event's arrival: not by hand, nor after a wait, nor another."""
    is_first = bool(dispatch.rule) and not dispatch.follows
    return is_first and not (dispatch.moves and dispatch.moves[0].state is State.SCHEDULED)
