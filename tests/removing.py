"""Seeing unwanted dispatches gone, as a worker does for those in a room's record."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from workers.removal import look, unwanted

if TYPE_CHECKING:
    from workers.providers.base import ListingProvider


async def see_gone(dispatch_id: str, room: str, provider: ListingProvider) -> None:
    """Look after a dispatch of LiveKit's until nothing is left to be done."""
    these = unwanted({dispatch_id: "greeter"}, time.time())
    while these:
        await asyncio.sleep(max(0.0, min(each.due for each in these) - time.time()))
        these = await look(these, room, provider, time.time(), keep=keep_nothing)


async def keep_nothing() -> None:
    """There is no lease."""
