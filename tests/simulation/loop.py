"""An event loop without a clock of its own: when nothing is ready it jumps to its next timer.

What is ready in the same moment runs in an order that the seed gives, not in the order in which it
became ready. When nothing is ready and no timer is left, nothing can ever happen again: that is how
a simulation knows that all has come to rest. It does as much of an event loop as the service and
asyncio's own tasks, futures and time-outs need.
"""

from __future__ import annotations

import asyncio
from asyncio import events
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from random import Random

    Call = Callable[..., object]


class SimulatedLoop:
    """Runs until all has come to rest or its time is over."""

    def __init__(self, chance: Random, *, most_seconds: float) -> None:
        self._itself = cast("asyncio.AbstractEventLoop", self)
        self._random = chance.random
        self._now = 0.0
        self._most = most_seconds
        self._ready: list[Handle] = []
        self._timers: list[tuple[float, int, Handle]] = []
        self._count = 0
        self._tasks: list[_Task] = []
        self.came_to_rest = False
        """Whether nothing was left to be done; else its time was over."""
        self.failures: list[str] = []
        """What nobody else has heard of."""

    def run(self) -> None:
        """Run."""
        ready, chance = self._ready, self._random
        events._set_running_loop(self._itself)
        try:
            while ready or self._go_on():
                if len(ready) > 1:
                    which = int(chance() * len(ready))
                    ready[which], ready[-1] = ready[-1], ready[which]
                handle = ready.pop()
                if handle.callback is not None:
                    handle.callback(*handle.args)
        finally:
            events._set_running_loop(None)

    def end(self) -> None:
        """Cancel what still waits, and let nothing more happen."""
        for task in self._tasks:
            task.cancel()
        self._timers.clear()
        self.run()

    def time(self) -> float:
        """Simulated seconds since the beginning."""
        return self._now

    def call_soon(self, callback: Call, *args: Any, **_: object) -> Handle:
        """Call it in this moment."""
        handle = Handle(self._now, callback, args)
        self._ready.append(handle)
        return handle

    def call_at(self, when: float, callback: Call, *args: Any, **_: object) -> Handle:
        """Call it then."""
        handle = Handle(when, callback, args)
        self._count += 1
        heappush(self._timers, (when, self._count, handle))
        return handle

    def call_later(self, delay: float, callback: Call, *args: Any, **_: object) -> Handle:
        """Call it after a while."""
        return self.call_at(self._now + delay, callback, *args)

    def sleep(self, seconds: float) -> asyncio.Future[None]:
        """Wait that long: `asyncio.sleep`, in short."""
        over: asyncio.Future[None] = asyncio.Future(loop=self._itself)
        self.call_at(self._now + seconds, _end, over)
        return over

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self._itself)

    def create_task(self, coro: Coroutine[Any, Any, Any], **more: Any) -> asyncio.Task[Any]:
        """A task of this loop."""
        self._count += 1
        task = _Task(coro, self._count, loop=self._itself, **more)
        self._tasks.append(task)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Remember what nobody else has heard of."""
        self.failures.append(f"{context.get('message')} {context.get('exception')!r}")

    get_debug = bool
    """Never; each task and future asks."""

    def is_running(self) -> bool:
        """As long as anybody asks."""
        return True

    def is_closed(self) -> bool:
        """Never: what is over is forgotten."""
        return False

    def _go_on(self) -> bool:
        """Jump to the next timer; False: none is left, or no time."""
        ready, timers = self._ready, self._timers
        while timers and timers[0][2].callback is None:
            heappop(timers)
        if not timers:
            self.came_to_rest = True
            return False
        now = self._now = max(self._now, timers[0][0])
        if now > self._most:
            return False
        while timers and timers[0][0] <= now:
            ready.append(heappop(timers)[2])
        return True


class Handle:
    """Something to be called."""

    __slots__ = ("args", "callback", "due")

    def __init__(self, due: float, callback: Call, args: tuple[Any, ...]) -> None:
        self.due = due
        self.callback: Call | None = callback
        self.args = args

    def cancel(self) -> None:
        """Call it not."""
        self.callback = None

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.callback is None

    def when(self) -> float:
        """When it is due."""
        return self.due


def _end(sleep: asyncio.Future[None]) -> None:
    if not sleep.done():
        sleep.set_result(None)


class _Task(asyncio.Task[Any]):
    """Sets of tasks are walked in an order that does not depend on addresses in memory."""

    def __init__(self, coro: Coroutine[Any, Any, Any], number: int, **more: Any) -> None:
        self._number = number
        super().__init__(coro, **more)

    def __hash__(self) -> int:
        return self._number
