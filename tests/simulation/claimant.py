"""A worker of the service in the simulation: the real loop, which may die or stand still.

It can do so at any of its calls to Redis or LiveKit, for nothing else of it can be seen. One that
has died never gets an answer again; what it has sent may still arrive. One that stands still gets
its answers when it goes on, mostly after its leases have ended.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

from redis.exceptions import ConnectionError as RedisConnectionError

from tests.simulation.line import Line
from tests.simulation.world import EPOCH, SERVER
from workers import scripts
from workers.drain import Drain
from workers.entries import split_entry
from workers.inbox import DueQueue
from workers.receivers import Topic
from workers.record import Record
from workers.tools import Gate, Tools

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.simulation.livekit import LiveKit
    from tests.simulation.world import World
    from workers.rules_in_force import RulesInForce
    from workers.scripts import Arg, Script, ScriptRunner

MOST_DEATHS: Final = 3
CONCURRENCY: Final = 8


class Claimant:
    """One worker process."""

    def __init__(self, world: World, livekit: LiveKit, name: str, rules: RulesInForce) -> None:
        self.name = name
        self.world = world
        self.dead = False
        self._resumes = 0.0
        self._may_die = True
        queue = DueQueue(
            cast("ScriptRunner", _Runner(self)),
            name,
            monotonic=world.loop.time,
        )
        self.tools = Tools(
            queue=queue,
            rules=rules,
            providers={SERVER: Line(self, livekit)},
            gates={SERVER: Gate(CONCURRENCY)},
            restarts_ours=frozenset({SERVER}),
            topics=frozenset(Topic),
            chance=world.chance.random,
        )
        self.drain = _Drain(self.tools, concurrency=CONCURRENCY)
        self.work = world.loop.create_task(self.drain.run())

    @property
    def awake(self) -> bool:
        """Whether it works."""
        return not self.dead and self.world.loop.time() >= self._resumes

    @property
    def in_trouble(self) -> bool:
        """Whether `step` may take time; asked first, for it is asked often."""
        weather = self.world.weather
        return not self.awake or weather.crash > 0 or weather.pause > 0

    async def step(self) -> None:
        """Whatever may befall a worker between two of its calls."""
        world = self.world
        if not self.dead:
            if self._may_die and world.odds(world.weather.crash):
                self.die()
            elif self.awake and world.odds(world.weather.pause):
                self._stand_still(world.chance.uniform(0.1, 40.0))
        while not self.awake:
            if self.dead:
                await asyncio.get_running_loop().create_future()
            await world.loop.sleep(self._resumes - world.loop.time())

    def die(self) -> None:
        """Do nothing more."""
        self.dead = True
        self.world.note(self.name, "dies")
        self.world.died()

    def _stand_still(self, seconds: float) -> None:
        # What it sends after that, LiveKit may still do: only it can take that back, if it lives.
        self._may_die = False
        self._resumes = self.world.loop.time() + seconds
        self.world.note(self.name, f"stands still for {seconds:.1f} s")


class _Drain(Drain):
    """Looks when it is stirred, and not four times a second: the simulation knows what is due."""

    async def _pause(self, seconds: float) -> None:  # noqa: ARG002 - that is what is saved
        await self._stirred.wait()


class _Runner:
    """`ScriptRunner`, through a network that may fail."""

    def __init__(self, me: Claimant) -> None:
        self._me = me
        self._world = me.world
        self._was_lost = False
        self.redis = self

    async def call(self, script: Script, keys: Sequence[str], args: Sequence[Arg]) -> Any:
        """Run a script."""
        me, world = self._me, self._world
        if script is scripts.CLAIM and me.awake and (nothing := self._nothing_due()):
            return nothing
        if me.in_trouble:
            await me.step()
        weather = world.weather
        is_slow = world.odds(weather.redis_slow)
        late = world.chance.uniform(0.1, 4.0) if is_slow else world.chance.uniform(0.0005, 0.003)
        is_lost = world.odds(weather.redis_lost)
        comes_late = world.chance.random() < 0.5
        if comes_late:
            await world.loop.sleep(late)
        if is_lost and world.chance.random() < 0.5:
            raise RedisConnectionError("the question was lost")
        answer = world.store.run(script, keys, args, world.now())
        self._saw(script, args, answer)
        if not comes_late:
            await world.loop.sleep(late)
        if is_lost:
            self._was_lost = self._was_lost or script is scripts.CLAIM
            raise RedisConnectionError("the answer was lost")
        if me.in_trouble:
            await me.step()
        if script is scripts.CLAIM:
            self._was_lost = False
        return answer

    def _nothing_due(self) -> list[Any] | None:
        """What a claim is answered when nothing is due: so much is known without asking.

        One whose last answer was lost gives back what it does not know that it has: it must ask.
        """
        world = self._world
        first, now = world.store.first_due, int(world.now() * 1000)
        if self._was_lost or (first is not None and first * 1000 <= now):
            return None
        return [now, b"" if first is None else b"%d" % (first * 1000), [], []]

    async def hget(self, key: str, field: str) -> Any:
        """Read a field of a hash, as the client that `ScriptRunner` has."""
        await self._me.step()
        return self._world.store.ask("HGET", key, field)

    async def mget(self, keys: Sequence[str]) -> Any:
        """Read some texts, as that client."""
        await self._me.step()
        return self._world.store.ask("MGET", *keys)

    def _saw(self, script: Script, args: Sequence[Arg], answer: Any) -> None:
        world = self._world
        if script is scripts.COMMIT and answer == b"ok":
            world.have_left_inbox(str(args[0]), str(args[3]), int(args[4]))
            first = 12 + 3 * int(args[6])
            entries = cast("Sequence[bytes]", args[first : first + int(args[9])])
            world.put_in_front(str(args[0]), [split_entry(entry).id for entry in entries])
        if script is scripts.ACCEPT and answer != b"duplicate":
            world.accepted[str(args[0])].append(str(args[1]).partition("\n")[0])
        if world.told is None:
            return
        if script is scripts.CLAIM:
            if answer[2]:
                world.note(self._me.name, "claims", *(room[1].decode() for room in answer[2]))
        elif script is scripts.COMMIT:
            if args[3] or args[5] or answer != b"ok":
                record = _in_short(cast("bytes", args[5]))
                world.note(self._me.name, "commits", args[3], args[4], answer, record)
        else:
            world.note(self._me.name, script.name, answer)


def _in_short(text: bytes) -> str:
    """A record, for whoever reads along."""
    if not text:
        return ""
    record = Record.from_json(text)
    dispatches = (
        f"{d.rule}={d.state}/{d.step}@{d.due - EPOCH:.1f}:{d.dispatch_id}"
        for d in record.dispatches.values()
    )
    agents = (a.identity for a in record.agents.values())
    unwanted = (each.dispatch_id for each in record.unwanted)
    late = (each.agent for each in record.stragglers)
    parts = {"": dispatches, "agents": agents, "unwanted": unwanted, "stragglers": late}
    told = (f"{name} {','.join(values)}" for name, values in parts.items())
    return f"[{record.session.sid if record.session else ''} {'; '.join(told)}]"
