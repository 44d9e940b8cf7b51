"""`/metrics`: what this process knows of itself, and what Redis knows of the whole fleet.

Workers listen to nobody, so any web process tells for all of them, and each the same: see
service/docs/metrics.md. Without Redis it tells what it has.
"""

from __future__ import annotations

from importlib.metadata import version
from itertools import accumulate
from math import inf
from typing import TYPE_CHECKING, Final

import structlog
from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from redis.exceptions import RedisError

from service.api.described import Described, described
from service.api.models import Exposition
from workers import metrics as counted
from workers.counted import JOINED
from workers.fleet import read_fleet
from workers.reasons import Why
from workers.rules_in_force import look_or_kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import redis
    from prometheus_client.metrics_core import Metric as Family

    from workers.fleet import Fleet, Observed
    from workers.metrics import Metric
    from workers.rules_in_force import RulesInForce
    from workers.settings import Settings

MEDIA: Final = "text/plain; version=0.0.4; charset=utf-8"
_OUTCOMES: Final = (JOINED, Why.NO_WORKER.value, Why.NEVER_JOINED.value)
"""Told as 0 of each agent that was asked for: else the first that does not come is not seen."""

log = structlog.get_logger(__name__)


def metrics(
    settings: Settings, redis: redis.Redis, in_force: RulesInForce, registry: CollectorRegistry
) -> Blueprint:
    """The route Prometheus asks."""
    routes = Blueprint("metrics", __name__)
    ProcessCollector(registry=registry)
    registry.register(_Told(settings, redis, in_force))

    @routes.get("/metrics")
    @described(Described(Exposition, is_open=True, media="text/plain"))
    def prometheus() -> Response:
        """What Prometheus scrapes: this process, and the whole fleet."""
        return Response(generate_latest(registry), content_type=MEDIA)

    return routes


class _Told(Collector):
    """The fleet and the rules, read whenever somebody asks."""

    def __init__(self, settings: Settings, redis: redis.Redis, in_force: RulesInForce) -> None:
        self._settings = settings
        self._redis = redis
        self._in_force = in_force
        self._servers = {server.id: server.url for server in settings.servers}
        if settings.videosdk is not None:
            self._servers[settings.videosdk.id] = settings.videosdk.url

    def collect(self) -> Iterator[Family]:
        fleet = self._fleet()
        up = "Whether this process could read Redis just now."
        yield GaugeMetricFamily("dispatcher_redis_up", up, int(fleet is not None))
        yield InfoMetricFamily(
            "dispatcher_build", "What runs here.", {"version": version("livekit-dispatcher")}
        )
        yield from self._rules(is_up=fleet is not None)
        yield from _standing(fleet)
        yield from self._passes(fleet)
        for metric in counted.COUNTED:
            yield _histogram(metric, fleet) if metric.buckets else _counter(metric, fleet)

    def _fleet(self) -> Fleet | None:
        try:
            return read_fleet(self._redis, self._servers)
        except RedisError as error:
            log.warning("metrics_not_read", error=str(error))
            return None

    def _rules(self, *, is_up: bool) -> Iterator[Family]:
        """What this process sees of the rules."""
        now = look_or_kept(self._in_force, self._redis) if is_up else self._in_force.look()
        info = InfoMetricFamily("dispatcher_rules", "The rules this process has in force.")
        if now.ruleset is not None:
            info.add_metric([], {"hash": now.ruleset.hash})
        yield info
        count = len(now.ruleset.rules) if now.ruleset is not None else 0
        yield GaugeMetricFamily(
            "dispatcher_rules_loaded", "How many rules this process has in force.", count
        )
        yield GaugeMetricFamily(
            "dispatcher_rules_load_failed",
            "1 while a rule file does not load here; the last good rules stay in force.",
            int(bool(now.errors)),
        )

    def _passes(self, fleet: Fleet | None) -> Iterator[Family]:
        """Of each server, how it was last compared with what webhooks said."""
        interval = self._settings.reconcile_interval.total_seconds()
        about = "DISPATCHER_RECONCILE_INTERVAL of this process; 0: nothing is compared."
        yield GaugeMetricFamily("dispatcher_reconcile_interval_seconds", about, interval)
        age, took, differ, failed = (
            GaugeMetricFamily(f"dispatcher_reconcile_{name}", about, labels=["server"])
            for name, about in (
                ("age_seconds", "Since the last comparison began; +Inf: none within a day."),
                ("duration_seconds", "How long the last comparison took."),
                ("differences", "Rooms that were not as webhooks had told, last time."),
                ("unlisted_rooms", "Rooms that could not be compared, last time."),
            )
        )
        for server_id, url in self._servers.items() if fleet is not None else ():
            last = fleet.passes.get(server_id) if fleet is not None else None
            age.add_metric([url], inf if last is None else max(0.0, last.age))
            if last is not None:
                took.add_metric([url], last.seconds)
                differ.add_metric([url], last.differences)
                failed.add_metric([url], last.failed)
        yield from (age, took, differ, failed)


_STANDING: Final[tuple[tuple[str, str, Callable[[Fleet], float]], ...]] = (
    ("rooms_due", "Rooms that wait for a worker now.", lambda f: f.rooms_due),
    ("oldest_due_seconds", "How long the first of them has waited.", lambda f: f.oldest_due),
    ("rooms_live", "Rooms with a session.", lambda f: f.rooms_live),
    ("dead_letters", "Events that were put aside and are kept.", lambda f: f.dead_letters),
    ("paused_rules", "Rules that are paused; all of them count as one.", lambda f: f.pauses),
    ("workers", "Workers that look for work.", lambda f: len(f.workers)),
    (
        "workers_with_rule_errors",
        "Workers where a rule file does not load; the last good rules stay in force.",
        lambda f: f.rule_errors,
    ),
)


def _standing(fleet: Fleet | None) -> Iterator[Family]:
    """How the fleet stands; without Redis nobody knows."""
    for name, about, read in _STANDING:
        yield GaugeMetricFamily(f"dispatcher_{name}", about, read(fleet) if fleet else None)
    live = GaugeMetricFamily(
        "dispatcher_dispatches_live", "Dispatches that are live, by state.", labels=["state"]
    )
    for state, count in fleet.live.items() if fleet is not None else ():
        live.add_metric([state], count)
    yield live
    by_rules = GaugeMetricFamily(
        "dispatcher_workers_by_rules", "Workers by the rules they work by.", labels=["hash"]
    )
    hashes = [each.rules for each in fleet.workers.values()] if fleet is not None else []
    for rules_hash in sorted(set(hashes)):
        by_rules.add_metric([rules_hash], hashes.count(rules_hash))
    yield by_rules


def _counter(metric: Metric, fleet: Fleet | None) -> Family:
    family = CounterMetricFamily(metric.name, metric.told, labels=metric.labels)
    if fleet is None:
        return family
    found = {**_begun(metric, fleet), **fleet.counters.get(metric.name, {})}
    for labels, value in sorted(found.items()):
        family.add_metric(labels, value)
    return family


def _begun(metric: Metric, fleet: Fleet) -> Mapping[tuple[str, ...], float]:
    """What is told as 0 before it has happened."""
    if not metric.labels:
        return {(): 0}
    if metric is not counted.OUTCOMES:
        return {}
    asked = fleet.counters.get(counted.DISPATCHES.name, {})
    return {(*labels[:-1], outcome): 0 for labels in asked for outcome in _OUTCOMES}


def _histogram(metric: Metric, fleet: Fleet | None) -> Family:
    family = HistogramMetricFamily(metric.name, metric.told, labels=metric.labels)
    found = fleet.histograms.get(metric.name, {}) if fleet is not None else {}
    for labels, observed in sorted(found.items()):
        family.add_metric(labels, list(_cumulative(metric.buckets, observed)), observed.sum)
    return family


def _cumulative(bounds: Iterable[float], observed: Observed) -> Iterator[tuple[str, float]]:
    for bound, count in zip((*bounds, inf), accumulate(observed.buckets), strict=True):
        yield floatToGoString(bound), count  # type: ignore[no-untyped-call]  # it has no types
