"""A dispatch whose agent does not come, or must make way: seen to, step by step.

A dispatch that is given up is first marked as `withdrawing`, then deleted, and only when LiveKit
has said so does the next rung take over its claim. So a crash at any point repeats a deletion and
nothing else, and no two rungs are asked for at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from rules.frozen import replace
from rules.session import agent_name, joined_at
from workers.dispatch import Dispatch, State, Step
from workers.errors import NotFound, ProviderError
from workers.providers.base import CALL_SECONDS, LOOKUP_SECONDS, identities
from workers.reasons import Why, no_agent
from workers.releases import released
from workers.removal import JOB_SECONDS, LEAVING_SECONDS, Unwanted
from workers.settle import Stepped, gave_up, later

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.event import Fields
    from workers.hold import Hold
    from workers.providers.base import Listed
    from workers.tools import Tools

UNLISTED_SECONDS: Final = 0.2
"""Between the two looks that must agree that a dispatch is gone."""
LOOKS_TO_BELIEVE: Final = 2

log = structlog.get_logger(__name__)


async def overdue(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """No agent has come in time, as far as is known: look, and decide what follows."""
    provider = tools.providers[hold.server_id]
    try:
        await tools.queue.keep(hold, LOOKUP_SECONDS + 1)
        listed = await provider.dispatches(hold.room)
        await tools.queue.keep(hold, LOOKUP_SECONDS + 1)
        snapshot = await provider.snapshot(hold.room)
    except ProviderError as error:
        log.warning("join_look_failed", room=hold.room, error=str(error))
        return later(dispatch, str(error), tools)
    now = tools.queue.now()
    mine = next((d for d in listed if d.id == dispatch.dispatch_id), None)
    if mine is None:
        return _unlisted(dispatch, now, replace(dispatch, join_by=now + UNLISTED_SECONDS))
    is_over = snapshot.room is None or snapshot.room["sid"] != dispatch.room_sid
    agents = [p for p in snapshot.participants if p.get("kind") == "AGENT" and not is_over]
    own = identities([mine])
    here = next((p for p in agents if p["identity"] in own), None)
    if here is not None:
        worker = next(job.worker_id for job in mine.jobs if job.identity == here["identity"])
        joined = dispatch.joined(str(here["identity"]), str(here["sid"]), joined_at(here, now))
        return Stepped(replace(joined, worker_id=worker))
    has_left = any(agent.identity in own for agent in hold.record.agents.values())
    until = (
        now + JOB_SECONDS if has_left or is_over else _may_be_its_own(dispatch, agents, listed, now)
    )
    if until is not None:  # it came and has left, or is there and not told yet: see `agents.py`
        return Stepped(replace(dispatch, join_by=until, unlisted=0))
    if mine.jobs:
        dispatch = replace(dispatch, worker_id=mine.jobs[-1].worker_id)
    why = no_agent(dispatch, mine)
    if dispatch.join_within is None:
        return Stepped(dispatch.told(why, now, join_by=None, unlisted=0, failures=0))
    state = State.SUPERSEDED if dispatch.fallback else State.FAILED
    identity = mine.jobs[-1].identity if mine.jobs else ""
    return Stepped(replace(dispatch.withdrawing(state, why, now), job_identity=identity))


async def withdraw(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """Delete it, and once it is gone have what follows take over."""
    try:
        dispatch = await _with_identity(dispatch, hold, tools)
        seen_at = await _delete(dispatch.dispatch_id or "", hold, tools)
    except ProviderError as error:
        log.warning("withdrawal_put_off", room=hold.room, error=str(error))
        return later(dispatch, str(error), tools)
    now, why = tools.queue.now(), dispatch.reason or ""
    removed = _removed(dispatch.dispatch_id or "", _identities(dispatch), now)
    coming = dispatch.agent_sid is None and not dispatch.job_identity
    if dispatch.withdrawn is State.RELEASED:
        follower = await released(dispatch, hold, tools, seen_at)
        over = Stepped(dispatch.ended(State.RELEASED, why, now), follower=follower)
    else:
        over = gave_up(dispatch, why, now, seen_at=seen_at)
    return over._replace(removed=removed, coming=coming)


async def replace_failed(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """Look whether what it is to replace is still listed: if not, somebody has deleted it."""
    try:
        listed = await tools.providers[hold.server_id].dispatches(hold.room)
    except ProviderError as error:
        return later(dispatch, str(error), tools)
    now = tools.queue.now()
    if not any(d.id == dispatch.replaces for d in listed):
        return _unlisted(dispatch, now, replace(dispatch, due=now + UNLISTED_SECONDS))
    return Stepped(replace(dispatch, step=Step.CLEAR, due=now, unlisted=0, failures=0))


async def clear(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """Delete what it replaces; then it is created."""
    try:
        seen_at = await _delete(dispatch.replaces, hold, tools)
    except ProviderError as error:
        return later(dispatch, str(error), tools)
    now = tools.queue.now()
    cleared = dispatch.to(State.REQUESTED, dispatch.reason, now, step=Step.CREATE, due=now)
    cleared = replace(cleared, event_at=seen_at, wanted_at=now, failures=0)
    removed = _removed(dispatch.replaces, (dispatch.replaced_identity,), now)
    return Stepped(cleared, removed=removed)


async def check(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """Its agent has left by itself: look whether somebody has deleted the dispatch."""
    try:
        listed = await tools.providers[hold.server_id].dispatches(hold.room)
    except ProviderError as error:
        return later(dispatch, str(error), tools)
    now = tools.queue.now()
    if any(d.id == dispatch.dispatch_id for d in listed):
        return Stepped(replace(dispatch, step=Step.NOTHING))
    return _unlisted(dispatch, now, replace(dispatch, due=now + UNLISTED_SECONDS))


async def _delete(dispatch_id: str, hold: Hold, tools: Tools) -> float:
    """Delete a dispatch of LiveKit's.

    Returns:
        When the room was last seen to be in this session: before the call, or never, since one
        that is not there may have gone with its room.

    Raises:
        ProviderError: it was not done.
    """
    began = tools.queue.now()
    try:
        await tools.providers[hold.server_id].delete(hold.room, dispatch_id)
    except NotFound:
        return 0.0
    log.info("deleted", room=hold.room, livekit_dispatch=dispatch_id)
    return began


def _unlisted(dispatch: Dispatch, now: float, again: Dispatch) -> Stepped:
    """It is not listed. Once more, and somebody has deleted it: a hand that is respected."""
    if dispatch.unlisted + 1 < LOOKS_TO_BELIEVE:
        return Stepped(replace(again, unlisted=dispatch.unlisted + 1))
    if not dispatch.live:
        return Stepped(replace(dispatch, step=Step.NOTHING), held=True)
    why = f"{Why.HELD}: somebody has deleted it"
    return Stepped(dispatch.ended(State.RELEASED, why, now), held=True)


def _may_be_its_own(
    dispatch: Dispatch, agents: Sequence[Fields], listed: Sequence[Listed], now: float
) -> float | None:
    """Until when an agent of its name that is there may turn out to be its own.

    LiveKit lists a job up to 5 s after its agent was let in.
    """
    told = identities(listed)
    since = [
        float(p.get("joined_at") or now)
        for p in agents
        if p["identity"] not in told and agent_name(p) == dispatch.agent
    ]
    until = max(since, default=now) + JOB_SECONDS
    return until if since and until > now else None


async def _with_identity(dispatch: Dispatch, hold: Hold, tools: Tools) -> Dispatch:
    """With what its agent is called, if a job tells: once it is deleted, nothing tells any more.

    Raises:
        ProviderError: it could not be looked up.
    """
    is_here = dispatch.state is State.ACTIVE and dispatch.agent_sid is not None
    if dispatch.state is State.REQUESTED or is_here or dispatch.job_identity:
        return dispatch
    listed = await tools.providers[hold.server_id].dispatches(hold.room)
    await tools.queue.keep(hold, CALL_SECONDS + 1)
    jobs = next((d.jobs for d in listed if d.id == dispatch.dispatch_id), ())
    return replace(dispatch, job_identity=jobs[-1].identity) if jobs else dispatch


def _identities(dispatch: Dispatch) -> tuple[str, ...]:
    """What its agent is called, and the one that comes after it."""
    known = (dispatch.agent_identity, dispatch.job_identity)
    return tuple(dict.fromkeys(identity for identity in known if identity))


def _removed(dispatch_id: str, identities: tuple[str, ...], now: float) -> tuple[Unwanted, ...]:
    """Its agent, which is to leave by itself, or is to be removed whenever it is there."""
    if not any(identities):
        return ()
    due = now + LEAVING_SECONDS
    return (Unwanted(dispatch_id, since=now, due=due, identities=identities, deleted_at=now),)
