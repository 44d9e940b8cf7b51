"""How often somebody may try the admin token, counted in Redis for all web processes together.

Behind a proxy all senders have one address, so the last address the proxy has added counts too:
one who guesses does not keep the others out so soon, and cannot make himself new addresses without
end. Without Redis few attempts are left for all senders of a process: it is then that somebody who
runs this wants to see what is wrong.

Who has made too many is not counted any more until the minute is over: what is known of that takes
no trip to Redis and a bounded place here.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import math
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

A_MINUTE: Final = 10
"""Attempts of one sender."""
A_MINUTE_FROM_ONE_ADDRESS: Final = 60
A_MINUTE_WITHOUT_REDIS: Final = 5
MOST_KEPT: Final = 4096
"""Senders that are remembered here; whoever was noted first is forgotten first."""
WINDOW_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Sender:
    """Whoever sends a request.

    Args:
        address: of whoever is connected.
        forwarded: the `X-Forwarded-For` of the request.
    """

    address: str
    forwarded: str

    @property
    def names(self) -> tuple[str, str]:
        """What is counted: this one sender, and all of its address."""
        network = _network(self.address)
        return f"{network} {_network(self.forwarded.rpartition(',')[2].strip())}", network


class Attempts:
    """Counts attempts. For any number of threads.

    Args:
        redis: where they are counted.
        prefix: of the counters' keys.
        clock: monotonic, seconds.
    """

    def __init__(
        self, redis: redis.Redis, prefix: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis = redis
        self._prefix = prefix
        self._clock = clock
        self._lock = threading.Lock()
        self._without_redis: list[float] = []
        self._over: Kept = Kept(clock)

    def count(self, sender: Sender) -> int:
        """Count an attempt; how many seconds to wait before one is looked at, 0: this one is."""
        waiting = self._over.longest(sender.names)
        if waiting:
            return waiting
        try:
            with self._redis.pipeline() as pipe:
                for name in sender.names:
                    key = self._key(name)
                    pipe.set(key, 0, ex=WINDOW_SECONDS, nx=True)
                    pipe.incr(key)
                    pipe.pttl(key)
                told = pipe.execute()
        except RedisError:
            return self._count_without_redis()
        return self._noted(sender, told[1::3], told[2::3], over=1)

    def waiting(self, sender: Sender) -> int:
        """The same, without an attempt; 0 where Redis cannot tell."""
        waiting = self._over.longest(sender.names)
        if waiting:
            return waiting
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for name in sender.names:
                    pipe.get(self._key(name))
                    pipe.pttl(self._key(name))
                told = pipe.execute()
        except RedisError:
            return 0
        return self._noted(sender, [int(n or 0) for n in told[::2]], told[1::2], over=0)

    def succeeded(self, sender: Sender) -> None:
        """An attempt was none to guess: it does not count."""
        one, address = map(self._key, sender.names)
        with contextlib.suppress(RedisError), self._redis.pipeline() as pipe:
            pipe.delete(one)
            pipe.set(address, 1, ex=WINDOW_SECONDS, nx=True)
            pipe.decr(address)
            pipe.execute()

    def _noted(self, sender: Sender, counts: list[int], left_ms: list[int], *, over: int) -> int:
        """Note which names have no attempt left; `over`: whether this is one itself."""
        limits = (A_MINUTE, A_MINUTE_FROM_ONE_ADDRESS)
        for name, count, limit, left in zip(sender.names, counts, limits, left_ms, strict=True):
            if count >= limit + over:
                self._over.keep(name, max(1, left) / 1000)
        return self._over.longest(sender.names)

    def _count_without_redis(self) -> int:
        now = self._clock()
        with self._lock:
            lately = [at for at in self._without_redis if now - at < WINDOW_SECONDS]
            may = len(lately) < A_MINUTE_WITHOUT_REDIS
            self._without_redis = [*lately, now] if may else lately
            return 0 if may else max(1, math.ceil(lately[0] + WINDOW_SECONDS - now))

    def _key(self, name: str) -> str:
        return self._prefix + hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:32]


class Kept:
    """Names that are kept for some time, the latest `MOST_KEPT` of them. For any number of threads.

    Args:
        clock: monotonic, seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def keep(self, name: str, seconds: float) -> None:
        """Keep a name so long from now."""
        with self._lock:
            self._until[name] = self._clock() + seconds
            self._until.move_to_end(name)
            if len(self._until) > MOST_KEPT:
                self._until.popitem(last=False)

    def longest(self, names: tuple[str, ...]) -> int:
        """How many seconds longer one of these is kept, rounded up; 0: none is."""
        now = self._clock()
        with self._lock:
            left = max(self._until.get(name, now) for name in names) - now
        return max(0, math.ceil(left))


def _network(address: str) -> str:
    """An address; of IPv6 its network of 64 bits, all of which one sender usually has."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = found.ipv4_mapped
    return str(mapped or ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))
