"""What is to happen a little later, unless all of it is called off."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Timers:
    """Those that have not gone off yet."""

    def __init__(self) -> None:
        self._timers: set[asyncio.TimerHandle] = set()

    def later(self, delay: float, action: Callable[[], None]) -> None:
        """Call it from the running loop, after `delay` seconds."""

        def act() -> None:
            self._timers.discard(timer)
            action()

        timer = asyncio.get_running_loop().call_later(delay, act)
        self._timers.add(timer)

    def cancel(self) -> None:
        """Call none of what is left."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
