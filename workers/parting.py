"""The end of a worker's process: in time, also where Redis does not answer."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import structlog
from redis.exceptions import RedisError

from workers import keys
from workers.drain import LEAVE_SECONDS
from workers.lease import give_up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.drain import DrainThread
    from workers.scripts import ScriptRunner

STOP_SECONDS: Final = 9.5
"""How long the end may take: whoever runs containers kills them after 10 s."""
_LAST_SECONDS: Final = 0.5

log = structlog.get_logger(__name__)


@contextmanager
def in_time(loop: DrainThread, stopping: threading.Event) -> Iterator[None]:
    """End the loop when `stopping` is set, and the process if the block does not end soon after.

    RQ's worker works in the block, and gives Redis seven minutes to hear of its end.
    """
    over = threading.Event()
    threading.Thread(target=_see_to_it, args=(loop, stopping, over), daemon=True).start()
    try:
        yield
    finally:
        loop.stop()
        loop.join()
        over.set()


async def give_up_leases(runner: ScriptRunner, claimant: str) -> None:
    """What one worker of all sees to is for another from now on."""
    with suppress(RedisError, TimeoutError):
        async with asyncio.timeout(LEAVE_SECONDS):
            for lease in (keys.RECONCILE, keys.RETENTION, keys.AGENTS_LEASE, keys.NOTIFIER):
                await give_up(runner, lease, claimant)


def _see_to_it(loop: DrainThread, stopping: threading.Event, over: threading.Event) -> None:
    stopping.wait()
    until = time.monotonic() + STOP_SECONDS
    loop.stop()
    loop.join()
    if not over.wait(max(_LAST_SECONDS, until - time.monotonic())):
        log.warning("redis_lost", error="it did not answer: leases end by themselves, in 15 s")
        log.info("worker_stopped")
        os._exit(0 if loop.error is None else 1)
