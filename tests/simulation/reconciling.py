"""Whoever reconciles in the simulation: the real pass, on a worker that may die or stand still."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from redis.exceptions import RedisError

from tests.simulation.world import SERVER
from workers import keys, scripts
from workers.reconcile import Reconciler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.simulation.claimant import Claimant
    from workers.scripts import Arg, Script, ScriptRunner


async def reconcile(me: Claimant, look: Callable[[str], None]) -> None:
    """Make one pass. Rooms that are not as their records have them are to be looked at."""
    me.world.note(me.name, "reconciles")
    runner = cast("ScriptRunner", _Runner(me, look))
    clock = me.world.loop.time
    reconciler = Reconciler(me.tools, runner, me.name, 60.0, asyncio.Event(), monotonic=clock)
    try:
        await reconciler._server(SERVER)
    except RedisError as error:
        me.world.note(me.name, "puts it off:", error)


class _Runner:
    """`ScriptRunner` and its client, as far as a pass needs them."""

    def __init__(self, me: Claimant, look: Callable[[str], None]) -> None:
        self._me = me
        self._look = look
        self._asked: list[tuple[str, str]] = []
        self.redis = self

    async def call(self, script: Script, keys_: Sequence[str], args: Sequence[Arg]) -> Any:  # noqa: ARG002 - as that class
        """Ask for a look, or for the lease, which is always had: two passes do no harm."""
        await self._me.step()
        if script is scripts.ACCEPT:
            self._look(keys.split_room_key(str(args[0]))[1])
        return 1

    async def time(self) -> tuple[int, int]:
        """Redis's time."""
        await self._me.step()
        micros = int(self._me.world.now() * 1_000_000)
        return micros // 1_000_000, micros % 1_000_000

    async def zrange(self, key: str, first: int, last: int) -> Any:
        """Read a sorted set."""
        await self._me.step()
        return self._me.world.store.ask("ZRANGE", key, first, last)

    def pipeline(self, *, transaction: bool) -> _Runner:
        """Collect what is to be read."""
        assert not transaction
        self._asked = []
        return self

    def hget(self, key: str, field: str) -> None:
        """Read a field of a hash, with the others."""
        self._asked.append((key, field))

    async def execute(self) -> list[Any]:
        """Read all of it."""
        await self._me.step()
        return [self._me.world.store.ask("HGET", *each) for each in self._asked]

    async def hset(self, key: str, *_: str, items: Sequence[object]) -> None:
        """Keep what the pass did for nobody."""

    async def expire(self, key: str, seconds: int) -> None:
        """Forget it."""
