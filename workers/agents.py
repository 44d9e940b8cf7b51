"""Telling which dispatch an agent that joined belongs to.

Agents of one name look alike in every deployment, and choose their identity when they accept a
job. ListDispatch gives each dispatch's jobs with the identity their agent joins with, so one
listing of the room tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from rules.frozen import replace
from rules.session import agent_name, joined_at
from workers.clock import CLOCKS_SECONDS
from workers.dispatch import Dispatch, State
from workers.errors import ProviderError
from workers.providers.base import CALL_SECONDS, identities
from workers.removal import JOB_SECONDS, Unwanted
from workers.restarts import Left, left
from workers.settle import LONGEST_BACKOFF_SECONDS, RETRY_SECONDS, Stepped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.hold import Hold
    from workers.providers.base import Listed, Snapshot
    from workers.record import Record, SeenAgent
    from workers.tools import Tools

LOOKS: Final = (0.5, 1.0, 2.0, 3.0, 4.0, 4.0, 4.0)
"""Seconds between looks. LiveKit takes up to 5 s to list a job whose agent is already there
(livekit-server `pkg/agent/client.go`: it learns which workers there are once a minute)."""

FAILED_SECONDS: Final = 2.0
UNLISTED_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


async def identify(hold: Hold, tools: Tools) -> tuple[Record, Sequence[Dispatch]]:
    """List the room and match the agents seen there with the dispatches that wait for one.

    Returns:
        The record after it, and the dispatches that have become active (or have ended: their
        agent came and has already left).
    """
    record = hold.record
    provider = tools.providers[hold.server_id]
    try:
        if record.agents_looks and await provider.room_sid(hold.room) is None:
            return replace(record, agents={}), ()  # listing a room that is gone takes 3 s
        await tools.queue.keep(hold, CALL_SECONDS + 1)
        listed = await provider.dispatches(hold.room)
    except ProviderError as error:
        log.warning("identify_failed", room=hold.room, error=str(error))
        return _put_off(record, tools), ()
    now, ours = tools.queue.now(), hold.server_id in tools.restarts_ours
    by_identity = {agent.identity: agent for agent in record.agents.values()}
    waiting = {d.dispatch_id: d for d in record.dispatches.values() if _is_waited_for(d)}
    met: list[Dispatch] = []
    held: list[Dispatch] = []
    for known in listed:
        job, agent = _job_and_agent_of(known, by_identity)
        if known.id in waiting and agent is not None:
            waited = replace(waiting.pop(known.id), worker_id=job)
            outcome = _met(waited, agent, record, now, ours=ours)
            met += outcome.changed
            held += [outcome.dispatch] if outcome.held else []
    sids = {d.agent_sid for d in met}
    strangers = {sid: a for sid, a in record.agents.items() if sid not in sids}
    record = replace(record.with_dispatches(met).with_replaced(met, now), agents=strangers)
    for dispatch in held:
        record = record.with_held(dispatch)
    record = _without_stragglers(record, listed, now)
    if record.awaits_agents:
        return _another_look(record, tools), met
    return (record if _may_be_of_unclear(record) else _known(record)), met


async def find(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """Look whether an agent whose connection was ended for another one is in the room, or the one
    that LiveKit was to send again.
    """
    provider, ours = tools.providers[hold.server_id], hold.server_id in tools.restarts_ours
    try:
        snapshot = await provider.snapshot(hold.room)
        listed = await provider.dispatches(hold.room) if not ours and snapshot.room else ()
    except ProviderError as error:
        log.warning("find_failed", room=hold.room, error=str(error))
        wait = min(FAILED_SECONDS * (dispatch.failures + 1), LONGEST_BACKOFF_SECONDS)
        due = tools.queue.now() + tools.spread(wait)
        return Stepped(replace(dispatch, due=due, failures=dispatch.failures + 1))
    for present in snapshot.participants:
        is_agent = present.get("kind") == "AGENT"
        if is_agent and present["identity"] == dispatch.agent_identity:
            return Stepped(dispatch.found(str(present["sid"]), tools.queue.now()))
    jobs = identities(d for d in listed if d.id == dispatch.dispatch_id)
    for present in snapshot.participants:
        if present["identity"] in jobs:
            at = joined_at(present, tools.queue.now())
            return Stepped(dispatch.joined(str(present["identity"]), str(present["sid"]), at))
    now, session = tools.queue.now(), hold.record.session
    if not ours and _may_be_unlisted(dispatch, snapshot, listed, now):
        return Stepped(replace(dispatch, due=now + UNLISTED_SECONDS))
    if session is None:
        raise AssertionError(hold.room)
    because = dispatch.reason or "unknown_reason"
    outcome = left(dispatch, because, now, now, session, ours=ours, inferred=True)
    return Stepped(outcome.dispatch, follower=outcome.follower)


def _may_be_unlisted(
    dispatch: Dispatch, snapshot: Snapshot, listed: Sequence[Listed], now: float
) -> bool:
    """Whether an agent of its name is there whose job is not listed yet."""
    told = identities(listed)
    return any(
        agent_name(p) == dispatch.agent
        and p["identity"] not in told
        and now - joined_at(p, now) < JOB_SECONDS + CLOCKS_SECONDS
        for p in snapshot.participants
        if p.get("kind") == "AGENT"
    )


def _without_stragglers(record: Record, listed: Sequence[Listed], now: float) -> Record:
    """Send away agents that were on their way to the session before this one.

    LiveKit lets them in by the room's name. They are told by what they are called, and by being in
    nobody's job when theirs would have been listed.
    """
    told = identities(listed)
    late = {s.agent: s for s in record.stragglers if not s.identity}
    strays = {
        sid: agent
        for sid, agent in record.agents.items()
        if record.is_straggler(agent.name, agent.joined_at)
        and agent.identity not in told
        and agent.left_at is None
        and now - agent.joined_at > JOB_SECONDS + CLOCKS_SECONDS
    }
    if not strays:
        return record
    agents = {sid: agent for sid, agent in record.agents.items() if sid not in strays}
    there = {d.id for d in listed}
    unwanted = (
        Unwanted(i, now, now, (agent.identity,), deleted_at=None if i in there else now)
        for agent in strays.values()
        for i in (late[agent.name].dispatch_id,)
    )
    return replace(record, agents=agents, unwanted=(*record.unwanted, *unwanted))


def _is_waited_for(dispatch: Dispatch) -> bool:
    """Whether an agent may come for it; one that is being deleted has no use for it any more."""
    return dispatch.state is State.PENDING and dispatch.withdrawn is None


def _job_and_agent_of(
    dispatch: Listed, by_identity: dict[str, SeenAgent]
) -> tuple[str, SeenAgent | None]:
    """The worker of the job whose agent is there, and that agent."""
    found = (
        (j.worker_id, by_identity[j.identity]) for j in dispatch.jobs if j.identity in by_identity
    )
    return next(found, ("", None))


def _met(dispatch: Dispatch, agent: SeenAgent, record: Record, now: float, *, ours: bool) -> Left:
    active = dispatch.joined(agent.identity, agent.sid, agent.joined_at)
    if agent.left_at is None or record.session is None:
        return Left(active)
    because = agent.left_because or "unknown_reason"
    return left(active, because, agent.left_at, now, record.session, ours=ours)


def _known(record: Record) -> Record:
    """Nobody is waited for: who else is there is no concern of ours."""
    return replace(record, agents={}, agents_looks=0)


def _may_be_of_unclear(record: Record) -> bool:
    """Whether agents may have come for a call of which nobody knows yet that it was done."""
    return any(d.state is State.REQUESTED for d in record.dispatches.values())


def _put_off(record: Record, tools: Tools) -> Record:
    """A look that failed tells nothing and counts for nothing."""
    now = tools.queue.now()
    if all(now - agent.joined_at > RETRY_SECONDS for agent in record.agents.values()):
        return _known(record)
    looks = max(1, record.agents_looks)  # the next asks first whether the room is still there
    return replace(record, agents_looks=looks, agents_due=now + tools.spread(FAILED_SECONDS))


def _another_look(record: Record, tools: Tools) -> Record:
    """Agents that match nothing yet may belong to a job not listed yet; look a few times."""
    looks = record.agents_looks
    if looks >= len(LOOKS):
        if not _may_be_of_unclear(record):
            return _known(record)
        looks = len(LOOKS) - 1
    due = tools.queue.now() + tools.spread(LOOKS[looks])
    return replace(record, agents_looks=looks + 1, agents_due=due)
