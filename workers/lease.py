"""Leases that one process of all has: for work that needs to be done once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers import scripts

if TYPE_CHECKING:
    from workers.scripts import Arg, ScriptRunner


async def has_lease(runner: ScriptRunner, key: str, token: str, seconds: float) -> bool:
    """Take or renew a lease; False: somebody else has it.

    Raises:
        RedisError: Redis could not be reached.
    """
    args: list[Arg] = [token, int(seconds * 1000)]
    return bool(await runner.call(scripts.LEASE, [key], args))


async def give_up(runner: ScriptRunner, key: str, token: str) -> None:
    """Let somebody else have a lease at once. One of somebody else's stays.

    Raises:
        RedisError: Redis could not be reached.
    """
    await runner.call(scripts.LEASE, [key], [token, 0])
