"""Dispatches that the listing of their own room does not show, seen to step by step.

VideoSDK lists no dispatches and takes none back; and an agent may be sent into another room than
its event's, by the other provider. So it is looked for where it was sent: LiveKit shows the
dispatch by its attributes, VideoSDK who is in the meeting. There a call of which nobody knows
whether it was done is repeated only when, at its agent's deadline, that agent is not there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Final

import structlog

from rules.frozen import replace
from rules.session import joined_at
from workers.apart_seen import have_removed, look_for, order_of, place_of
from workers.dispatch import Dispatch, State, Step
from workers.errors import NoAgent, NotFound, NotSent, ProviderError, Unauthorized, Unclear
from workers.providers.base import CALL_SECONDS, EXECUTION_SECONDS
from workers.reasons import Why
from workers.releases import released
from workers.restarts import OWN_END, left
from workers.settle import Stepped, again, echoed, gave_up, later
from workers.taken import is_for, take, waiters

if TYPE_CHECKING:
    from workers.apart_seen import Place, Seen
    from workers.hold import Hold
    from workers.record import Record
    from workers.taken import Waiter
    from workers.tools import Tools

LOOK_SECONDS: Final = 1.0
"""Between two looks for an agent that no event tells of."""
WATCH_SECONDS: Final = 10.0
"""Between two looks whether it is there still."""
ABSENT_SECONDS: Final = 2.0
COMING_SECONDS: Final = 30.0
"""How long an agent that is not wanted any more may still be on its way."""
LOOKS_TO_BELIEVE: Final = 2

log = structlog.get_logger(__name__)

Carry = Callable[[Dispatch, "Hold", "Tools"], Awaitable[Stepped]]
"""A step of a dispatch, carried out."""


def _put_off(step: Carry) -> Carry:
    """A step that is tried later where the provider does not answer."""

    @wraps(step)
    async def carried(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
        try:
            return await step(dispatch, hold, tools)
        except ProviderError as error:
            log.warning("put_off", step=step.__name__, room=hold.room, error=str(error))
            return later(dispatch, str(error), tools)

    return carried


async def create(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """Have the agent sent; the record already says so."""
    place = place_of(dispatch, hold, tools)
    if place is None:
        reason = f"{Why.NOT_CONFIGURED}: {dispatch.provider} is not configured here"
        return gave_up(dispatch, reason, tools.queue.now())
    try:
        if (made_before := await _made_before(dispatch, hold, tools, place)) is not None:
            return made_before
        if place.lists is None:  # whose agent that is must be known before it comes
            await waiters([dispatch], place.server_id, place.room, tools)
        await tools.queue.keep(hold, CALL_SECONDS + 1)
        return await _call(dispatch, place, tools)
    except NoAgent as error:
        return gave_up(dispatch, f"{Why.NO_WORKER}: {error}", tools.queue.now())
    except (NotSent, Unauthorized, Unclear) as error:
        return again(dispatch, str(error), tools)
    except ProviderError as error:  # it refuses
        return gave_up(dispatch, str(error), tools.queue.now())


async def _made_before(
    dispatch: Dispatch, hold: Hold, tools: Tools, place: Place
) -> Stepped | None:
    """What follows where a call may have been made before this one; None: it is to be made."""
    has_forgotten = tools.queue.may_have_forgotten(dispatch.event_at)
    if not (dispatch.doubtful or dispatch.failures or has_forgotten):
        return None
    seen = await look_for(dispatch, hold, tools, place)
    if seen.made or seen.agent is not None:
        return _found(dispatch, seen, tools)
    now, enough = tools.queue.now(), dispatch.event_at + dispatch.patience
    if has_forgotten and place.lists is None and now < enough:  # its agent may be on its way
        return Stepped(replace(dispatch, due=min(enough, now + LOOK_SECONDS), called_at=None))
    return None


async def _call(dispatch: Dispatch, place: Place, tools: Tools) -> Stepped:
    began = tools.queue.now()
    try:
        with place.entered(dispatch):
            answer = await place.provider.create(order_of(dispatch, place))
    except Unclear as error:
        due = began + (EXECUTION_SECONDS if place.lists else dispatch.patience)
        now = tools.queue.now()
        return Stepped(dispatch.told(str(error), now, step=Step.SETTLE, due=due, called_at=None))
    stepped = echoed(dispatch, answer, tools)
    if place.lists is not None:
        await have_removed(stepped.unwanted, dispatch, place, tools)
        stepped = stepped._replace(unwanted=())
    return stepped._replace(dispatch=_watched(replace(stepped.dispatch, doubtful=False), tools))


@_put_off
async def settle(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """Find out whether an unclear call was done; where it was not, call again."""
    place = place_of(dispatch, hold, tools)
    seen = await look_for(dispatch, hold, tools, place)
    if seen.made or seen.agent is not None:
        return _found(dispatch, seen, tools)
    return again(dispatch, dispatch.reason or "it was not done", tools)


@_put_off
async def overdue(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """No agent is known to have come: look, and decide what follows."""
    place = place_of(dispatch, hold, tools)
    seen = await look_for(dispatch, hold, tools, place)
    if seen.agent is not None:
        return _found(dispatch, seen, tools)
    now = tools.queue.now()
    deadline = (dispatch.accepted_at or now) + dispatch.patience
    if now < deadline:
        return Stepped(replace(dispatch, join_by=min(deadline, now + LOOK_SECONDS), failures=0))
    why = f"{Why.NEVER_JOINED}: {dispatch.provider} took it, its agent has not joined"
    if dispatch.join_within is None:
        again_at = now + WATCH_SECONDS if dispatch.target else None
        return Stepped(dispatch.told(why, now, join_by=again_at, failures=0))
    state = State.SUPERSEDED if dispatch.fallback else State.FAILED
    return Stepped(dispatch.withdrawing(state, why, now))


@_put_off
async def watch(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """Look whether its agent is there still, or again."""
    place = place_of(dispatch, hold, tools)
    seen = await look_for(dispatch, hold, tools, place)
    now, session = tools.queue.now(), hold.record.session
    if seen.agent is not None:
        there = dispatch.found(str(seen.agent["sid"]), now)
        return Stepped(_watched(replace(there, unlisted=0, failures=0), tools))
    if dispatch.unlisted + 1 < LOOKS_TO_BELIEVE:
        due, looks = now + ABSENT_SECONDS, dispatch.unlisted + 1
        return Stepped(replace(dispatch, due=due, unlisted=looks, failures=0))
    if session is None:
        return Stepped(dispatch.ended(State.ENDED, OWN_END, now))
    over = left(replace(dispatch, step=Step.NOTHING), OWN_END, now, now, session, ours=True)
    return Stepped(over.dispatch, follower=over.follower)


@_put_off
async def withdraw(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """Take it back as far as its provider allows, and have what follows take over."""
    place = place_of(dispatch, hold, tools)
    seen = await look_for(dispatch, hold, tools, place)
    if place is not None and seen.made and seen.agent is None:
        await have_removed([seen.made], dispatch, place, tools)
    elif place is not None and place.lists is not None and seen.made:
        await tools.queue.keep(hold, CALL_SECONDS + 1)
        await _unless_gone(place.lists.delete(place.room, seen.made))
    if place is not None and seen.agent is not None and _is_surely(dispatch, seen):
        await tools.queue.keep(hold, CALL_SECONDS + 1)
        await _unless_gone(place.provider.remove(place.room, str(seen.agent["identity"])))
    now, why = tools.queue.now(), dispatch.reason or ""
    began = dispatch.accepted_at or dispatch.called_at or dispatch.wanted_at
    is_unseen = dispatch.agent_identity is None and seen.agent is None
    is_coming = is_unseen and place is not None and place.lists is None
    if dispatch.withdrawn is State.RELEASED and is_coming and now < began + COMING_SECONDS:
        return Stepped(replace(dispatch, due=now + LOOK_SECONDS, failures=0))
    if dispatch.withdrawn is State.RELEASED:
        follower = await released(dispatch, hold, tools, 0.0)
        return Stepped(dispatch.ended(State.RELEASED, why, now), follower=follower)
    return gave_up(dispatch, why, now)


@_put_off
async def replace_failed(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """What it replaces must be gone; then it is created."""
    place = place_of(dispatch, hold, tools)
    if place is not None and place.lists is not None and dispatch.replaces:
        await _unless_gone(place.lists.delete(place.room, dispatch.replaces))
    now = tools.queue.now()
    cleared = dispatch.to(State.REQUESTED, dispatch.reason, now, step=Step.CREATE, due=now)
    return Stepped(replace(cleared, event_at=0.0, wanted_at=now, failures=0))


@_put_off
async def look_again(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """Find what was made for it beside what it is known by, or all if it is over: that must go."""
    place = place_of(dispatch, hold, tools)
    if place is not None and place.lists is not None:
        seen = await look_for(dispatch, hold, tools, place)
        if seen.made and not dispatch.live:
            await have_removed([seen.made], dispatch, place, tools)
    return await nothing(dispatch, hold, tools)


async def nothing(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:  # noqa: ARG001 - a step
    """Nothing that could be looked for tells more."""
    return Stepped(replace(dispatch, step=Step.NOTHING, doubtful=False))


async def identified(hold: Hold, tools: Tools, now: float) -> tuple[Record, list[Dispatch]]:
    """Match the agents that have come into a room that lists no dispatches with those that wait.

    One that is called as the dispatch's agent is its agent; else the first that waits takes it.

    Returns:
        The record after it, and the dispatches whose agent has come.
    """
    record = hold.record
    waiting = sorted(
        (d for d in record.dispatches.values() if d.state is State.PENDING and _waits_here(d)),
        key=lambda d: d.created_at,
    )
    met: list[Dispatch] = []
    all_waiting: list[Waiter] = []
    if waiting:
        all_waiting = await waiters(waiting, hold.server_id, hold.room, tools)
    for agent in sorted(record.agents.values(), key=lambda each: each.joined_at):
        fields = {"identity": agent.identity, "name": agent.name}
        mine = next((d for d in waiting if is_for(d, fields, all_waiting)), None)
        if mine is None or not await take(mine, hold.server_id, hold.room, agent.identity, tools):
            continue
        waiting.remove(mine)
        all_waiting = [each for each in all_waiting if each.id != mine.id]
        joined = mine.joined(agent.identity, agent.sid, agent.joined_at)
        met.append(joined)
        if agent.left_at is not None and record.session is not None:
            because = agent.left_because or OWN_END
            over = left(joined, because, agent.left_at, now, record.session, ours=True)
            met[-1:] = over.changed
    # Nothing of it is ever listed: there is nothing to sweep, and nobody's dispatch to delete.
    record = replace(record.with_dispatches(met), agents={}, agents_looks=0, sweep=(), unwanted=())
    return record, met


def _waits_here(dispatch: Dispatch) -> bool:
    return dispatch.apart and not dispatch.target and dispatch.withdrawn is None


def _is_surely(dispatch: Dispatch, seen: Seen) -> bool:
    """Whether who was seen is its agent and nobody else's: only what is ours is removed."""
    if dispatch.agent_identity is not None or seen.made or seen.agent is None:
        return True
    return dispatch.agent in (seen.agent["name"], seen.agent["identity"])


def _found(dispatch: Dispatch, seen: Seen, tools: Tools) -> Stepped:
    """It was made, and perhaps its agent has come."""
    now = tools.queue.now()
    if dispatch.state is State.REQUESTED:
        dispatch = replace(dispatch, doubtful=False).accepted(seen.made, now, dispatch.called_at)
    if seen.agent is not None:
        at = joined_at(seen.agent, now)
        sid, identity = str(seen.agent["sid"]), str(seen.agent["identity"])
        dispatch = replace(dispatch.joined(identity, sid, at), worker_id=seen.worker_id)
    return Stepped(_watched(dispatch, tools))


def _watched(dispatch: Dispatch, tools: Tools) -> Dispatch:
    """With the next look, where no event of its own room will tell of its agent."""
    now = tools.queue.now()
    if not dispatch.target or not dispatch.live:
        return dispatch
    if dispatch.state is State.ACTIVE:
        return replace(dispatch, step=Step.FIND_AGENT, due=now + WATCH_SECONDS)
    return replace(dispatch, join_by=now + LOOK_SECONDS)


async def _unless_gone(call: Awaitable[None]) -> None:
    with suppress(NotFound):
        await call
