"""Comparing what webhooks said with what LiveKit lists, every interval, by one worker at a time.

A pass lists all rooms of a server, and who is in each, spread over most of the interval so that no
burst of calls meets LiveKit. Where a listing shows what a record does not know, the room is asked
to be looked at (workers/looking.py): the comparison that counts is made there, under the room's
lease, with a listing of its own. So this pass decides nothing, and two of them do no harm.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Final, cast

import structlog
from redis.exceptions import RedisError

from workers import keys, scripts
from workers.clock import unix_seconds
from workers.drift import drift, strangers, watched
from workers.entries import look_offer
from workers.errors import ProviderError
from workers.lease import has_lease
from workers.rooms_now import read_record
from workers.strangers import Strangers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import redis

    from rules.event import Fields
    from workers.record import Record
    from workers.scripts import ScriptRunner
    from workers.tools import Tools

LEASE_SECONDS: Final = 15.0
LOOK_SECONDS: Final = 1.0
"""How often a worker asks whether it is its turn."""
RECENT_SECONDS: Final = 5.0
"""A worker that starts begins with a pass, if there has been none so lately."""
FAILED_SECONDS: Final = 5.0
PAUSE_SECONDS: Final = 0.02
"""Between two listings, where there are few rooms."""
SHARE: Final = 0.8
"""Of the interval, that a pass over many rooms may take."""
AT_ONCE: Final = 8
"""Listings in flight."""
CHUNK: Final = 64
KEPT_SECONDS: Final = 86400

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Passed:
    """A pass that is over."""

    age: float
    """Seconds since it began."""
    looks: int
    """Rooms that were not as their record had them."""


def last_pass(redis: redis.Redis, server_id: str) -> Passed | None:
    """The last pass over a server; None if there was none within a day.

    Raises:
        RedisError: Redis could not be reached.
    """
    at, looks = cast(
        "list[bytes | None]", redis.hmget(keys.RECONCILED + server_id, ["at", "looks"])
    )
    if at is None:
        return None
    return Passed(unix_seconds(redis.time()) - float(at), int(looks or 0))


@dataclass(slots=True)
class Pass:
    """What one pass over a server did."""

    rooms: int = 0
    calls: int = 0
    looks: int = 0
    """Rooms that are not as their record has them."""
    failed: int = 0
    """Rooms that could not be compared: not listed, or their record could not be read."""


class Reconciler:
    """One worker's part in it."""

    def __init__(
        self,
        tools: Tools,
        runner: ScriptRunner,
        token: str,
        interval: float,
        restarted: asyncio.Event,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make it, on the loop it runs on.

        Args:
            tools: of that loop.
            runner: of that loop.
            token: a name no other loop has.
            interval: seconds.
            restarted: set when Redis has started anew: it may have lost its last second.
            monotonic: this process's clock that is never set, seconds.
        """
        self._tools = tools
        self._runner = runner
        self._token = token
        self._interval = interval
        self._restarted = restarted
        self._monotonic = monotonic
        self._is_first = True
        self._failed_at: dict[str, float] = {}

    async def run(self) -> None:
        """Reconcile for as long as this runs. Whatever goes wrong, the next turn comes."""
        while True:
            try:
                if await self._is_ours():
                    await self._turn()
            except RedisError as error:
                log.warning("reconcile_put_off", error=str(error))
            except Exception:
                log.exception("reconcile_failed")
            await asyncio.sleep(LOOK_SECONDS)

    async def _turn(self) -> None:
        is_at_once, is_first = self._restarted.is_set(), self._is_first
        self._restarted.clear()
        self._is_first = False
        for server_id in self._tools.places:
            if self._monotonic() - self._failed_at.get(server_id, -inf) < FAILED_SECONDS:
                continue
            age = await self._now() - await self._last(server_id)
            is_due = age >= self._interval * (0.9 + 0.2 * self._tools.chance())
            if is_due or is_at_once or (is_first and age > RECENT_SECONDS):
                await self._any_server(server_id)

    async def _now(self) -> float:
        return unix_seconds(await self._runner.redis.time())

    async def _last(self, server_id: str) -> float:
        at = await self._runner.redis.hget(keys.RECONCILED + server_id, "at")
        return float(at or 0)

    async def _is_ours(self) -> bool:
        return await has_lease(self._runner, keys.RECONCILE, self._token, LEASE_SECONDS)

    async def _any_server(self, server_id: str) -> None:
        """Whatever goes wrong with one server, the others have their turn."""
        try:
            await self._server(server_id)
        except RedisError:
            raise
        except Exception:
            log.exception("reconcile_failed", server=server_id)
            self._failed_at[server_id] = self._monotonic()

    async def _server(self, server_id: str) -> None:
        began, done = self._monotonic(), Pass()
        at = await self._now()
        try:
            rooms = await self._tools.place(server_id).rooms()
        except ProviderError as error:  # never read as if there were no rooms
            log.warning("reconcile_put_off", error=str(error))
            self._failed_at[server_id] = self._monotonic()
            return
        done.calls, done.rooms = 1, len(rooms)
        seen = Strangers()
        for room in await self._live(server_id) - rooms.keys():
            await self._look(server_id, room, done)
        if not await self._compare(server_id, rooms, done, seen):
            return
        took = self._monotonic() - began
        told: dict[str, float] = {"seconds": round(took, 3), **asdict(done)}
        key = keys.RECONCILED + server_id
        await self._runner.redis.hset(
            key, "at", str(at), items=[x for kv in told.items() for x in kv]
        )
        await self._runner.redis.expire(key, KEPT_SECONDS)
        await seen.keep(self._runner.redis, server_id, 5 * self._interval)
        if done.looks or done.failed:
            log.info("reconciled", **told)

    async def _live(self, server_id: str) -> set[str]:
        """Names of the rooms whose session is live as far as is known."""
        members = cast("list[bytes]", await self._runner.redis.zrange(keys.ROOMS, 0, -1))
        split = (keys.split_room_key(member.decode()) for member in members)
        return {name for owner, name in split if owner == server_id}

    async def _compare(
        self, server_id: str, rooms: Mapping[str, Fields], done: Pass, seen: Strangers
    ) -> bool:
        """Compare each of them; False: another worker has taken over, and passes over them all."""
        pause = min(PAUSE_SECONDS, SHARE * self._interval / max(1, len(rooms)))
        places = asyncio.Semaphore(AT_ONCE)

        async def one(room: Fields, record: Record) -> None:
            async with places:
                try:
                    await self._room(server_id, room, record, done, seen)
                except RedisError:
                    raise
                except Exception:  # of one room: the others are compared
                    done.failed += 1
                    log.exception("room_not_compared", room=str(room["name"]))

        for names in _chunks(rooms):
            if not await self._is_ours():
                return False
            running = []
            for name, record in (await self._records(server_id, names)).items():
                if record is None:  # another version's: its worker knows what is to be there
                    done.failed += 1
                    continue
                running.append(asyncio.create_task(one(rooms[name], record)))
                await asyncio.sleep(pause)
            await asyncio.gather(*running)
        return True

    async def _records(self, server_id: str, names: list[str]) -> dict[str, Record | None]:
        pipe = self._runner.redis.pipeline(transaction=False)
        for name in names:
            pipe.hget(keys.ROOM + keys.room_key(server_id, name), "record")
        texts = await pipe.execute()
        return {n: read_record(n, t or b"") for n, t in zip(names, texts, strict=True)}

    async def _room(
        self, server_id: str, room: Fields, record: Record, done: Pass, seen: Strangers
    ) -> None:
        name, session = str(room["name"]), record.session
        if record.look_due is not None:
            seen.room(record)
            return  # it is looked at already
        if session is None or session.ended or session.sid != room["sid"]:
            await self._look(server_id, name, done)
            return
        provider = self._tools.place(server_id)
        try:
            done.calls += 1
            listing = await provider.people(room)
        except ProviderError as error:
            done.failed += 1
            seen.room(record)
            log.warning("room_not_listed", room=name, error=str(error))
            return
        watching = watched(self._tools.ruleset, name)
        found = drift(record, name, listing, 0.0, watching, provider.project)
        others = strangers(record, listing)
        seen.room(record, others)
        if found or others.keys() - record.strangers:
            await self._look(server_id, name, done)

    async def _look(self, server_id: str, room: str, done: Pass) -> None:
        done.looks += 1
        offer = look_offer(server_id, room)
        await self._runner.call(scripts.ACCEPT, offer.keys, offer.args)


def _chunks(names: Iterable[str]) -> Iterator[list[str]]:
    left = iter(names)
    while chunk := list(islice(left, CHUNK)):
        yield chunk
