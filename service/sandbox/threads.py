"""The sandbox for code that has no loop: it runs on one of its own, in a thread."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator


class Startable(Protocol):
    """A server of the sandbox."""

    async def start(self) -> None:
        """Listen."""

    async def stop(self) -> None:
        """Stop at once."""


S = TypeVar("S", bound=Startable)


@contextmanager
def running(sandbox: S) -> Iterator[S]:
    """Run a sandbox in a thread for as long as the block lasts.

    Raises:
        OSError: its port is taken.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sandbox", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(sandbox.start(), loop).result()
        try:
            yield sandbox
        finally:
            asyncio.run_coroutine_threadsafe(sandbox.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(_finish())
        loop.close()


async def _finish() -> None:
    """Cancel what is left: handlers of calls whose callers have gone."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
