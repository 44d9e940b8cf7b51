"""The way in: a verified event into its room's inbox, once, and somebody woken for it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Literal

import structlog
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from workers import scripts
from workers.copies import is_copied
from workers.entries import event_offer, look_offer
from workers.wake import make_ready, wake

if TYPE_CHECKING:
    import redis

    from rules.event import Event
    from workers.entries import Offer
    from workers.scripts import ScriptRunner

Accepted = Literal["accepted", "duplicate"]

ANSWER_SECONDS: Final = 5.0
"""How long a webhook waits for Redis, those before it in the line counted."""

AGAIN_SECONDS: Final = 0.2

log = structlog.get_logger(__name__)


class Intake:
    """Accepts events for the workers. One for each thread or one for all: it keeps no state."""

    def __init__(self, redis: redis.Redis) -> None:
        self._redis = redis
        self._copied = (1,) if is_copied(redis) else ()

    def accept(self, server_id: str, event: Event) -> Accepted:
        """Store an event; when this returns it is in Redis, under that server's persistence, and
        behind sentinels on a replica too.

        Raises:
            RedisError: it may or may not have been stored; offered again, it is stored once.
        """
        return self.offer(event_offer(server_id, event))

    def look(self, server_id: str, room: str) -> None:
        """Have a room listed soon, after the events that are in its inbox already.

        Raises:
            RedisError: it may or may not have been stored.
        """
        self.offer(look_offer(server_id, room, wakes=True))

    def offer(self, offer: Offer) -> Accepted:
        """Store an entry, and wake somebody for it.

        Raises:
            RedisError: it may or may not have been stored; offered again, it is stored once.
        """
        args = [*offer.args, *self._copied]
        answer: bytes = scripts.call_copied(self._redis, scripts.ACCEPT, offer.keys, args)
        if answer == b"duplicate":
            return "duplicate"
        if answer == b"wake":
            self._wake()
        return "accepted"

    def _wake(self) -> None:
        try:
            wake(self._redis)
        except RedisError as error:  # it is stored: the next look finds it
            log.warning("wake_failed", error=str(error))


class GatheringIntake:
    """The same on an event loop: events that come while others are being stored go together.

    They share a round trip to Redis and, where it syncs each write, a sync.
    """

    def __init__(self, runner: ScriptRunner, redis: redis.Redis) -> None:
        """One for each loop.

        Args:
            runner: of that loop.
            redis: for wake-ups, which are RQ's and block: a thread of their own sends them.
        """
        self._runner = runner
        self._redis = redis
        self._copied = (1,) if is_copied(runner.redis) else ()
        self._waker = ThreadPoolExecutor(1, thread_name_prefix="waker")

    async def accept(self, server_id: str, event: Event) -> Accepted:
        """As `Intake.accept`.

        Raises:
            RedisError: it may or may not have been stored; offered again, it is stored once.
        """
        offer = event_offer(server_id, event)
        failed: list[RedisError] = []
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._stored(offer, failed)
        except TimeoutError:
            why = f": {failed[-1]}" if failed else ""
            told = f"no answer within {ANSWER_SECONDS:.0f} seconds{why}"
            raise RedisTimeoutError(told) from None
        if answer == b"duplicate":
            return "duplicate"
        if answer in (b"wake", b"woken"):
            asyncio.get_running_loop().run_in_executor(self._waker, self._wake, answer)
        return "accepted"

    async def _stored(self, offer: Offer, failed: list[RedisError]) -> bytes:
        """What the script answers. Behind sentinels another primary may be a moment away, and
        LiveKit sends an event five times: such a moment must not cost it one of them.
        """
        args = [*offer.args, *self._copied]
        while True:
            try:
                answer: bytes = await self._runner.call(
                    scripts.ACCEPT, offer.keys, args, copied=True
                )
            except RedisError as error:
                if not self._copied:
                    raise
                failed.append(error)
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return answer

    def _wake(self, answer: bytes) -> None:
        try:
            if answer == b"wake":
                wake(self._redis)
            make_ready(self._redis)
        except RedisError as error:  # it is stored: the next look finds it
            log.warning("wake_failed", error=str(error))
