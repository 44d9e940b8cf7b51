"""Telling which dispatch an agent that joined belongs to.

Agents of one name look alike in every deployment, and choose their identity when they accept a
job. ListDispatch gives each dispatch's jobs with the identity their agent joins with, so one
listing of the room tells.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from workers.dispatch import Dispatch, State
from workers.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.inbox import Hold
    from workers.providers.base import Listed
    from workers.record import Record, SeenAgent
    from workers.tools import Tools

LOOKS: Final = (0.5, 1.0, 2.0, 3.0, 4.0, 4.0)
"""Seconds between looks. LiveKit takes up to 5 s to list a job whose agent is already there
(livekit-server `pkg/agent/client.go`: it learns which workers there are once a minute)."""

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
        listed = await provider.dispatches(hold.room)
    except ProviderError as error:
        log.warning("identify_failed", room=hold.room, error=str(error))
        return _another_look(record, tools), ()
    by_identity = {agent.identity: agent for agent in record.agents.values()}
    waiting = {d.dispatch_id: d for d in record.dispatches.values() if d.state is State.PENDING}
    met: list[Dispatch] = []
    for known in listed:
        agent = _agent_of(known, by_identity)
        if known.id in waiting and agent is not None:
            met.append(_met(waiting.pop(known.id), agent))
    sids = {d.agent_sid for d in met}
    strangers = {sid: a for sid, a in record.agents.items() if sid not in sids}
    record = replace(record.with_dispatches(met), agents=strangers)
    return (_another_look(record, tools) if waiting else replace(record, agents={})), met


def _agent_of(dispatch: Listed, by_identity: dict[str, SeenAgent]) -> SeenAgent | None:
    return next((by_identity[j.identity] for j in dispatch.jobs if j.identity in by_identity), None)


def _met(dispatch: Dispatch, agent: SeenAgent) -> Dispatch:
    active = dispatch.joined(agent.identity, agent.sid, agent.joined_at)
    if agent.left_at is None:
        return active
    return active.ended(State.ENDED, agent.left_because or "unknown_reason", agent.left_at)


def _another_look(record: Record, tools: Tools) -> Record:
    """Agents that match nothing yet may belong to a job not listed yet; look a few times."""
    looks = record.agents_looks
    if looks >= len(LOOKS):
        return replace(record, agents={}, agents_looks=0)
    due = tools.queue.now() + tools.spread(LOOKS[looks])
    return replace(record, agents_looks=looks + 1, agents_due=due)
