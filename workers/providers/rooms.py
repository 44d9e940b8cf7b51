"""Looking rooms up by name: whoever asks while a listing is under way shares the next one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence


class RoomLookup:
    """Coalesces look-ups of one server: one listing at a time serves all who wait.

    A listing begun before a question was asked never answers it.
    """

    def __init__(self, list_rooms: Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]) -> None:
        self._list_rooms = list_rooms
        self._waiting: dict[str, asyncio.Future[str | None]] = {}
        self._listing: asyncio.Task[None] | None = None

    async def sid(self, room: str) -> str | None:
        """Sid of a room's session now, or None.

        Raises:
            ProviderError: the listing this question rode on failed.
        """
        answer = self._waiting.get(room)
        if answer is None:
            answer = self._waiting[room] = asyncio.get_running_loop().create_future()
        if self._listing is None:
            self._listing = asyncio.create_task(self._list())
        return await asyncio.shield(answer)

    async def _list(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, {}
                await self._answer(asked)
        finally:
            self._listing = None

    async def _answer(self, asked: dict[str, asyncio.Future[str | None]]) -> None:
        try:
            sids = await self._list_rooms(list(asked))
        except BaseException as error:
            for answer in asked.values():
                answer.set_exception(error)
                answer.exception()  # whoever asked may have been cancelled: that is no leak
            if not isinstance(error, Exception):
                raise
        else:
            for room, answer in asked.items():
                answer.set_result(sids.get(room))
