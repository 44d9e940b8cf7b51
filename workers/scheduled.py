"""Dispatches that wait for their `after`, and what becomes of them when it is over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rules.decision import Reason
from rules.delay import refusal_when_due
from rules.event import read_event
from workers.dispatch import State, Step
from workers.writing import write

if TYPE_CHECKING:
    from rules.rule import Rule
    from workers.dispatch import Dispatch
    from workers.inbox import Hold
    from workers.tools import Tools

RULE_GONE: Final = "its rule is no longer there"


async def end_waits(hold: Hold, tools: Tools) -> None:
    """Release what is not wanted any more, and have the rest called: everything that is due now.

    Raises:
        Fenced, RedisError: as `DueQueue.commit`.
    """
    now = tools.queue.now()
    due = [d for d in hold.record.dispatches.values() if d.step is Step.WAIT and d.due <= now]
    if due:
        await write(hold, tools, [_ended(dispatch, hold, tools, now) for dispatch in due])


def _ended(dispatch: Dispatch, hold: Hold, tools: Tools, now: float) -> Dispatch:
    session = hold.record.session
    if session is None:
        return dispatch.ended(State.RELEASED, Reason.ROOM_ENDED, now)
    rule = _rule(dispatch, tools)
    if rule is None:
        return dispatch.ended(State.RELEASED, RULE_GONE, now)
    refusal = refusal_when_due(rule, read_event(dispatch.origin), session)
    if refusal is not None:
        return dispatch.ended(State.RELEASED, refusal.reason, now)
    # Its room was last known to be there some time ago: 0 makes the call look first.
    return replace(
        dispatch, state=State.REQUESTED, step=Step.CREATE, due=now, event_at=0.0, origin={}
    )


def _rule(dispatch: Dispatch, tools: Tools) -> Rule | None:
    """The rule as it was when it matched; where this process never had it, as it is now."""
    ruleset = tools.rules.of(dispatch.rules_hash) or tools.ruleset
    return ruleset.rule(dispatch.rule)
