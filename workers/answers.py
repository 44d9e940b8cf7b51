"""Answers over HTTP from whoever it may be, read no further than they may be long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import aiohttp

MOST_BYTES: Final = 65536


async def whole(answer: aiohttp.ClientResponse) -> bytes:
    """What it answers, to its end.

    Raises:
        ValueError: that is too much.
    """
    try:
        await answer.content.readexactly(MOST_BYTES + 1)
    except asyncio.IncompleteReadError as ended:
        return ended.partial
    raise ValueError(f"it answers with more than {MOST_BYTES} bytes")
