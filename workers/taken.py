"""Whose an agent in a meeting is, where dispatches of several rooms wait for theirs.

VideoSDK does not tell which dispatch has brought somebody, and a record knows the dispatches of its
own room alone. So whoever finds an agent first takes it, for as long as its dispatch lives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers import keys
from workers.history import read_dispatch

if TYPE_CHECKING:
    from workers.dispatch import Dispatch
    from workers.tools import Tools


async def take(dispatch: Dispatch, server_id: str, room: str, identity: str, tools: Tools) -> bool:
    """Take an agent for a dispatch; False: it is that of another that is not over.

    Raises:
        RedisError: it may or may not be taken; taken again, it is taken once.
    """
    redis, key = tools.queue.redis, f"{keys.TAKEN}{keys.room_key(server_id, room)}:{identity}"
    if await redis.set(key, dispatch.id, nx=True, ex=keys.ORDER_SECONDS):
        return True
    found = await redis.get(key)
    owner = found.decode() if isinstance(found, bytes) else ""
    if owner == dispatch.id:
        return True
    kept = await redis.get(keys.DISPATCH + owner)
    if kept is not None and read_dispatch(kept).live:
        return False
    await redis.set(key, dispatch.id, ex=keys.ORDER_SECONDS)
    return True
