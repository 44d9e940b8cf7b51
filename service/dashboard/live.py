"""`GET /live`: tells open pages that something has changed, as server-sent events.

A page that hears it fetches itself. So a stream carries no room's name and no state, and all
streams of a process share one look at Redis a second; while nobody listens there is none. Streams
are sent from the event loop (service/front.py), never by a thread that answers webhooks.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import structlog
from redis.exceptions import RedisError

from workers import keys

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis.asyncio

    from service.front import Send
    from service.sessions import Session

PATH: Final = "/live"
MOST_STREAMS: Final = 1000
LOOK_SECONDS: Final = 1.0
HEARTBEAT_SECONDS: Final = 15.0
"""A proxy that sees nothing for a minute ends a connection."""
AWAY: Final = "away"
"""The version while Redis cannot be reached: pages say so themselves."""
_AT_WORK_MILLISECONDS: Final = 5000

log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class _Listener:
    session: Session
    told: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False


class Changes:
    """The streams of this process, and the look they share. For one event loop.

    Args:
        connected: makes the client, on the loop that will use it.
    """

    def __init__(self, connected: Callable[[], redis.asyncio.Redis]) -> None:
        self._connected = connected
        self._client: redis.asyncio.Redis | None = None
        self._listeners: set[_Listener] = set()
        self._looking: asyncio.Task[None] | None = None
        self._version = ""

    @property
    def is_full(self) -> bool:
        """Whether no more streams are served."""
        return len(self._listeners) >= MOST_STREAMS

    @property
    def streams(self) -> int:
        """How many pages listen now."""
        return len(self._listeners)

    async def tell(self, session: Session, send: Send) -> None:
        """Serve one stream, until its session is over."""
        listener = _Listener(session)
        self._listeners.add(listener)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            await send("retry: 2000\n\n")
            sent = ""
            while time.time() < session.until and not listener.over:
                listener.told.clear()  # first: what is told while this sends must not be missed
                if self._version and self._version != sent:
                    sent = self._version
                    await send(f"event: change\ndata: {sent}\n\n")
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await listener.told.wait()
                except TimeoutError:
                    await send(": still here\n\n")
            await send("event: end\ndata: signed out\n\n")
        finally:
            self._listeners.discard(listener)

    async def _look(self) -> None:
        """See once a second whether anything has changed, and who has signed out.

        It ends by itself, between two looks: one that is broken off leaves half an answer behind.
        """
        if self._client is None:
            self._client = self._connected()
        self._version = ""
        while self._listeners:
            sessions = [each.session for each in self._listeners]
            try:
                version, ended = await _seen(self._client, sessions)
            except (RedisError, OSError) as error:
                log.debug("live_look_failed", error=str(error))
                version, ended = AWAY, set()
            has_changed = version != self._version
            self._version = version
            for each in self._listeners:  # those too that have come meanwhile
                each.over = each.over or each.session.id in ended
                if has_changed or each.over:
                    each.told.set()
            await asyncio.sleep(LOOK_SECONDS)


async def _seen(client: redis.asyncio.Redis, sessions: list[Session]) -> tuple[str, set[str]]:
    """A text that is another one when something has changed, and the sessions that were ended."""
    ids = sorted({session.id for session in sessions})
    seconds, _ = await client.time()
    at_work = (seconds * 1000) - _AT_WORK_MILLISECONDS
    async with client.pipeline(transaction=False) as pipe:
        pipe.zrange(keys.ROUTES, 0, 0, desc=True, withscores=True)
        pipe.zrange(keys.EVENTS, 0, 0, desc=True, withscores=True)
        pipe.zrange(keys.ROOMS, 0, 0, desc=True, withscores=True)
        pipe.zrange(keys.DEAD_LETTERS, 0, 0, desc=True, withscores=True)
        pipe.zcard(keys.ROOMS)
        pipe.zcard(keys.ROUTES)
        pipe.smembers(keys.PAUSED)
        pipe.hgetall(f"{keys.MINUTE}{seconds // 60}")
        pipe.zcount(keys.WORKERS, at_work, "+inf")
        pipe.mget([keys.SIGNED_OUT + each for each in ids])
        *told, ended = await pipe.execute()
    told[6] = sorted(told[6])
    told[7] = sorted(told[7].items())
    version = sha256(repr(told).encode()).hexdigest()[:16]
    return version, {each for each, was in zip(ids, ended, strict=True) if was is not None}
