"""`dispatcher doctor`: looks at everything the service needs, and says what to do.

Each module looks at one part of the world and yields findings; `side_by_side` makes all checks at
once. It reads and asks only: nothing is written, started or mended, and no secret is shown.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

from service.doctor import livekit, machine, redis_server, videosdk, work
from service.doctor.findings import Finding, failed, ok
from service.doctor.side_by_side import REDIS, Check, side_by_side
from workers.connection import connect
from workers.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import redis

    from workers.settings import Settings

__all__ = ["examine"]


def examine(environ: Mapping[str, str]) -> list[Finding]:
    """All that is found with these settings, in the order of the table.

    It takes as long as the slowest check, 5 s at most.
    """
    try:
        settings = load_settings(environ)
    except SettingsError as error:
        return [
            failed("settings", str(error), "set it right, and look again"),
            *machine.open_files(),
        ]
    with contextlib.closing(connect(settings)) as redis:
        found = side_by_side(list(_checks(settings, redis)))
    return [_struck(each, settings) for each in found]


def _checks(settings: Settings, redis: redis.Redis) -> Iterator[Check]:
    yield Check("settings", partial(_settings, settings))
    yield from _of_redis(settings, redis)
    for server in settings.servers:
        reach = partial(livekit.reached, server, settings.keys_of(server), settings)
        yield Check("livekit", reach, hangs=f"look whether {server.url} can be reached")
        yield Check("webhook address", partial(livekit.within_reach, server, settings))
        yield Check(
            livekit.WEBHOOKS, partial(livekit.webhooks, server, redis, settings), asks_redis=True
        )
    if (account := settings.videosdk) is not None:
        hint = f"look whether {account.url} can be reached"
        yield Check("videosdk", partial(videosdk.reached, account), hangs=hint)
        posts = partial(videosdk.webhooks, account, redis, settings)
        yield Check("videosdk webhooks", posts, asks_redis=True)
    yield Check("rules", partial(work.rules, settings))
    yield Check("workers", partial(work.workers, redis, settings), asks_redis=True)
    yield Check("pauses", partial(work.pauses, redis), asks_redis=True)
    yield Check("reconcile", partial(work.reconcile, redis, settings), asks_redis=True)
    yield Check("admin token", partial(machine.admin_token, settings))
    if settings.redis_url is None:
        yield Check("data directory", partial(machine.data_directory, settings))
    yield Check("open files", machine.open_files)


def _of_redis(settings: Settings, redis: redis.Redis) -> Iterator[Check]:
    hint = "look whether its machine is overloaded, or a firewall drops what is sent to it"
    yield Check(REDIS, partial(redis_server.reached, redis, settings), hangs=hint)
    looks = {
        "redis round trip": redis_server.round_trip,
        "redis persistence": redis_server.keeps,
        "redis eviction": redis_server.evicts,
        "redis memory": redis_server.has_room,
        "redis replication": redis_server.replicates,
        "redis clock": redis_server.clock,
        "redis state": redis_server.state,
    }
    for name, look in looks.items():
        yield Check(name, partial(look, redis), asks_redis=True)


def _settings(settings: Settings) -> Iterator[Finding]:
    if not settings.servers and settings.videosdk is None:
        todo = "set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
        yield failed("settings", "LIVEKIT_URL is not set, nor is VideoSDK", todo)
    else:
        yield ok("settings", "they can be used")


def _struck(finding: Finding, settings: Settings) -> Finding:
    """Without any secret: what others say is shown, and may repeat what it was sent."""
    found, todo = finding.found, finding.todo
    for secret in settings.secrets:
        found, todo = found.replace(secret, "***"), todo.replace(secret, "***")
    return Finding(finding.check, finding.status, found, todo)
