"""DISPATCHER_DRY_RUN: everything is decided as usual, and no agent is sent.

What is to be created is not: it is marked so before any look or call, so that nothing in LiveKit is
taken for it, least of all what another dispatcher beside this one has made by the same rules. What
was sent before the dry run is seen to, but nothing takes its place: so it is left where it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules.frozen import replace
from workers.reasons import Why
from workers.states import State, Step
from workers.writing import write

if TYPE_CHECKING:
    from workers.dispatch import Dispatch
    from workers.hold import Hold
    from workers.tools import Tools

_MAKING: Final = frozenset({Step.CREATE, Step.REPLACE, Step.CLEAR})


async def rehearse(hold: Hold, tools: Tools) -> None:
    """Have nothing sent that is due.

    Raises:
        Fenced, RedisError: as `DueQueue.commit`.
    """
    now = tools.queue.now()
    due = [d for d in hold.record.dispatches.values() if _is_sending(d, now)]
    if due:
        await write(hold, tools, [_rehearsed(d, now) for d in due])


async def end(hold: Hold, tools: Tools) -> None:
    """The dry run is over: free the claims that it has left.

    Raises:
        Fenced, RedisError: as `DueQueue.commit`.
    """
    now, dispatches = tools.queue.now(), hold.record.dispatches.values()
    left = [d for d in dispatches if d.state is State.DRY_RUN and d.live]
    if left:
        why = Why.DRY_RUN_OVER.value
        await write(hold, tools, [d.ended(State.DRY_RUN, why, now) for d in left])


def _is_sending(dispatch: Dispatch, now: float) -> bool:
    """Whether what is due for it would send an agent, now or once one that is late has gone."""
    step = dispatch.due_step(now)
    return (step in _MAKING and dispatch.called_at is None) or step is Step.JOIN


def _rehearsed(dispatch: Dispatch, now: float) -> Dispatch:
    if dispatch.due_step(now) is Step.JOIN:  # it was sent before: its fallback would not be
        return replace(dispatch, join_by=None)
    nothing = {"step": Step.NOTHING, "due": 0.0, "called_by": "", "failures": 0, "fallback": ()}
    return dispatch.to(State.DRY_RUN, None, now, **nothing)
