"""Writes that must be on a second server before anybody is told of them.

Behind sentinels another server may take the place of the primary at any moment, with what has
reached it. So what must not be lost is followed by WAIT in the same round trip: on one connection,
for WAIT answers for the last write of the connection it comes by.
"""

from __future__ import annotations

from typing import Any, Final

import redis.asyncio.sentinel
import redis.sentinel
from redis.exceptions import RedisError

COPIES: Final = 1
"""Replicas that must have a write. Sentinel promotes the one that has most."""
COPY_MILLISECONDS: Final = 1000
"""How long one write waits for them; on a network that is well they take less than one."""
WAIT: Final = ("WAIT", COPIES, COPY_MILLISECONDS)


class NotCopied(RedisError):
    """It is written, and no replica has confirmed it: it may be lost with the primary.

    Offered again it is stored once, and waited for anew.
    """

    def __init__(self, answer: object, told: object) -> None:
        why = f": {told}" if isinstance(told, Exception) else ""
        super().__init__(f"no replica has confirmed it within {COPY_MILLISECONDS} ms{why}")
        self.answer = answer
        """What the write itself was answered."""


def is_copied(client: redis.Redis | redis.asyncio.Redis) -> bool:
    """Whether a client's server is one of several behind sentinels."""
    pools = redis.sentinel.SentinelConnectionPool, redis.asyncio.sentinel.SentinelConnectionPool
    return isinstance(getattr(client, "connection_pool", None), pools)


def checked(answer: Any, told: Any) -> Any:  # noqa: ANN401 - as the script answers
    """The answer to a write, or `NotCopied` where WAIT has told of too few copies."""
    if isinstance(answer, Exception) or (isinstance(told, int) and told >= COPIES):
        return answer
    return NotCopied(answer, told)
