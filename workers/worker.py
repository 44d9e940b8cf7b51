"""The worker process: RQ's worker in the main thread, the loop that works beside it.

RQ gives the queue of wake-ups, the registry of workers with their heartbeats, and the tools people
know (`rq info`, rq-dashboard). Jobs run in this process: a fork for each would cost more than all
the work on an event.
"""

from __future__ import annotations

import asyncio
import gc
import random
import signal
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer

from rules.decision import Provider as Name
from workers import keys, wake
from workers.agent_workers import AgentWorkers
from workers.calls import CALLS_EACH
from workers.connection import connect, connect_async
from workers.counters import Counters, Flushing
from workers.drain import Drain, DrainThread
from workers.errors import ProviderError
from workers.inbox import DueQueue
from workers.lease import give_up
from workers.notices import NOBODY
from workers.notifier import Notifier
from workers.parting import give_up_leases, in_time
from workers.presence import new_name
from workers.providers.kinded import Kinded
from workers.providers.livekit import LiveKit
from workers.providers.videosdk import VideoSdk
from workers.reconcile import Reconciler
from workers.retention import Bounds, Retention
from workers.rules_in_force import RulesInForce, kept, watch
from workers.schema import agree
from workers.scripts import ScriptRunner
from workers.tools import Gate, Tools
from workers.traces import open_traces

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import redis.asyncio
    from redis import Redis

    from rules.ruleset import Ruleset
    from workers.providers.base import Provider
    from workers.servers import Server
    from workers.settings import Settings

CONCURRENCY: Final = 256
"""Rooms one worker works on at once: with a LiveKit 50 ms away, 64 keep it busy half the time."""
RULES_SECONDS: Final = 1.0
NEW_OBJECTS: Final = 50_000
AWAY_SECONDS: Final = 0.5
MOST_AWAY_SECONDS: Final = 5.0

log = structlog.get_logger(__name__)


class WakeQueue(Queue):
    """RQ's queue; the loop hears of a wake-up before RQ has fetched and registered its job."""

    @classmethod
    def lmove(
        cls, connection: Redis, queue_key: str, timeout: int | None
    ) -> tuple[str, bytes] | None:
        """Take the next job's id, waiting for one."""
        came: tuple[str, bytes] | None = super().lmove(connection, queue_key, timeout)
        if came is not None:
            wake.stir()
        return came


class DrainWorker(SimpleWorker):
    """RQ's in-process worker, tied to the loop beside it."""

    queue_class = WakeQueue
    job_class = wake.WakeJob
    stopping: threading.Event

    def handle_warm_shutdown_request(self) -> None:
        """Answer the first SIGTERM or SIGINT, idle or in the middle of a job."""
        self.stopping.set()

    def check_for_suspension(self, burst: bool) -> None:  # noqa: FBT001 - RQ's signature
        """Ask before each job; a signal may have come while this worker was still being made."""
        if self.stopping.is_set():
            raise StopRequested
        super().check_for_suspension(burst)


def run_worker(settings: Settings, concurrency: int = CONCURRENCY) -> None:
    """Work until SIGTERM or SIGINT.

    Raises:
        RuntimeError: the loop ended by itself.
        SchemaError: a newer version has been at work in that Redis.
    """
    _collect_seldom()
    stopping = threading.Event()
    _on_signals(stopping)
    rules = _rules(settings, stopping)
    if rules is None or rules.now.ruleset is None:
        return
    if not _agreed(settings, stopping):
        return
    ruleset = rules.now.ruleset
    loop = DrainThread(lambda: open_drain(settings, rules, concurrency))
    loop.start()
    wake.serve(loop)
    log.info("worker_started", rules=len(ruleset.rules), hash=ruleset.hash, rooms=concurrency)
    _tell_of_receivers(settings, ruleset)
    try:
    with in_time(loop, stopping):
        _serve_wake_ups(settings, stopping)
    wake.serve(None)
    if loop.error is not None:
        raise RuntimeError("the worker's loop ended by itself") from loop.error
    log.info("worker_stopped")


def _tell_of_receivers(settings: Settings, ruleset: Ruleset) -> None:
    """Say what an operator may not have meant: nobody is told, or everybody could listen."""
    if settings.receivers is None:
        if ruleset.notifies:
            log.warning("nobody_to_notify", hint=NOBODY)
        return
    for each in settings.receivers.all:
        if each.is_in_clear:
            log.warning("receiver_in_clear", receiver=each.shown, hint="who calls is not encrypted")


def _collect_seldom() -> None:
    """Look for cycles among tens of thousands of new objects at once, and not among the modules.

    Hundreds of rooms under way are hundreds of coroutines that every look goes through: at Python's
    700 new objects that was an eighth of the work on an event.
    """
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, 20, 100)


def _rules(settings: Settings, stopping: threading.Event) -> RulesInForce | None:
    """The rules, as soon as there are any: a process without rules claims no room. None: stopped.

    Where the files do not load, the last good rules any worker had are taken.
    """
    rules = RulesInForce(settings.rules)
    told: tuple[str, ...] = ()
    while not stopping.is_set():
        now = rules.look()
        if now.ruleset is None and (good := _kept(settings)) is not None:
            rules.fall_back(good)
            log.warning("rules_kept", hash=good.hash, hint="the last good rules are in force")
        if now.errors and now.errors != told:
            told = now.errors
            hint = f"DISPATCHER_RULES is {Path(settings.rules).absolute()}, which is read again"
            log.error("rules_do_not_load", problems=list(told), hint=hint)
        if rules.now.ruleset is not None:
            return rules
        stopping.wait(RULES_SECONDS)
    return None


def _kept(settings: Settings) -> Ruleset | None:
    try:
        with connect(settings) as client:
            return kept(client)
    except RedisError:
        return None


def _agreed(settings: Settings, stopping: threading.Event) -> bool:
    """Whether this version can work with what Redis keeps, as soon as it answers; False: stopped.

    Raises:
        SchemaError: it cannot.
    """
    while not stopping.is_set():
        try:
            with connect(settings) as client:
                agree(client)
        except RedisError:
            stopping.wait(AWAY_SECONDS)
        else:
            return True
    return False


def _on_signals(stopping: threading.Event) -> None:
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, lambda *_: stopping.set())


def _serve_wake_ups(settings: Settings, stopping: threading.Event) -> None:
    """Run RQ's worker, and a new one when Redis was away: RQ ends its worker then."""
    away = AWAY_SECONDS
    while not stopping.is_set():
        _on_signals(stopping)  # RQ's worker has put its own in their place
        began = time.monotonic()
        client = connect(settings)
        try:
            worker = DrainWorker(
                [WakeQueue(keys.QUEUE, connection=client, serializer=JSONSerializer)],
                connection=client,
                serializer=JSONSerializer,
                log_job_description=False,
            )
            worker.stopping = stopping
            worker.work(logging_level="WARNING")
        except (RedisError, OSError) as error:
            log.warning("redis_lost", error=str(error))
        finally:
            client.close()
        lasted = time.monotonic() - began
        away = AWAY_SECONDS if lasted > MOST_AWAY_SECONDS else min(away * 2, MOST_AWAY_SECONDS)
        stopping.wait(away)


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
    tools.errands.start(flushing.run())
    tools.errands.start(watch(rules, client))
    tools.errands.start(Retention(runner, claimant, bounds).run())
    tools.errands.start(AgentWorkers(runner, claimant, settings.agent_workers).run())
    if settings.receivers is not None:
        tools.errands.start(Notifier(runner, claimant, settings.receivers, tools).run())
    interval = settings.reconcile_interval.total_seconds()
    if interval:
        tools.errands.start(Reconciler(tools, runner, claimant, interval, gap).run())
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
