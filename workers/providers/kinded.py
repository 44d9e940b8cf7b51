"""A provider whose participants have no kinds, seen through what the rules say of agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.frozen import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rules.agents_are import AgentsAre
    from rules.event import Fields
    from workers.providers.base import Listed, Order, Provider, Snapshot


class Kinded:
    """Tells agents from people as the rules in force do."""

    def __init__(self, provider: Provider, agents_are: Callable[[], AgentsAre]) -> None:
        self._provider = provider
        self._agents_are = agents_are
        self.project = provider.project

    async def create(self, order: Order) -> Listed:
        """As the provider does."""
        return await self._provider.create(order)

    async def remove(self, room: str, identity: str) -> None:
        """As the provider does."""
        await self._provider.remove(room, identity)

    async def room_sid(self, room: str) -> str | None:
        """As the provider tells."""
        return await self._provider.room_sid(room)

    async def snapshot(self, room: str) -> Snapshot:
        """The room and who is in it, with their kinds."""
        return self._seen(await self._provider.snapshot(room))

    async def rooms(self) -> Mapping[str, Fields]:
        """As the provider tells."""
        return await self._provider.rooms()

    async def people(self, room: Fields) -> Snapshot:
        """Who is in a room that was just listed, with their kinds."""
        return self._seen(await self._provider.people(room))

    async def aclose(self) -> None:
        """Close what is open."""
        await self._provider.aclose()

    def _seen(self, snapshot: Snapshot) -> Snapshot:
        with_kind = self._agents_are().with_kind
        return replace(snapshot, participants=tuple(map(with_kind, snapshot.participants)))
