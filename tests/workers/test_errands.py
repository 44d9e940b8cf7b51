"""Tasks beside the rooms end with the loop, whatever they were waiting in."""

from __future__ import annotations

import asyncio

from workers.tools import Errands


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
