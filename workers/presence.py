"""Whether anybody works: every loop leaves its mark when it looks at the due-queue."""

from __future__ import annotations

import socket
import uuid
from typing import TYPE_CHECKING, Final, cast

from workers import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import redis

AWAY_SECONDS: Final = 5.0
"""A loop looks four times a second; one that has not for this long is dead or stuck."""


def new_name() -> str:
    """A name for a loop on this host, `host/id`, which no other loop has, now or later."""
    return f"{_host()}/{uuid.uuid4().hex[:12]}"


def at_work_here(redis: redis.Redis) -> bool:
    """Whether a worker's loop on this host, a container or a pod too, has looked for work just now.

    Raises:
        RedisError: Redis could not be reached.
    """
    return any(name.startswith(f"{_host()}/") for name in workers_at_work(redis))


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


def _host() -> str:
    return socket.gethostname().replace(":", "-")  # a colon ends a loop's name
