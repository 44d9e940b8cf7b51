"""Whether anybody works: every loop leaves its mark when it looks at the due-queue."""

from __future__ import annotations

import socket
import uuid
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from workers import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import redis

AWAY_SECONDS: Final = 5.0
"""A loop looks four times a second; one that has not for this long is dead or stuck."""


class AtWork(NamedTuple):
    """What a loop's mark says of it."""

    rules: str
    """The hash of the rules it works by."""
    dry_run: bool = False
    """Whether it decides everything and sends nobody."""

    @property
    def mark(self) -> str:
        """What follows its name and a colon."""
        return f"{self.rules}:dry" if self.dry_run else self.rules


def new_name() -> str:
    """A name for a loop on this host, `host/id`, which no other loop has, now or later."""
    return f"{_host()}/{uuid.uuid4().hex[:12]}"


def at_work_here(redis: redis.Redis) -> bool:
    """Whether a worker's loop on this host, a container or a pod too, has looked for work just now.

    Raises:
        RedisError: Redis could not be reached.
    """
    return any(name.startswith(f"{_host()}/") for name in workers_at_work(redis))


def workers_at_work(redis: redis.Redis) -> Mapping[str, AtWork]:
    """The workers' loops that have looked for work just now, on all machines, by their names.

    Raises:
        RedisError: Redis could not be reached.
    """
    seconds, _ = redis.time()
    since = int((seconds - AWAY_SECONDS) * 1000)
    members = cast("list[bytes]", redis.zrangebyscore(keys.WORKERS, since, "+inf"))
    return by_name(members)


def by_name(members: Iterable[bytes]) -> Mapping[str, AtWork]:
    """Loops by their names, from what they leave, the oldest first."""
    told: dict[str, AtWork] = {}
    for member in members:  # the last look counts
        name, rules, *more = member.decode().split(":")
        told[name] = AtWork(rules, dry_run=more == ["dry"])
    return told


def _host() -> str:
    return socket.gethostname().replace(":", "-")  # a colon ends a loop's name
