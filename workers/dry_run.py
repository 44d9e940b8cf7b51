"""DISPATCHER_DRY_RUN: everything is decided as usual, and no agent is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.settle import Stepped
from workers.states import State, Step

if TYPE_CHECKING:
    from workers.dispatch import Dispatch
    from workers.hold import Hold
    from workers.tools import Tools


async def create(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:  # noqa: ARG001 - a step
    """It would be sent now. It counts as live until its room, or its release, ends it."""
    now = tools.queue.now()
    nothing = {"step": Step.NOTHING, "due": 0.0, "called_at": None, "called_by": "", "failures": 0}
    return Stepped(dispatch.to(State.DRY_RUN, None, now, fallback=(), **nothing))
