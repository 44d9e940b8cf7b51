"""What belongs to a loop: an object that other threads may use too, and sleeps that can end."""

from __future__ import annotations

import asyncio
import functools
from contextlib import suppress
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="LoopBound")

_PATIENCE: Final = 30
"""Seconds another thread waits for the loop."""


class LoopBound:
    """Something whose state belongs to one loop, from the moment it has one."""

    loop: asyncio.AbstractEventLoop | None = None

    def run(self, action: Callable[[], R]) -> R:
        """What `action` returns, called on the loop, whichever thread asks."""
        if self.loop is None or self.loop is _running_loop():
            return action()

        async def act() -> R:
            return action()

        return asyncio.run_coroutine_threadsafe(act(), self.loop).result(_PATIENCE)


def on_loop(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Make a method run on its object's loop."""

    @functools.wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.run(lambda: method(self, *args, **kwargs))

    return call


class Pauses:
    """Sleeps that end early when the server stops."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()

    def begin(self) -> None:
        """The server starts, or starts again, perhaps on another loop."""
        self._ended = asyncio.Event()

    def end(self) -> None:
        """The server stops."""
        self._ended.set()

    async def sleep(self, seconds: float | None) -> None:
        """Sleep for some seconds, or with None for as long as the server runs."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), seconds)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
