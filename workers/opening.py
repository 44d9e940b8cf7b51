"""What a worker's loop is made of, and how that is closed."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import TYPE_CHECKING

import structlog

from rules.decision import Provider as Name
from workers.agent_workers import AgentWorkers
from workers.calls import CALLS_EACH
from workers.connection import connect_async
from workers.counters import Counters, Flushing
from workers.drain import Drain
from workers.errors import ProviderError
from workers.inbox import DueQueue
from workers.notifier import Notifier
from workers.parting import give_up_leases
from workers.presence import new_name
from workers.providers.kinded import Kinded
from workers.providers.livekit import LiveKit
from workers.providers.videosdk import VideoSdk
from workers.reconcile import Reconciler
from workers.retention import Bounds, Retention
from workers.rules_in_force import watch
from workers.scripts import ScriptRunner
from workers.tools import Gate, Tools
from workers.traces import open_traces

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import redis.asyncio

    from workers.providers.base import Provider
    from workers.rules_in_force import RulesInForce
    from workers.servers import Server
    from workers.settings import Settings

log = structlog.get_logger(__name__)


async def _greet(server: Server, provider: Provider) -> None:
    """Call a server once, so that a wrong address or key is heard of before the first caller is."""
    try:
        await provider.room_sid("livekit-dispatcher")
    except ProviderError as error:
        log.warning("livekit_not_reached", url=server.url, key=server.api_key, error=str(error))
    else:
        log.info("livekit_reached", url=server.url)


def share_of(concurrency: int, servers: int) -> int:
    """How many rooms may have calls to one of several servers: all but one of them may hang, and
    the last must still find places.
    """
    return concurrency if servers == 1 else max(1, concurrency * 3 // 4 // (servers - 1))


async def open_drain(
    settings: Settings, rules: RulesInForce, concurrency: int
) -> tuple[Drain, Callable[[], Awaitable[None]]]:
    """Make a worker's loop, on the loop it will run on; also how to close what it uses."""
    restarted, gap = asyncio.Event(), asyncio.Event()

    def on_restart() -> None:
        restarted.set()
        gap.set()

    client: redis.asyncio.Redis = connect_async(settings, on_restart)
    runner, claimant = ScriptRunner(client), new_name()
    account = settings.videosdk
    ids = [server.id for server in settings.servers] + ([account.id] if account else [])
    concurrency = max(concurrency, 2 * len(ids))
    gates = {server_id: Gate(share_of(concurrency, len(ids))) for server_id in ids}
    calls, counters = concurrency * CALLS_EACH, Counters()
    called = partial(counters.called, Name.LIVEKIT.value)
    servers = {
        s.id: LiveKit(s, calls=calls, rest=gates[s.id].rest, called=called)
        for s in settings.servers
    }
    videosdk: dict[str, Provider] = {}
    if account is not None:
        called = partial(counters.called, Name.VIDEOSDK.value)
        plain = VideoSdk(account, calls=calls, rest=gates[account.id].rest, called=called)
        videosdk[account.id] = Kinded(plain, lambda: tools.ruleset.agents_are)
    tools = Tools(
        queue=DueQueue(
            runner,
            claimant=claimant,
            restarted=restarted,
            counters=counters,
            redaction=settings.redaction,
        ),
        rules=rules,
        providers=servers,
        gates=gates,
        videosdk=videosdk,
        restarts_ours=settings.restarts_ours,
        topics=settings.receivers.topics if settings.receivers is not None else None,
        dry_run=settings.dry_run,
        traces=open_traces(settings, "worker"),
        chance=random.random,
    )

    bounds = Bounds(max(1, int(settings.retention.total_seconds())), settings.history_bytes)
    flushing = Flushing(counters, runner, claimant, lambda: bool(rules.now.errors))
    keep = tools.errands.keep
    keep("metrics", flushing.run)
    keep("rules", partial(watch, rules, client))
    keep("retention", Retention(runner, claimant, bounds).run)
    keep("agents", AgentWorkers(runner, claimant, settings.agent_workers).run)
    if settings.receivers is not None:
        keep("notifier", Notifier(runner, claimant, settings.receivers, tools).run)
    interval = settings.reconcile_interval.total_seconds()
    if interval:
        keep("reconcile", Reconciler(tools, runner, claimant, interval, gap).run)
    for server in settings.servers:
        tools.errands.start(_greet(server, tools.providers[server.id]))

    async def close() -> None:
        await tools.errands.aclose()
        await give_up_leases(runner, claimant)
        for provider in tools.places.values():
            await provider.aclose()
        await flushing.close()
        await client.aclose()
        if tools.traces is not None:
            await asyncio.to_thread(tools.traces.close)

    return Drain(tools, concurrency=concurrency), close
