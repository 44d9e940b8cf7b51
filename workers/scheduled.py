"""Dispatches that wait for their `after`, and what becomes of them when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from rules.decision import Once, Reason, Refusal, read_claim
from rules.delay import refusal_when_due, session_over
from rules.event import read_event
from rules.frozen import replace
from workers.dispatch import State, Step
from workers.writing import write

if TYPE_CHECKING:
    from rules.session import Session
    from workers.dispatch import Dispatch
    from workers.hold import Hold
    from workers.tools import Tools

log = structlog.get_logger(__name__)


async def end_waits(hold: Hold, tools: Tools) -> None:
    """Release what is not wanted any more, and have the rest called: everything that is due now.

    Raises:
        Fenced, RedisError: as `DueQueue.commit`.
    """
    now = tools.queue.now()
    due = [d for d in hold.record.dispatches.values() if d.step is Step.WAIT and d.due <= now]
    if due:
        await write(hold, tools, [await _after_wait(d, hold, tools, now) for d in due])


async def _after_wait(dispatch: Dispatch, hold: Hold, tools: Tools, now: float) -> Dispatch:
    session = hold.record.session
    if dispatch.is_restart:
        return _to_replace(dispatch, session, now)
    refusal = await _refusal(dispatch, session, tools)
    if refusal is None:
        # Its room was last known to be there some time ago: 0 makes the call look first.
        return dispatch.to(
            State.REQUESTED, None, now, step=Step.CREATE, due=now, event_at=0.0, origin={}
        )
    if tools.queue.may_have_forgotten(dispatch.due):  # it may have been called, and forgotten
        dispatch = replace(dispatch, doubtful=True)
    return dispatch.ended(State.RELEASED, refusal.reason, now)


def _to_replace(dispatch: Dispatch, session: Session | None, now: float) -> Dispatch:
    """Its agent has failed. It is sent anew where somebody is there to talk to."""
    if session is None or session.ended or session.sid != dispatch.room_sid:
        return dispatch.ended(State.RELEASED, Reason.ROOM_ENDED, now)
    once = read_claim(dispatch.claim).once
    if once is not Once.ROOM and dispatch.participant and not session.present(dispatch.participant):
        return dispatch.ended(State.RELEASED, Reason.PARTICIPANT_GONE, now)
    if not session.humans:
        return replace(dispatch, step=Step.OWE)  # owed to the next human
    return replace(dispatch, step=Step.REPLACE, due=now)


async def _refusal(dispatch: Dispatch, session: Session | None, tools: Tools) -> Refusal | None:
    """Why it is not wanted any more, by its rule as it was when it matched."""
    if session is None:
        return Refusal(Reason.ROOM_ENDED, None, "the room is not known")
    event = read_event(dispatch.origin)
    ruleset = await tools.rules.recall(dispatch.rules_hash, tools.queue.redis)
    rule = ruleset.rule(dispatch.rule) if ruleset is not None else None
    if rule is not None:
        return refusal_when_due(rule, event, session)
    log.warning("rules_forgotten", hash=dispatch.rules_hash, rule=dispatch.rule)
    return session_over(event, session)  # it matched: nothing is known that speaks against it
