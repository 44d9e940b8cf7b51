"""The Redis server: whether it answers, will do, keeps what it is given, and has room."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError, ResponseError

from service.cli.processes import too_old
from service.doctor.clocks import ahead, judged
from service.doctor.findings import failed, ok, warning
from service.eviction import NOEVICTION, TODO, eviction
from service.memory import MEGABYTE, NEARLY_FULL
from service.memory import TODO as TO_HAVE_ROOM
from service.persistence import persistence
from workers.clock import unix_seconds
from workers.connection import unreachable
from workers.schema import NewerState, SchemaError, check_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis

    from service.doctor.findings import Finding
    from workers.settings import Settings

PINGS: Final = 11
SLOW_SECONDS: Final = 0.01
"""A worker makes three round trips for an agent, and a webhook waits for one."""


def reached(client: Callable[[], redis.Redis], settings: Settings) -> Iterator[Finding]:
    """Whether it answers, and is one that will do."""
    try:
        redis = client()
        redis.ping()
    except RedisError as error:
        found, _, todo = unreachable(settings, error).rpartition("; ")
        if settings.redis_url is None:
            found = f"the embedded Valkey of {settings.data} does not answer"
            todo = "start `dispatcher up`, or set REDIS_URL"
        yield failed("redis", found, todo)
        return
    told = _told(redis, "server")
    version = str(told.get("redis_version", ""))
    name = _name(told)
    if _told(redis, "cluster").get("cluster_enabled") == 1:
        yield failed("redis", f"{name} is a Redis Cluster", "use one without cluster mode")
    elif too_old(version):
        yield failed("redis", f"{name} is too old", "use Redis 6.2 or later, or Valkey")
    else:
        yield ok("redis", f"{name} answers")


def round_trip(redis: redis.Redis) -> Iterator[Finding]:
    """How long an answer takes, in the middle of some.

    Raises:
        RedisError: Redis was lost.
    """
    took = []
    for _ in range(PINGS):
        began = time.perf_counter()
        redis.ping()
        took.append(time.perf_counter() - began)
    middle = statistics.median(took)
    found = f"{middle * 1000:.1f} ms, the slowest of {PINGS} {max(took) * 1000:.1f} ms"
    if middle <= SLOW_SECONDS:
        yield ok("redis round trip", found)
    else:
        todo = "run web and workers nearer to it: an agent waits for some of them"
        yield warning("redis round trip", found, todo)


def keeps(redis: redis.Redis) -> Iterator[Finding]:
    """What becomes of an accepted event if the server's machine loses its power.

    Raises:
        RedisError: Redis was lost.
    """
    told = persistence(redis)
    found, _, todo = told["detail"].partition(": ")
    found = f"appendfsync {told['policy']}: {found}" if told["policy"] != "none" else found
    if told["status"] == "ok":
        yield ok("redis persistence", found)
    else:
        yield warning("redis persistence", found, todo)


def evicts(redis: redis.Redis) -> Iterator[Finding]:
    """Whether it throws keys away when it is full.

    Raises:
        RedisError: Redis was lost.
    """
    told = eviction(redis)
    policy = told["policy"]
    if policy == NOEVICTION:
        yield ok("redis eviction", f"maxmemory-policy is {policy}")
        return
    found, _, todo = told["detail"].rpartition(": ")
    if policy == "unknown":
        yield warning("redis eviction", found, todo)
    else:
        yield failed("redis eviction", f"maxmemory-policy is {policy}: {found}", TODO)


def has_room(redis: redis.Redis) -> Iterator[Finding]:
    """How full its memory is.

    Raises:
        RedisError: Redis was lost.
    """
    told = _told(redis, "memory")
    used, limit = int(told.get("used_memory", 0)), int(told.get("maxmemory", 0))
    most = limit or int(told.get("total_system_memory", 0))
    if not used or not most:
        yield warning("redis memory", "the server does not tell it", "ask whoever runs it")
        return
    whose = "its maxmemory" if limit else "its machine's memory, without a maxmemory"
    found = f"{used / MEGABYTE:.0f} MB of {most / MEGABYTE:.0f} MB, {whose}"
    if used < NEARLY_FULL * most:
        yield ok("redis memory", found)
    else:
        yield failed("redis memory", f"{found}: webhooks are refused when it is full", TO_HAVE_ROOM)


def replicates(redis: redis.Redis) -> Iterator[Finding]:
    """Whether it is a primary, and how many replicas must have what is written.

    Raises:
        RedisError: Redis was lost.
    """
    told = _told(redis, "replication")
    replicas, wanted = int(told.get("connected_slaves", 0)), _replicas_wanted(redis)
    if told.get("role") == "slave":
        todo = "set REDIS_URL to its primary, or to redis+sentinel://"
        yield failed("redis replication", "it is a replica and takes no writes", todo)
    elif wanted is not None and wanted > replicas:
        todo = "start its replicas, or set it lower"
        found = f"min-replicas-to-write is {wanted}, and {replicas} are connected: writes fail"
        yield failed("redis replication", found, todo)
    elif replicas and wanted == 0:
        found = f"a primary with {replicas} replicas, none of which must have what is written"
        todo = "set min-replicas-to-write to 1, or a failover loses the last moments"
        yield warning("redis replication", found, todo)
    elif replicas:
        shown = "unknown" if wanted is None else str(wanted)
        found = f"a primary with {replicas} replicas, min-replicas-to-write is {shown}"
        yield ok("redis replication", found)
    else:
        yield ok("redis replication", "a primary without replicas")


def clock(redis: redis.Redis) -> Iterator[Finding]:
    """Whether its clock, by which workers go, is this machine's.

    Raises:
        RedisError: Redis was lost.
    """
    began = time.time()
    at = unix_seconds(redis.time())
    yield judged("redis clock", "its clock", ahead(at, began, time.time()), signs=False)


def state(redis: redis.Redis) -> Iterator[Finding]:
    """Whether what is kept there is of a version that this one can read.

    Raises:
        RedisError: Redis was lost.
    """
    try:
        found = check_schema(redis)
    except NewerState as error:
        yield failed("redis state", str(error).partition(": ")[0], "run that version, or a later")
    except SchemaError as error:
        yield failed("redis state", str(error), "look who else uses this Redis")
    else:
        none = "nothing is kept there yet"
        yield ok("redis state", none if found is None else f"schema version {found}")


def _name(told: dict[str, Any]) -> str:
    if "valkey_version" in told:
        return f"Valkey {told['valkey_version']}"
    version = told.get("redis_version")
    return f"Redis {version}" if version else "a server that does not tell its version"


def _told(redis: redis.Redis, section: str) -> dict[str, Any]:
    """What INFO says; nothing where it is forbidden."""
    try:
        told: dict[str, Any] = redis.info(section)
    except ResponseError:
        return {}
    return told


def _replicas_wanted(redis: redis.Redis) -> int | None:
    """Its `min-replicas-to-write`; None where it may not be asked."""
    try:
        told: dict[Any, Any] = redis.config_get("min-replicas-to-write")
    except ResponseError:
        return None
    return next((int(value) for value in told.values()), None)
