"""`dispatcher doctor`: looks at everything the service needs, and says what to do.

Each module looks at one part of the world and yields findings; `side_by_side` makes all checks at
once. It reads and asks only: nothing is written, started or mended, and no secret is shown.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from service.doctor import livekit, machine, redis_server, videosdk, work
from service.doctor.findings import Finding, failed, ok, warning
from service.doctor.side_by_side import REDIS, Check, side_by_side
from service.dry_runs import DRY_RUN
from workers.connection import connect
from workers.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
    found = side_by_side(list(_checks(settings, cache(partial(connect, settings)))))
    return [_struck(each, settings) for each in found]


def _checks(settings: Settings, client: Callable[[], redis.Redis]) -> Iterator[Check]:
    def asking(name: str, look: Callable[..., Iterator[Finding]], *more: Any) -> Check:  # noqa: ANN401
        return Check(name, lambda: look(client(), *more), asks_redis=True)

    yield Check("settings", partial(_settings, settings))
    hint = "look whether its machine is overloaded, or a firewall drops what is sent to it"
    yield Check(REDIS, partial(redis_server.reached, client, settings), hangs=hint)
    yield asking("redis round trip", redis_server.round_trip)
    yield asking("redis persistence", redis_server.keeps)
    yield asking("redis eviction", redis_server.evicts)
    yield asking("redis memory", redis_server.has_room)
    yield asking("redis replication", redis_server.replicates)
    yield asking("redis clock", redis_server.clock)
    yield asking("redis state", redis_server.state)
    for server in settings.servers:
        reach = partial(livekit.reached, server, settings.keys_of(server), settings)
        yield Check("livekit", reach, hangs=f"look whether {server.url} can be reached")
        yield Check("webhook address", partial(livekit.within_reach, server, settings))
        yield asking(livekit.WEBHOOKS, livekit.webhooks, server, settings)
    if (account := settings.videosdk) is not None:
        hint = f"look whether {account.url} can be reached"
        yield Check("videosdk", partial(videosdk.reached, account), hangs=hint)
        yield asking("videosdk webhooks", videosdk.webhooks, account, settings)
    yield Check("rules", partial(work.rules, settings))
    yield asking("workers", work.workers, settings)
    yield asking("pauses", work.pauses)
    yield asking("reconcile", work.reconcile, settings)
    yield Check("admin token", partial(machine.admin_token, settings))
    if settings.redis_url is None:
        yield Check("data directory", partial(machine.data_directory, settings))
    yield Check("open files", machine.open_files)


def _settings(settings: Settings) -> Iterator[Finding]:
    if not settings.servers and settings.videosdk is None:
        todo = "set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
        yield failed("settings", "LIVEKIT_URL is not set, nor is VideoSDK", todo)
    elif settings.dry_run:
        yield warning("settings", DRY_RUN, "unset it when it is to send agents")
    else:
        yield ok("settings", "they can be used")


def _struck(finding: Finding, settings: Settings) -> Finding:
    """Without any secret: what others say is shown, and may repeat what it was sent."""
    found, todo = finding.found, finding.todo
    for secret in settings.secrets:
        found, todo = found.replace(secret, "***"), todo.replace(secret, "***")
    return Finding(finding.check, finding.status, found, todo)
