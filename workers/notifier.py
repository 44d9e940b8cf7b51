"""Tells others of dispatches: posts what was put down for them until they have taken it.

One worker does, under a lease. Each receiver has a line of its own, so that one that hangs holds up
nobody else. At least once: a notice is taken away after its receiver has answered, so one whose
answer was not written down by a worker that died is posted again, under the same id.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog
from redis.exceptions import RedisError

from workers import keys
from workers.lease import has_lease
from workers.notice_post import Posted, open_session, post
from workers.notice_queue import GIVEN_UP_SECONDS, SHARED_AT_ONCE, NoticeQueue
from workers.tools import ended

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiohttp

    from workers.notice_queue import Notice, Shared
    from workers.receivers import Receiver, Receivers
    from workers.scripts import ScriptRunner
    from workers.tools import Tools

LOOK_SECONDS: Final = 0.5
LEASE_SECONDS: Final = 10.0
AT_ONCE: Final = 8
"""Posts to one receiver at a time."""
DOWN: Final = 3
"""After so many failures in a row a receiver is sent one post at a time."""
WAITS: Final = (5.0, 30.0, 120.0, 600.0, 3600.0)
"""Seconds after each failure until the next try; the last for all that follow."""
QUIET_SECONDS: Final = 60.0
"""Between two lines in the log on one receiver, and two times that all of its notices are due."""

log = structlog.get_logger(__name__)


class Notifier:
    """One worker's part in it."""

    def __init__(
        self, runner: ScriptRunner, token: str, receivers: Receivers, tools: Tools
    ) -> None:
        """Make it, on the loop it runs on.

        Args:
            runner: of that loop.
            token: a name no other loop has.
            receivers: whom to tell.
            tools: the loop's clock, and chance.
        """
        self._runner = runner
        self._token = token
        self._queue = NoticeQueue(runner, receivers.all, tools.queue.now)
        self._lines = [Line(each, receivers, self._queue, tools.spread) for each in receivers.all]
        self._running: dict[Line, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """See to it twice a second, while no other worker does; if it fails, the next time."""
        async with open_session() as session:
            try:
                while True:
                    shared = None
                    try:
                        shared = await self._turn(session)
                    except RedisError as error:
                        log.warning("notices_not_looked_at", error=str(error))
                    except Exception:
                        log.exception("notices_not_looked_at")
                    if shared is None or shared.given < SHARED_AT_ONCE:
                        await asyncio.sleep(LOOK_SECONDS)
            finally:
                await ended(self._running.values())

    async def _turn(self, session: aiohttp.ClientSession) -> Shared | None:
        if not await has_lease(self._runner, keys.NOTIFIER, self._token, LEASE_SECONDS):
            await ended(self._running.values())
            self._running = {}
            return None
        for line in self._lines:
            if line not in self._running or self._running[line].done():
                self._running[line] = asyncio.create_task(line.run(session))
        shared = await self._queue.share()
        if shared.given:
            for line in self._lines:
                line.stir()
        _tell(shared)
        return shared


class Line:
    """What one receiver is told, and how it takes it."""

    def __init__(
        self,
        receiver: Receiver,
        receivers: Receivers,
        queue: NoticeQueue,
        spread: Callable[[float], float],
    ) -> None:
        self._receiver = receiver
        self._secrets = receivers.secrets
        self._queue = queue
        self._spread = spread
        self._stirred = asyncio.Event()
        self._failures = 0
        """In a row."""
        self._told_at = float("-inf")
        self._hurried_at = float("-inf")

    def stir(self) -> None:
        """There is something new to tell."""
        self._stirred.set()

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Tell what is due, for as long as this worker is the one that does.

        It begins with all that waits: what was wrong may have been set right by this start.
        """
        begun = False
        while True:
            try:
                if not begun:
                    await self._queue.hurry(self._receiver)
                    begun = True
                if await self._some(session):
                    continue
            except RedisError as error:
                log.warning("notices_not_told", error=str(error))
            except Exception:
                log.exception("notices_not_told")
            self._stirred.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._stirred.wait()

    async def _some(self, session: aiohttp.ClientSession) -> bool:
        """Tell some of what is due; False: nothing was."""
        most = 1 if self._failures >= DOWN else AT_ONCE
        due = await self._queue.due(self._receiver, most)
        posts = (self._one(session, each) for each in due)
        for came in await asyncio.gather(*posts, return_exceptions=True):
            if came is not None:
                raise came
        return bool(due)

    async def _one(self, session: aiohttp.ClientSession, notice: Notice) -> None:
        posted = await post(session, self._receiver, notice, self._secrets)
        if posted.why and not posted.is_for_good:
            await self._put_off(notice, posted)
            return
        await self._queue.told(self._receiver, notice.id)
        about = {"receiver": self._receiver.shown, "notice": notice.id}
        if posted.is_for_good:
            log.warning("notice_dropped", **about, error=posted.why)
            return
        log.info("notice_told", **about)
        if self._failures:
            await self._answers_again()

    async def _put_off(self, notice: Notice, posted: Posted) -> None:
        wait = self._spread(WAITS[min(notice.tries, len(WAITS) - 1)])
        if posted.is_busy and posted.rest:  # it works, and says itself how fast
            wait = posted.rest
            await self._queue.rest(self._receiver, posted.rest)
        await self._queue.put_off(self._receiver, notice.id, max(wait, posted.rest))
        self._failed(notice, posted)

    def _failed(self, notice: Notice, posted: Posted) -> None:
        self._failures += 1
        if time.monotonic() - self._told_at < QUIET_SECONDS:
            return
        self._told_at = time.monotonic()
        log.warning(
            "notice_not_taken",
            receiver=self._receiver.shown,
            notice=notice.id,
            tries=notice.tries + 1,
            failures=self._failures,
            error=posted.why,
        )

    async def _answers_again(self) -> None:
        """What it has not taken is due now: a caller's trouble should not wait for an hour."""
        failures, self._failures = self._failures, 0
        if time.monotonic() - self._hurried_at < QUIET_SECONDS:
            return
        self._hurried_at = time.monotonic()
        self._told_at = float("-inf")
        log.info("receiver_answers_again", receiver=self._receiver.shown, failures=failures)
        await self._queue.hurry(self._receiver)


def _tell(shared: Shared) -> None:
    """Log what nobody will be told any more."""
    if shared.old:
        hours = GIVEN_UP_SECONDS / 3600
        log.error("notices_given_up", count=shared.old, because=f"not taken for {hours:.0f} hours")
    if shared.many:
        because = f"more than {keys.MOST_NOTICES} were waiting, the oldest went"
        log.error("notices_given_up", count=shared.many, because=because)
    if shared.left:
        because = "their receiver is not in DISPATCHER_NOTIFY_URL any more"
        log.warning("notices_given_up", count=shared.left, because=because)
