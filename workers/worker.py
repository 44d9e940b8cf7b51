"""The worker process: RQ's worker in the main thread, the loop that works beside it.

RQ gives the queue of wake-ups, the registry of workers with their heartbeats, and the tools people
know (`rq info`, rq-dashboard). Jobs run in this process: a fork for each would cost more than all
the work on an event.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer

from workers import keys, wake
from workers.connection import connect
from workers.drain import DrainThread
from workers.notices import NOBODY
from workers.opening import open_drain
from workers.parting import in_time
from workers.rules_in_force import RulesInForce, kept
from workers.schema import agree
from workers.stop_signals import stop_signals

if TYPE_CHECKING:
    from redis import Redis

    from rules.ruleset import Ruleset
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
    """Work until one of `stop_signals`; that ends the process.

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
    with in_time(loop, stopping):
        _serve_wake_ups(settings, stopping)
    wake.serve(None)
    if loop.error is not None:
        raise RuntimeError("the worker's loop ended by itself") from loop.error
    log.info("worker_stopped")
    os._exit(0)  # Python would wait for a thread that hangs in reading a file


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
    for number in stop_signals():
        signal.signal(number, lambda *_: stopping.set())


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
