"""A scrape in which everything that metrics can tell is told, and what it tells of each."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, NamedTuple

import redis.asyncio
from prometheus_client.parser import text_string_to_metric_families

from tests.service.signed import URL, headers, joined, written
from workers import keys, metrics
from workers.counters import Counters, Flushing
from workers.scripts import ScriptRunner

if TYPE_CHECKING:
    from flask import Flask
    from redis import Redis

    from tests.conftest import Valkey
    from workers.settings import Settings

BODY = written(joined())


class Exposed(NamedTuple):
    """What a scrape tells of one metric."""

    kind: str
    told: str
    labels: frozenset[str]
    series: frozenset[str]
    """The names that expressions may use."""


def count(valkey: Valkey, *counts: metrics.Count) -> None:
    """As a worker does."""

    async def counting() -> None:
        client = redis.asyncio.Redis(unix_socket_path=str(valkey.socket))
        counters = Counters()
        counters.add(counts)
        await Flushing(counters, ScriptRunner(client), "worker").flush()
        await client.aclose()

    asyncio.run(counting())


def exposed(app: Flask, settings: Settings, valkey: Valkey, client: Redis) -> dict[str, Exposed]:
    """All metrics of ours by the name in `# TYPE`, each with all its labels."""
    counts: list[metrics.Count] = []
    for metric in metrics.COUNTED:
        labels = [f"some-{name}" for name in metric.labels]
        if metric.buckets:
            counts += metric.observed(0.3, *labels)
        else:
            counts.append((metric.field(*labels), 1))
    count(valkey, *counts)
    now = client.time()[0] * 1000
    client.zadd(keys.WORKERS, {"worker:hash": now})
    told = {"at": now / 1000, "looks": 2, "failed": 1, "seconds": 0.25}
    client.hset(keys.RECONCILED + settings.servers[0].id, mapping=told)
    app.test_client().post(URL, data=BODY, headers=headers(BODY))
    return read(app.test_client().get("/metrics").text)


def read(text: str) -> dict[str, Exposed]:
    """The metrics of ours in an exposition."""
    types = dict(re.findall(r"^# TYPE (dispatcher_\S+) (\w+)$", text, re.MULTILINE))
    told = dict(re.findall(r"^# HELP (dispatcher_\S+) (.+)$", text, re.MULTILINE))
    labels: dict[str, set[str]] = {name: set() for name in types}
    series: dict[str, set[str]] = {name: set() for name in types}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = next(
                (n for n in (sample.name, sample.name.rpartition("_")[0]) if n in types), None
            )
            if name is not None:
                labels[name] |= sample.labels.keys() - {"le"}
                series[name].add(sample.name)
    return {
        name: Exposed(kind, told[name], frozenset(labels[name]), frozenset(series[name]))
        for name, kind in types.items()
    }
