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
    from workers.metrics import Count, Metric

JOINED: Final = "joined"
_EVENTS: Final = frozenset(EventName)
_WORDS: Final = frozenset({*Why, Reason.ROOM_ENDED})
"""Reasons that are ours; a provider's own words are without bound."""


def of_event(event: Event, decisions: Sequence[Decision]) -> list[Count]:
    """An event, and what each rule said of it."""
    name = event.name if event.name in _EVENTS else metrics.OTHER
    counts: list[Count] = [(metrics.EVENTS.field(name), 1)]
    field = metrics.DECISIONS.field
    counts += [(field(d.rule, d.outcome.value, d.reason.value), 1) for d in decisions]
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
    field = metrics.DISPATCHES.field
    counts: list[Count] = [(field(*route, s.value), 1) for s in _reached(earlier, dispatch)]
    accepted, joined = dispatch.accepted_at, dispatch.joined_at
    if accepted is not None and (earlier is None or earlier.accepted_at is None):
        counts += _since_webhook(metrics.ACCEPTED, dispatch, accepted)
    if joined is None and dispatch.reason is not None:
        counts += _without(earlier, dispatch, route)
    elif joined is not None and (earlier is None or earlier.joined_at is None):
        counts.append((metrics.OUTCOMES.field(*route, JOINED), 1))
        counts += metrics.JOINED.observed(max(0.0, joined - (accepted or joined)), *route)
        counts += _since_webhook(metrics.ANSWERED, dispatch, joined)
    return counts


def _without(
    earlier: Dispatch | None, dispatch: Dispatch, route: tuple[str, str, str]
) -> list[Count]:
    """A dispatch of which it is known now that no agent has come."""
    outcome = outcome_of(earlier, dispatch)
    if outcome is None:
        return []
    word = outcome.reason if outcome.reason in _WORDS else metrics.OTHER
    return [(metrics.OUTCOMES.field(*route, word), 1)]


def _since_webhook(metric: Metric, dispatch: Dispatch, at: float) -> Iterable[Count]:
    """How long it has taken: not by hand, nor after a wait, nor where another came before it."""
    is_first = dispatch.rule and not dispatch.follows
    if not is_first or (dispatch.moves and dispatch.moves[0].state is State.SCHEDULED):
        return ()
    return metric.observed(max(0.0, at - dispatch.received_at), dispatch.provider)


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


def _reached(earlier: Dispatch | None, dispatch: Dispatch) -> Iterable[State]:
    """The states it has come to; no state comes twice."""
    moves = dispatch.moves
    before = earlier.moves if earlier is not None else ()
    if len(moves) - len(before) == 1:  # as nearly always
        was = earlier.state if earlier is not None else None
        return () if moves[-1].state is was else (moves[-1].state,)
    return {move.state for move in moves} - {move.state for move in before}
