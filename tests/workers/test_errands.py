"""Tasks beside the rooms end with the loop, whatever they were waiting in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from workers.tools import FIRST_AGAIN_SECONDS, Errands

if TYPE_CHECKING:
    from collections.abc import MutableMapping


def test_one_that_was_not_heard_to_be_cancelled_is_cancelled_again() -> None:
    told: list[str] = []

    async def deaf() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:  # as a Redis client may, while it connects
            told.append("deaf")
        await asyncio.sleep(60)

    async def loop() -> None:
        errands = Errands()
        errands.start(deaf())
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await errands.aclose()

    asyncio.run(loop())
    assert told == ["deaf"]


def test_one_that_fails_is_begun_anew_and_ends_with_the_loop() -> None:
    begun: list[str] = []
    well = asyncio.Event()

    async def failing() -> None:
        begun.append("it")
        if len(begun) < 3:
            raise OSError("no space left on device")
        well.set()
        await asyncio.sleep(60)

    async def loop() -> list[MutableMapping[str, object]]:
        errands = Errands()
        with capture_logs() as told:
            errands.keep("rules", failing)
            async with asyncio.timeout(20):
                await well.wait()
                await errands.aclose()
        return told

    told = asyncio.run(loop())
    assert len(begun) == 3
    assert [(t["event"], t["errand"], t["again_in"]) for t in told] == [
        ("errand_failed", "rules", FIRST_AGAIN_SECONDS),
        ("errand_failed", "rules", 2 * FIRST_AGAIN_SECONDS),
    ]
