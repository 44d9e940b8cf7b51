"""A dispatch that must not stay leaves nobody behind on the real server, however young it is."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from tests.removing import see_gone
from tests.waiting import eventually
from workers.providers.base import Order
from workers.providers.livekit import LiveKit
from workers.servers import Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.agent_worker import AgentWorker
    from tests.live.livekit_server import LiveKitServer

ROOMS = [f"support-{n}" for n in range(8)]


def test_nobody_stays_of_dispatches_that_are_unwanted_at_once(
    livekit_server: Callable[..., LiveKitServer], agent_worker: Callable[..., AgentWorker]
) -> None:
    server = livekit_server()
    worker = agent_worker(server, "greeter")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def wait(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

    async def connected() -> LiveKit:
        return LiveKit(Server(server.url, server.key, server.secret), calls=64)

    async def regretted(room: str) -> asyncio.Task[None]:
        made = await livekit.create(Order(room, "greeter", "", "", {}, "on_failure"))
        return asyncio.create_task(see_gone(made.id, room, livekit))

    async def listed() -> set[str]:
        found = [await livekit.dispatches(room) for room in ROOMS]
        return {d.agent for each in found for d in each}

    async def present() -> list[object]:
        return [p for room in ROOMS for p in (await livekit.snapshot(room)).participants]

    async def close() -> None:
        for task in seeing:
            task.cancel()
        await asyncio.gather(*seeing, return_exceptions=True)
        await livekit.aclose()

    seeing: list[asyncio.Task[None]] = []
    livekit = wait(connected())
    try:
        seeing += [wait(regretted(room)) for room in ROOMS]
        eventually(lambda: len(worker.jobs()) >= len(ROOMS) // 2, timeout=60)
        eventually(lambda: "greeter" not in wait(listed()), timeout=60)
        eventually(lambda: len(worker.lines("ended")) == len(worker.jobs()), timeout=60)
        assert wait(present()) == []
    finally:
        wait(close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
