"""Whether anybody works: every loop leaves its mark when it looks at the due-queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers import keys

if TYPE_CHECKING:
    import redis

AWAY_SECONDS: Final = 5.0
"""A loop looks four times a second; one that has not for this long is dead or stuck."""


def workers_at_work(redis: redis.Redis) -> int:
    """How many workers' loops have looked for work just now, on all machines.

    Raises:
        RedisError: Redis could not be reached.
    """
    seconds, _ = redis.time()
    since = int((seconds - AWAY_SECONDS) * 1000)
    return redis.zcount(keys.WORKERS, since, "+inf")
