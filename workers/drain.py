"""The loop that works: claims due rooms, works on many at once, lets them go.

It lives in a thread of its own for as long as its worker process does. RQ's jobs only wake it; it
also looks by itself often enough that a lost wake-up costs a quarter of a second.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

import structlog
from redis.exceptions import RedisError

from workers import pipeline
from workers.errors import Fenced, NotYet
from workers.metrics import LEASES_LOST
from workers.tools import ended

if TYPE_CHECKING:
    from workers.hold import Hold
    from workers.tools import Tools

LOOK_SECONDS: Final = 0.25
MOST_SECONDS: Final = 20.0
"""The longest one RQ job lasts, so that RQ's worker sends its heartbeat between jobs."""
GOODBYE_SECONDS: Final = 6.0
"""How long rooms at work may take to finish when the process is told to stop: a call takes 5 s."""
LEAVE_SECONDS: Final = 1.0
"""How long Redis may take to hear of those that have not."""
LOST_SECONDS: Final = 0.2
FAILED_SECONDS: Final = 0.5
NOT_YET_SECONDS: Final = 1.0
UNREAD_SECONDS: Final = 5.0

Start = Callable[[], Awaitable[tuple["Drain", Callable[[], Awaitable[None]]]]]
"""Makes a loop's `Drain` on that loop, and says how to close what it uses."""

log = structlog.get_logger(__name__)


class Drain:
    """One worker's loop. Made on the event loop it runs on."""

    def __init__(self, tools: Tools, *, concurrency: int) -> None:
        self._tools = tools
        self._concurrency = concurrency
        self._rooms: dict[asyncio.Task[None], Hold] = {}
        self._stirred = asyncio.Event()
        self._looked = asyncio.Event()
        self._stopping = False
        self._redis_away = False

    async def run(self) -> None:
        """Work until `stop`; returns when every room has been let go."""
        while not self._stopping:
            self._stirred.clear()
            wait = await self._claim()
            self._looked.set()
            await self._pause(wait)
        self._looked.set()
        held: list[Hold] = []
        if self._rooms:
            _, late = await asyncio.wait(self._rooms, timeout=GOODBYE_SECONDS)
            held = [self._rooms[task] for task in late]
            await ended(late)
        await self._leave(held)

    def stir(self) -> None:
        """Look at the due-queue now."""
        self._looked.clear()
        self._stirred.set()

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping = True
        self._stirred.set()

    async def looked(self) -> None:
        """Wait until what was due at the last `stir` is taken, or every place is."""
        await self._looked.wait()

    async def _claim(self) -> float:
        """Claim what there is room for; returns seconds to wait before the next look."""
        free = self._concurrency - len(self._rooms)
        if free == 0:
            return LOOK_SECONDS
        suspects = 0 if any(h.tries > pipeline.MOST_TRIES - 1 for h in self._rooms.values()) else 1
        try:
            claimed = await self._tools.queue.claim(
                most=free, suspects=suspects, mark=self._tools.mark
            )
        except RedisError as error:
            if not self._redis_away:
                log.warning("redis_lost", error=str(error))
            self._redis_away = True
            return LOST_SECONDS
        except Exception:
            log.exception("claim_failed")
            return LOOK_SECONDS
        if self._redis_away:
            log.info("redis_back")
        self._redis_away = False
        for hold in claimed.holds:
            task = asyncio.create_task(self._room(hold))
            self._rooms[task] = hold
            task.add_done_callback(self._done)
        if claimed.next_due is None or claimed.next_due <= 0:  # due, but not for us now
            return LOOK_SECONDS
        return min(claimed.next_due, LOOK_SECONDS)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._rooms[task]
        self._stirred.set()

    async def _leave(self, held: Sequence[Hold]) -> None:
        """Hand back what is still held, so that nobody has to wait for the end of a lease."""
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._tools.queue.leave(held, self._tools.mark)
        except (RedisError, TimeoutError) as error:
            log.warning("leases_left", rooms=len(held), error=str(error))
            return
        if held:
            log.info("rooms_handed_back", rooms=len(held))

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stirred.wait()
        except TimeoutError:
            pass

    async def _room(self, hold: Hold) -> None:
        """One room, from claim to release. Whatever happens here stays here."""
        try:
            if not await self._read(hold):
                return
            if hold.tries > pipeline.MOST_TRIES and hold.entries:
                await pipeline.put_aside(hold, self._tools, "its worker died three times with it")
            else:
                await pipeline.work(hold, self._tools)
            await self._tools.queue.release(hold)
        except Fenced:
            self._lost(hold)
        except NotYet as error:
            log.warning("room_put_off", room=hold.room, error=str(error))
            wait = self._tools.spread(NOT_YET_SECONDS)
            await self._until_lease_ends(
                hold, lambda: self._tools.queue.release(hold, retry_in=wait)
            )
        except RedisError as error:
            log.warning("redis_lost", room=hold.room, error=str(error))
            await self._until_lease_ends(hold, lambda: self._tools.queue.release(hold, retry_in=0))
        except Exception as error:
            log.exception("room_failed", room=hold.room, tries=hold.tries)
            failure = f"{type(error).__name__}: {error}"
            await self._until_lease_ends(hold, lambda: self._failed(hold, failure))

    def _lost(self, hold: Hold) -> None:
        """Another worker has it now."""
        self._tools.queue.counters.count(LEASES_LOST)
        log.warning("room_lost", room=hold.room)

    async def _read(self, hold: Hold) -> bool:
        """Read the record; what cannot be read may be another version's, and waits for its worker.

        That counts against no event: the worker that can read it would put an innocent one aside.
        """
        try:
            hold.record = self._tools.queue.read(hold)
        except (ValueError, LookupError, TypeError) as error:
            log.exception("record_not_read", room=hold.room, error=repr(error))
            await self._tools.queue.release(hold, retry_in=UNREAD_SECONDS)
            return False
        return True

    async def _failed(self, hold: Hold, failure: str) -> None:
        """An event that raised for the third time is put aside; else the room is tried again."""
        if hold.poisoned is not None and hold.entries and hold.tries >= pipeline.MOST_TRIES:
            await pipeline.put_aside(hold, self._tools, failure)
            await self._tools.queue.release(hold)
        else:
            wait = FAILED_SECONDS * hold.tries
            await self._tools.queue.release(hold, retry_in=wait, failed=True)

    async def _until_lease_ends(self, hold: Hold, attempt: Callable[[], Awaitable[None]]) -> None:
        """Let go of a room though Redis is away; when it stays away, the lease ends by itself."""
        while hold.left > 0:
            try:
                return await attempt()
            except Fenced:
                return self._lost(hold)
            except RedisError:
                await asyncio.sleep(LOST_SECONDS)
        return None


class DrainThread:
    """A thread with the loop in it, for a process whose main thread belongs to RQ."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, name="drain", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drain: Drain | None = None
        self.error: BaseException | None = None
        """What ended the loop, if nobody told it to stop."""

    def start(self) -> None:
        """Start the loop; returns when it runs, or has failed to."""
        self._thread.start()
        self._ready.wait()

    @property
    def alive(self) -> bool:
        """Whether the loop still runs."""
        return self._thread.is_alive()

    def stir(self) -> None:
        """Wake the loop."""
        if self._loop is not None and self._drain is not None and self.alive:
            self._loop.call_soon_threadsafe(self._drain.stir)

    def drain(self) -> None:
        """Wake the loop and wait until it has looked.

        Not until its rooms are done: while one waits for an answer, the next wake-up must find
        RQ's worker listening.
        """
        if self._loop is None or self._drain is None or not self.alive:
            msg = "the worker's loop has ended"
            raise RuntimeError(msg)
        self._loop.call_soon_threadsafe(self._drain.stir)
        looked = asyncio.run_coroutine_threadsafe(self._drain.looked(), self._loop)
        try:
            looked.result(timeout=MOST_SECONDS)
        except TimeoutError:
            log.warning("loop_slow", seconds=MOST_SECONDS)
        finally:
            looked.cancel()

    def stop(self) -> None:
        """Tell the loop to finish its rooms and end."""
        if self._loop is not None and self._drain is not None and self.alive:
            self._loop.call_soon_threadsafe(self._drain.stop)

    def join(self) -> None:
        """Wait for the end of the loop."""
        self._thread.join(GOODBYE_SECONDS + LEAVE_SECONDS + 2)

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:
            self.error = error
            log.exception("loop_ended")
            os.kill(os.getpid(), signal.SIGTERM)  # the process must not live on without it
        finally:
            self._ready.set()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._drain, close = await self._start()
        self._ready.set()
        try:
            await self._drain.run()
        finally:
            await close()
