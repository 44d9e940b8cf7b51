"""History goes when it is too old, or when there is too much of it: the oldest first.

One worker at a time sees to it, and to the log having what commands have done. What is live stays,
whatever it takes: it is as much as there are calls. Where Redis has a `maxmemory` and comes near
it, history makes room before a webhook is refused for want of it; where INFO is forbidden, nobody
sees that.
"""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import structlog
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from workers import keys, scripts
from workers.audit import tell_of_commands
from workers.dispatch import LIVE, State
from workers.lease import has_lease
from workers.places import document_id, shared

if TYPE_CHECKING:
    import redis.asyncio

    from workers.scripts import ScriptRunner

LOOK_SECONDS: Final = 2.0
LEASE_SECONDS: Final = 15.0
AT_ONCE: Final = 500
FULL: Final = 0.9
"""The share of Redis's `maxmemory` from which on history makes room."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much history may be kept."""

    seconds: int
    bytes: int


class _Index(NamedTuple):
    """A sorted set of history."""

    key: str
    documents: str
    """Prefix of their keys."""
    by_room: str
    """Prefix of the lists by room; `""` where there are none."""
    until: str
    """The score up to which its documents may go."""


class _Old(NamedTuple):
    """A document that may go, the oldest first."""

    score: float
    place: str
    listed: str
    document: str
    by_room: str


class Retention:
    """One worker's part in it."""

    def __init__(self, runner: ScriptRunner, token: str, bounds: Bounds) -> None:
        """Make it, on the loop it runs on.

        Args:
            runner: of that loop.
            token: a name no other loop has.
            bounds: how much is kept.
        """
        self._runner = runner
        self._token = token
        self._bounds = bounds

    async def run(self) -> None:
        """See to it every other second, while no other worker does."""
        while True:
            try:
                if await self._is_mine():
                    await self.look()
                    await tell_of_commands(self._redis)
            except RedisError as error:
                log.warning("retention_failed", error=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> int:
        """Forget what must go now; how many documents that were.

        Raises:
            RedisError: Redis was lost on the way. What has gone by then has gone.
        """
        gone = 0
        while True:
            seconds, _ = await self._redis.time()
            horizon = (seconds - self._bounds.seconds) * 1000
            excess = await self._excess()
            old = await self._oldest(horizon, at_any_age=excess > 0)
            if excess > 0:
                size = max(1, await self._size() // max(1, await self._count()))
                old = old[: max(1, round(excess / size) + sum(o.score <= horizon for o in old))]
            if not old:
                await self._forget_routes(horizon)
                return gone
            gone += await self._forget(old)
            if not await self._is_mine():
                return gone

    async def _is_mine(self) -> bool:
        try:
            return await has_lease(self._runner, keys.RETENTION, self._token, LEASE_SECONDS)
        except OutOfMemoryError:  # nothing can be written, only taken away: whoever can, should
            return True

    async def _excess(self) -> float:
        """Bytes that history must give up now."""
        over = float(await self._size() - self._bounds.bytes)
        try:
            told = await self._redis.info("memory")
        except ResponseError:  # managed servers forbid it, and so do narrow rights
            return over
        if most := int(told.get("maxmemory", 0)):
            over = max(over, int(told["used_memory"]) - FULL * most)
        return over

    async def _size(self) -> int:
        return int(await self._redis.hget(keys.HISTORY, "bytes") or 0)

    async def _count(self) -> int:
        indexes = [index for index, *_ in await self._indexes(0.0, at_any_age=True)]
        async with self._redis.pipeline(transaction=False) as pipe:
            for index in indexes:
                pipe.zcard(index)
            return sum(await pipe.execute())

    async def _oldest(self, horizon: float, *, at_any_age: bool) -> list[_Old]:
        """The oldest documents of all kinds that may go, some of them."""
        indexes = await self._indexes(horizon, at_any_age=at_any_age)
        async with self._redis.pipeline(transaction=False) as pipe:
            for index, _, _, until in indexes:
                pipe.zrange(
                    index, cast("int", "-inf"), cast("int", until), byscore=True, offset=0,
                    num=AT_ONCE, withscores=True,
                )  # fmt: skip
            found = await pipe.execute()
        old = (
            [
                _Old(
                    score,
                    place,
                    index,
                    prefix + document_id(place),
                    by_room and by_room + shared(place),
                )
                for place, score in ((member.decode(), score) for member, score in members)
            ]
            for (index, prefix, by_room, _), members in zip(indexes, found, strict=True)
        )
        return heapq.nsmallest(AT_ONCE, (each for some in old for each in some))

    async def _indexes(self, horizon: float, *, at_any_age: bool) -> list[_Index]:
        """All sorted sets of history.

        One that is said to be live for a week longer than history is kept is so no more: its room
        was forgotten, or the next that happens there brings it back.
        """
        found = cast("list[bytes]", await self._redis.zrange(keys.ROUTES, 0, -1))
        routes = [each.decode() for each in found]
        until = "+inf" if at_any_age else f"{horizon:.3f}"
        of_live = f"{horizon - keys.ROOM_SECONDS * 1000:.3f}"
        return [
            _Index(keys.EVENTS, keys.EVENT, keys.EVENTS_OF, until),
            _Index(keys.DEAD_LETTERS, keys.DEAD, "", until),
            *(
                _Index(
                    f"{keys.DISPATCHES}{state}:{route}",
                    keys.DISPATCH,
                    keys.DISPATCHES_OF,
                    of_live if state in LIVE else until,
                )
                for route in (*routes, "")
                for state in State
            ),
        ]

    async def _forget(self, old: list[_Old]) -> int:
        args = [word for o in old for word in (o.document, o.place, o.listed, o.by_room)]
        return int(await self._runner.call(scripts.FORGET, [keys.HISTORY], args))

    async def _forget_routes(self, horizon: float) -> None:
        """Take away the routes of which nothing is left."""
        until = cast("int", f"{horizon:.3f}")
        unused = await self._redis.zrange(keys.ROUTES, cast("int", "-inf"), until, byscore=True)
        for route in cast("list[bytes]", unused):
            names = [f"{keys.DISPATCHES}{state}:{route.decode()}" for state in State]
            if not await self._redis.exists(*names):
                await self._redis.zrem(keys.ROUTES, route)

    @property
    def _redis(self) -> redis.asyncio.Redis:
        return self._runner.redis
