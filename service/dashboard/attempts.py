"""How often somebody may try to sign in, counted in Redis for all web processes together.

Behind a proxy all senders have one address, so the last address the proxy has added counts too:
one who guesses does not keep the others out so soon, and cannot make himself new addresses without
end. Without Redis few attempts are left for all senders of a process: it is then that somebody who
runs this wants to see what is wrong.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from workers import keys

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

A_MINUTE: Final = 10
"""Attempts of one sender."""
A_MINUTE_FROM_ONE_ADDRESS: Final = 60
A_MINUTE_WITHOUT_REDIS: Final = 5
_WINDOW_SECONDS: Final = 60


class Attempts:
    """Counts attempts. For any number of threads."""

    def __init__(self, redis: redis.Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._clock = clock
        self._lock = threading.Lock()
        self._without_redis: list[float] = []

    def may(self, address: str, forwarded: str) -> bool:
        """Count an attempt; whether it is to be looked at.

        Args:
            address: of whoever is connected.
            forwarded: the `X-Forwarded-For` of the request.
        """
        counters = (
            (_sender(address, forwarded), A_MINUTE),
            (address, A_MINUTE_FROM_ONE_ADDRESS),
        )
        try:
            with self._redis.pipeline() as pipe:
                for who, _ in counters:
                    pipe.set(_key(who), 0, ex=_WINDOW_SECONDS, nx=True)
                    pipe.incr(_key(who))
                counts = pipe.execute()[1::2]
        except RedisError:
            return self._may_without_redis()
        return all(count <= most for count, (_, most) in zip(counts, counters, strict=True))

    def succeeded(self, address: str, forwarded: str) -> None:
        """An attempt was none to guess: it does not count."""
        with contextlib.suppress(RedisError), self._redis.pipeline() as pipe:
            pipe.delete(_key(_sender(address, forwarded)))
            pipe.set(_key(address), 1, ex=_WINDOW_SECONDS, nx=True)
            pipe.decr(_key(address))
            pipe.execute()

    def _may_without_redis(self) -> bool:
        now = self._clock()
        with self._lock:
            lately = [at for at in self._without_redis if now - at < _WINDOW_SECONDS]
            may = len(lately) < A_MINUTE_WITHOUT_REDIS
            self._without_redis = [*lately, now] if may else lately
        return may


def _sender(address: str, forwarded: str) -> str:
    return f"{address} {forwarded.rpartition(',')[2].strip()}"


def _key(who: str) -> str:
    return keys.SIGN_IN + hashlib.sha256(who.encode("utf-8", "replace")).hexdigest()[:32]
