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
    """Have nothing sent that is due, or, where this is no dry run, end what one has left.

    Raises:
        Fenced, RedisError: as `DueQueue.commit`.
    """
    now = tools.queue.now()
    dispatches = hold.record.dispatches.values()
    if tools.dry_run:
        changed = [_rehearsed(d, now) for d in dispatches if _is_sending(d, now)]
    else:
        left = [d for d in dispatches if d.state is State.DRY_RUN and d.live]
        changed = [d.ended(State.DRY_RUN, Why.DRY_RUN_OVER.value, now) for d in left]
    if changed:
        await write(hold, tools, changed)


def _is_sending(dispatch: Dispatch, now: float) -> bool:
    """Whether what is due for it would send an agent, now or once one that is late has gone."""
    step = dispatch.due_step(now)
    return (step in _MAKING and dispatch.called_at is None) or step is Step.JOIN


def _rehearsed(dispatch: Dispatch, now: float) -> Dispatch:
    if dispatch.due_step(now) is Step.JOIN:  # it was sent before: its fallback would not be
        return replace(dispatch, join_by=None)
    nothing = {"step": Step.NOTHING, "due": 0.0, "called_by": "", "failures": 0, "fallback": ()}
    return dispatch.to(State.DRY_RUN, None, now, **nothing)
