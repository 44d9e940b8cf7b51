"""When a rightly signed webhook has last come, by server and key, on whatever machine: for whoever
asks why no agent comes.
"""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, cast

from redis.exceptions import RedisError

from workers import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import redis

EVERY_SECONDS: Final = 5.0
"""A process writes no more often for a key: what is told is that much too old at most."""


class Heard:
    """One process's part in it. For any number of threads and loops."""

    def __init__(self, redis: redis.Redis, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Make it.

        Args:
            redis: where it is written.
            monotonic: a clock that is never set, seconds.
        """
        self._redis = redis
        self._monotonic = monotonic
        self._written: dict[str, float] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="heard")

    def mark(self, server_id: str, api_key: str) -> None:
        """One has come now. Where Redis is away this says nothing: it is told elsewhere."""
        if (name := self._due(server_id, api_key)) is not None:
            self._write(name)

    def mark_later(self, server_id: str, api_key: str) -> None:
        """The same for a loop, which waits for nothing."""
        if (name := self._due(server_id, api_key)) is not None:
            self._writer.submit(self._write, name)

    def _due(self, server_id: str, api_key: str) -> str | None:
        name, now = f"{server_id}:{api_key}", self._monotonic()
        if now - self._written.get(name, float("-inf")) < EVERY_SECONDS:
            return None
        self._written[name] = now
        return name

    def _write(self, name: str) -> None:
        with contextlib.suppress(RedisError), self._redis.pipeline(transaction=False) as pipe:
            pipe.hset(keys.HEARD, name, int(time.time() * 1000))
            pipe.expire(keys.HEARD, keys.DAY_SECONDS)
            pipe.execute()


def last_heard(redis: redis.Redis) -> Mapping[tuple[str, str], float]:
    """When one has last come, Unix seconds, by the server's id and the API key that signed it (of
    VideoSDK, the account's).

    Raises:
        RedisError: Redis could not be reached.
    """
    kept = cast("dict[bytes, bytes]", redis.hgetall(keys.HEARD))
    told = {name.decode().partition(":")[::2]: int(at) / 1000 for name, at in kept.items()}
    return cast("Mapping[tuple[str, str], float]", told)
