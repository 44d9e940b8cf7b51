"""Whether anybody works: every loop leaves its mark when it looks at the due-queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from workers import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import redis

AWAY_SECONDS: Final = 5.0
"""A loop looks four times a second; one that has not for this long is dead or stuck."""


def workers_at_work(redis: redis.Redis) -> Mapping[str, str]:
    """The workers' loops that have looked for work just now, on all machines, by their names; and
    the hash of the rules each works by.

    Raises:
        RedisError: Redis could not be reached.
    """
    seconds, _ = redis.time()
    since = int((seconds - AWAY_SECONDS) * 1000)
    members = cast("list[bytes]", redis.zrangebyscore(keys.WORKERS, since, "+inf"))
    return rules_by_worker(members)


def rules_by_worker(members: Iterable[bytes]) -> Mapping[str, str]:
    """The hash of its rules by worker, from what loops leave, the oldest first."""
    return dict(member.decode().split(":", 1) for member in members)  # the last look counts
