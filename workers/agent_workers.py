"""Workers of livekit-agents, asked themselves: each serves `GET /worker` on its HTTP port.

They tell their agent's name and load, and not their deployment: DISPATCHER_AGENT_WORKERS says that.
One of our workers asks them for all; what they said goes stale by itself. It also looks, every
second, at how many sessions each agent has, for the day's peak.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from dataclasses import asdict, dataclass, fields, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

import aiohttp
import structlog
from redis.exceptions import RedisError

from workers import keys
from workers.answers import whole
from workers.clock import date_of, unix_seconds
from workers.compact import compact
from workers.lease import has_lease
from workers.places import agent_key, read_route
from workers.states import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis
    import redis.asyncio

    from workers.addresses import WorkerAddress
    from workers.scripts import ScriptRunner

ASK_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 1.0
LEASE_SECONDS: Final = 10.0
FORGOTTEN_SECONDS: Final = 86400
_LONGEST: Final = 1000
"""Characters of a name."""
"""How long it is remembered which agent a worker had that does not answer any more."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AskedWorker:
    """What a worker has told, or that it has not. Times are Unix seconds."""

    url: str
    deployment: str
    asked_at: float
    agent: str | None = None
    """As it told when it last answered; None: it never has."""
    load: float | None = None
    """From 0 to 1; None: it does not answer."""
    jobs: int = 0
    sdk_version: str = ""
    error: str = ""
    """Why it has not answered, in words; `""`: it has."""
    since: float = 0.0
    """When it began to answer, or not to."""

    @property
    def is_up(self) -> bool:
        """Whether it has answered."""
        return not self.error

    @classmethod
    def from_json(cls, text: bytes) -> AskedWorker:
        """Read what was kept; what another version has kept with it is left out."""
        kept = json.loads(text)
        return cls(**{f.name: kept[f.name] for f in fields(cls) if f.name in kept})


def read_workers(redis: redis.Redis) -> list[AskedWorker]:
    """What all of them have told last.

    Raises:
        RedisError: Redis could not be reached.
    """
    found = cast("dict[bytes, bytes]", redis.hgetall(keys.AGENT_WORKERS))
    return [AskedWorker.from_json(found[url]) for url in sorted(found)]


class AgentWorkers:
    """One worker's part in asking them, and in looking at sessions."""

    def __init__(
        self, runner: ScriptRunner, token: str, addresses: Sequence[WorkerAddress]
    ) -> None:
        """Make it, on the loop it runs on.

        Args:
            runner: of that loop.
            token: a name no other loop has.
            addresses: whom to ask.
        """
        self._runner = runner
        self._token = token
        self._addresses = addresses
        self._asked_at = float("-inf")
        self._down: set[str] = set()

    async def run(self) -> None:
        """See to it every second, while no other worker does; if it fails, the next time."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                try:
                    if await self._is_mine():
                        await self._turn(session)
                except RedisError as error:
                    log.warning("agents_not_looked_at", error=str(error))
                except Exception:
                    log.exception("agents_not_looked_at")
                await asyncio.sleep(LOOK_SECONDS)

    async def _turn(self, session: aiohttp.ClientSession) -> None:
        await note_peaks(self._redis)
        if self._addresses and time.monotonic() - self._asked_at >= ASK_SECONDS:
            self._asked_at = time.monotonic()
            await self._ask_all(session)

    async def _is_mine(self) -> bool:
        return await has_lease(self._runner, keys.AGENTS_LEASE, self._token, LEASE_SECONDS)

    async def _ask_all(self, session: aiohttp.ClientSession) -> None:
        now = unix_seconds(await self._redis.time())
        stored = cast("dict[bytes, bytes]", await self._redis.hgetall(keys.AGENT_WORKERS))
        before = {url.decode(): AskedWorker.from_json(text) for url, text in stored.items()}
        told = await asyncio.gather(
            *(_asked(session, each, before.get(each.url), now) for each in self._addresses)
        )
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(keys.AGENT_WORKERS)  # those that are configured no more go
            pipe.hset(keys.AGENT_WORKERS, mapping={w.url: compact(asdict(w)) for w in told})
            pipe.expire(keys.AGENT_WORKERS, FORGOTTEN_SECONDS)
            await pipe.execute()
        for worker in told:
            self._tell(worker)

    def _tell(self, worker: AskedWorker) -> None:
        if worker.is_up and worker.url in self._down:
            self._down.discard(worker.url)
            log.info("agent_worker_up", url=worker.url, agent=worker.agent)
        elif not worker.is_up and worker.url not in self._down:
            self._down.add(worker.url)
            log.warning("agent_worker_down", url=worker.url, error=worker.error)

    @property
    def _redis(self) -> redis.asyncio.Redis:
        return self._runner.redis


async def note_peaks(client: redis.asyncio.Redis) -> None:
    """Keep the most sessions that each agent has had at a time today.

    Raises:
        RedisError: Redis could not be reached.
    """
    routes = cast("list[bytes]", await client.zrange(keys.ROUTES, 0, -1))
    async with client.pipeline(transaction=False) as pipe:
        pipe.time()
        for route in routes:
            pipe.zcard(f"{keys.DISPATCHES}{State.ACTIVE}:{route.decode()}")
        (seconds, _), *counts = await pipe.execute()
    sessions: dict[str, int] = {}
    for text, count in zip(routes, counts, strict=True):
        _, name, deployment = read_route(text.decode())
        agent = agent_key(name, deployment)
        sessions[agent] = sessions.get(agent, 0) + count
    key = keys.PEAK + date_of(seconds)
    known = cast("dict[bytes, bytes]", await client.hgetall(key)) if sessions else {}
    more: dict[Any, Any] = {a: n for a, n in sessions.items() if n > int(known.get(a.encode(), 0))}
    if more:
        async with client.pipeline(transaction=False) as pipe:
            pipe.hset(key, mapping=more)
            pipe.expire(key, keys.DAY_SECONDS)
            await pipe.execute()


async def _asked(
    session: aiohttp.ClientSession, address: WorkerAddress, before: AskedWorker | None, now: float
) -> AskedWorker:
    """Ask one; whatever it does, something is known afterwards."""
    was = before if before is not None and before.deployment == address.deployment else None
    told = AskedWorker(address.url, address.deployment, now)
    try:
        async with session.get(f"{address.url}/worker", allow_redirects=False) as answer:
            told = _read(told, answer.status, await whole(answer))
    except TimeoutError:
        told = replace(told, error=f"no answer within {ANSWER_SECONDS:.0f} s")
    except (aiohttp.ClientError, OSError) as error:
        told = replace(told, error=str(error) or type(error).__name__)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        told = replace(told, error=f"it is no worker of livekit-agents: {error}")
    if told.error and was is not None:
        told = replace(told, agent=was.agent, sdk_version=was.sdk_version)
    is_same = was is not None and was.is_up == told.is_up
    return replace(told, since=was.since if is_same and was is not None else now)


def _read(told: AskedWorker, status: int, content: bytes) -> AskedWorker:
    """What an answer says.

    Raises:
        ValueError, TypeError, OverflowError, RecursionError: it is not what such a worker answers.
    """
    if status != HTTPStatus.OK:
        raise ValueError(f"it answers with {status}")
    said = json.loads(content)
    if not isinstance(said, dict) or "worker_type" not in said:
        raise ValueError("it does not tell its worker_type")
    return replace(
        told,
        agent=_text(said, "agent_name"),
        load=_number(said, "worker_load"),
        jobs=int(_number(said, "active_jobs")),
        sdk_version=_text(said, "sdk_version")[:40],
    )


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name, "")  # what is empty is not told, nor is what is 0
    if not isinstance(value, str):
        raise TypeError(f"its {name} is no text")
    if len(value) > _LONGEST:
        raise ValueError(f"its {name} has {len(value):,} characters")
    value.encode()  # one half of a pair of surrogates could be shown nowhere
    return value


def _number(said: dict[str, Any], name: str) -> float:
    value = float(said.get(name, 0))
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"its {name} is {value}")
    return value
