"""One request over HTTP, with what its answer tells of the server's clock."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from service.doctor.clocks import ahead, time_of
from service.doctor.side_by_side import SECONDS
from workers.providers.wire import told_as_ours

if TYPE_CHECKING:
    from collections.abc import Mapping

_MARGIN: Final = 0.2
"""The answer that does not come is told of before its check is given up."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a server has answered."""

    status: int
    text: str
    headers: Mapping[str, str]
    seconds: float
    """How long it took."""
    ahead: float | None
    """How far its clock is ahead of ours, as `clocks.ahead`; None where it tells no time."""


def ask(
    provider: str,
    variable: str,
    method: str,
    url: str,
    *,
    token: str = "",
    asked: Mapping[str, Any] | None = None,
) -> Answered:
    """Ask, and read the whole answer, whatever its status.

    Args:
        provider: its name, for people.
        variable: the setting that holds its address.
        method: of HTTP.
        url: what is asked.
        token: goes into `Authorization` as it is; `""`: none does.
        asked: JSON to send.

    Raises:
        ProviderError: there was no answer.
    """
    return asyncio.run(_ask(provider, variable, method, url, token, asked))


async def _ask(
    provider: str,
    variable: str,
    method: str,
    url: str,
    token: str,
    asked: Mapping[str, Any] | None,
) -> Answered:
    limit = aiohttp.ClientTimeout(total=SECONDS - _MARGIN)
    headers = {"Authorization": token} if token else None
    began = time.time()
    with told_as_ours(provider, variable):
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.request(method, url, headers=headers, json=asked) as answer,
        ):
            ended = time.time()
            text = await answer.text(errors="replace")
    at = time_of(answer.headers.get("Date"))
    return Answered(
        status=answer.status,
        text=text,
        headers=answer.headers,
        seconds=ended - began,
        ahead=None if at is None else ahead(at, began, ended, exact_to=1.0),
    )
