"""Whose an agent in a meeting is, where dispatches of several rooms wait for one there.

VideoSDK does not tell which dispatch has brought somebody, and a record knows the dispatches of its
own room alone. So those that wait in a meeting are kept beside it, and an agent belongs to the one
it is called as; else to the first that waits. Whoever finds it takes it for as long as it lives.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from rules.agents_are import from_pairs
from workers import keys, scripts
from workers.history import kept_dispatches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.event import Fields
    from workers.dispatch import Dispatch
    from workers.tools import Tools

PATIENCE_SECONDS: Final = 120.0
"""How long another waits before an agent may be taken that would be its."""


class Waiter(NamedTuple):
    """A dispatch that waits for its agent."""

    since: float
    id: str
    agent: str
    known_as: tuple[tuple[str, str], ...]

    def may_have(self, agent: Fields) -> bool:
        """Whether this may be its agent."""
        return from_pairs(self.known_as).told(agent)

    def is_called(self, agent: Fields) -> bool:
        """Whether it is called as what the dispatch asked for."""
        return self.agent in (agent["name"], agent["identity"])


def waiter(dispatch: Dispatch) -> Waiter:
    """A dispatch as one that waits."""
    return Waiter(dispatch.wanted_at, dispatch.id, dispatch.agent, dispatch.known_as)


async def waiters(
    dispatches: Sequence[Dispatch], server_id: str, room: str, tools: Tools
) -> list[Waiter]:
    """Those that wait in a meeting, the first that began to before others.

    These are among them from now on, unless they are over, or not wanted any more.

    Raises:
        RedisError: Redis could not be reached.
    """
    name, now = keys.WAITING + keys.room_key(server_id, room), tools.queue.now()
    async with tools.queue.redis.pipeline(transaction=True) as pipe:
        for dispatch in dispatches:
            if dispatch.live and dispatch.withdrawn is None:
                since, _, agent, known_as = waiter(dispatch)
                pipe.hset(name, dispatch.id, json.dumps([since, agent, known_as]))
                pipe.expire(name, keys.ORDER_SECONDS)
            else:
                pipe.hdel(name, dispatch.id)
        pipe.hgetall(name)
        *_, told = await pipe.execute()
    found: list[Waiter] = []
    over: list[str] = []
    these = {each.id for each in dispatches}
    waiting = {each.decode(): value for each, value in told.items()}
    others = [each for each in waiting if each not in these]
    kept = await kept_dispatches(tools.queue.redis, others)
    for dispatch_id, value in waiting.items():
        since, agent, known_as = json.loads(value)
        if dispatch_id not in these and (
            now - since > PATIENCE_SECONDS or not _waits(kept.get(dispatch_id))
        ):
            over.append(dispatch_id)
        else:
            patterns = tuple((str(name), str(text)) for name, text in known_as)
            found.append(Waiter(since, dispatch_id, agent, patterns))
    if over:
        await tools.queue.redis.hdel(name, *over)
    return sorted(found)


def _waits(dispatch: Dispatch | None) -> bool:
    if dispatch is None:
        return False
    return dispatch.live and dispatch.withdrawn is None and dispatch.agent_identity is None


def is_for(dispatch: Dispatch, agent: Fields, waiting: Sequence[Waiter]) -> bool:
    """Whether an agent belongs to this dispatch and to none of those that wait."""
    fitting = [each for each in waiting if each.may_have(agent)]
    named = [each for each in fitting if each.is_called(agent)]
    first = next(iter(named or fitting), None)
    return waiter(dispatch).may_have(agent) and (first is None or first.id == dispatch.id)


async def take(dispatch: Dispatch, server_id: str, room: str, identity: str, tools: Tools) -> bool:
    """Take an agent for a dispatch, or keep it; False: it is that of another that is not over.

    Raises:
        RedisError: it may or may not be taken; taken again, it is taken once.
    """
    place = keys.room_key(server_id, room)
    over = ""
    while owner := await tools.queue.runner.call(
        scripts.TAKE, [f"{keys.TAKEN}{place}:{identity}"], [dispatch.id, over, keys.ORDER_SECONDS]
    ):
        other = owner.decode()
        if other == over or await _is_live(other, tools):
            return False
        over = other
    await tools.queue.redis.hdel(keys.WAITING + place, dispatch.id)
    return True


async def _is_live(dispatch_id: str, tools: Tools) -> bool:
    found = (await kept_dispatches(tools.queue.redis, [dispatch_id])).get(dispatch_id)
    return found is not None and found.live
