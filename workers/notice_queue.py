"""What others are to be told, as Redis keeps it: shared out to receivers, due, told, put off.

Every write may be made twice, and by two that both believe to be the only one: a notice may be told
once more by that, never once less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from workers import keys, scripts
from workers.receivers import Topic, notice_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import redis
    import redis.asyncio

    from workers.receivers import Receiver
    from workers.scripts import ScriptRunner

GIVEN_UP_SECONDS: Final = 86400.0
"""How long it is tried."""
SHARED_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Notice:
    """What one receiver is to be told."""

    id: str
    body: str
    """JSON, as it is posted."""
    tries: int
    """How often it was tried."""


class Shared(NamedTuple):
    """What became of notices: how many."""

    given: int
    """Receivers have them among theirs now."""
    old: int
    """They were tried for a day."""
    many: int
    """They were the oldest of too many."""
    left: int
    """The receiver they were for is configured no more."""


class Untold(NamedTuple):
    """What some receiver was not told yet."""

    notices: int
    age: float
    """Of the oldest, in seconds."""


def untold(client: redis.Redis) -> Untold:
    """What is still to be told.

    Raises:
        RedisError: Redis could not be reached.
    """
    with client.pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.zcard(keys.NOTICES)
        pipe.zrange(keys.NOTICES, 0, 0, withscores=True)
        (seconds, micros), count, first = pipe.execute()
    if not first:
        return Untold(0, 0.0)
    return Untold(count, max(0.0, seconds + micros / 1_000_000 - first[0][1] / 1000))


def untold_of(client: redis.Redis, dispatch_id: str) -> list[str]:
    """What some receiver is still to be told of a dispatch.

    Raises:
        RedisError: Redis could not be reached.
    """
    with client.pipeline(transaction=False) as pipe:
        for topic in Topic:
            pipe.exists(keys.NOTICE + notice_id(dispatch_id, topic))
        return [
            topic.value for topic, is_there in zip(Topic, pipe.execute(), strict=True) if is_there
        ]


class NoticeQueue:
    """One loop's view of it. Every method raises `RedisError` when Redis cannot be reached."""

    def __init__(
        self, runner: ScriptRunner, receivers: Sequence[Receiver], now: Callable[[], float]
    ) -> None:
        """Make it.

        Args:
            runner: of the loop.
            receivers: all that are configured.
            now: Redis's clock, Unix seconds.
        """
        self._runner = runner
        self._ids = [each.id for each in receivers]
        self._now = now

    async def share(self) -> Shared:
        """Let every receiver have what is new, and take away what is too old or too much."""
        args: list[str | int] = [
            keys.NOTICE,
            keys.NOTICES_OF,
            int((self._now() - GIVEN_UP_SECONDS) * 1000),
            keys.MOST_NOTICES,
            SHARED_AT_ONCE,
            keys.NOTICE_SECONDS,
            *self._ids,
        ]
        named = [keys.NOTICES, keys.NEW_NOTICES, keys.NOTIFIED]
        return Shared(*await self._runner.call(scripts.SHARE_NOTICES, named, args))

    async def due(self, receiver: Receiver, most: int) -> list[Notice]:
        """What a receiver is to be told now, unless it wants to rest."""
        listed = keys.NOTICES_OF + receiver.id
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.exists(keys.RESTS + receiver.id)
            until = int(self._now() * 1000)
            pipe.zrange(listed, cast("int", "-inf"), until, byscore=True, offset=0, num=most)
            rests, found = await pipe.execute()
        ids = [] if rests else [each.decode() for each in found]
        async with self._redis.pipeline(transaction=False) as pipe:
            for each in ids:
                pipe.hmget(keys.NOTICE + each, "body", receiver.id)
            kept = await pipe.execute() if ids else []
        notices: list[Notice] = []
        for each, (body, tries) in zip(ids, kept, strict=True):
            if body is None:  # it was taken away meanwhile
                await self.told(receiver, each)
            else:
                notices.append(Notice(each, body.decode(), int(tries or 0)))
        return notices

    async def told(self, receiver: Receiver, notice_id: str) -> None:
        """A receiver was told, or never will be."""
        await self._came(receiver, notice_id, "")

    async def put_off(self, receiver: Receiver, notice_id: str, seconds: float) -> None:
        """A receiver was not told, and is to be after so many seconds."""
        await self._came(receiver, notice_id, int((self._now() + seconds) * 1000))

    async def rest(self, receiver: Receiver, seconds: float) -> None:
        """Tell a receiver nothing for so long."""
        await self._redis.set(keys.RESTS + receiver.id, "1", px=max(1, int(seconds * 1000)))

    async def hurry(self, receiver: Receiver) -> None:
        """All that a receiver is to be told is due now."""
        listed = keys.NOTICES_OF + receiver.id
        await self._redis.zunionstore(listed, {listed: 0})
        await self._redis.expire(listed, keys.NOTICE_SECONDS)

    async def _came(self, receiver: Receiver, notice_id: str, due: int | str) -> None:
        named = [keys.NOTICE + notice_id, keys.NOTICES_OF + receiver.id, keys.NOTICES]
        await self._runner.call(scripts.NOTICE_TOLD, named, [notice_id, receiver.id, due])

    @property
    def _redis(self) -> redis.asyncio.Redis:
        return self._runner.redis
