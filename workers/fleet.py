"""How the whole fleet stands and what it has counted, read from Redis in one round trip."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers import keys, metrics, scripts
from workers.metrics import SUM, read_field
from workers.presence import AWAY_SECONDS, by_name
from workers.states import LIVE, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import redis

    from workers.metrics import Metric
    from workers.presence import AtWork

_LIVE: Final = tuple(state for state in State if state in LIVE)
_BY_NAME: Final = {metric.name: metric for metric in metrics.COUNTED}


@dataclass(frozen=True, slots=True)
class LastPass:
    """The last comparison of a server's listing with what webhooks said."""

    age: float
    """Seconds since it began."""
    seconds: float
    """How long it took."""
    differences: int
    """Rooms that were not as their record had them."""
    failed: int
    """Rooms that could not be compared."""


@dataclass(slots=True)
class Observed:
    """What a histogram holds for some labels: how many in each bucket, those above all last."""

    buckets: list[int]
    sum: float = 0.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """All of it, at one moment."""

    rooms_due: int
    oldest_due: float
    """Seconds since the first of them was due; 0 if none is."""
    workers: Mapping[str, AtWork]
    """The hash of its rules by worker."""
    rooms_live: int
    dead_letters: int
    pauses: int
    rule_errors: int
    """Workers of whose rule files some do not load."""
    live: Mapping[State, int]
    """How many dispatches are in each live state."""
    passes: Mapping[str, LastPass]
    """By server id; those that had none within a day are not in it."""
    counters: Mapping[str, Mapping[tuple[str, ...], float]]
    """By name and labels."""
    histograms: Mapping[str, Mapping[tuple[str, ...], Observed]]


def read_fleet(redis: redis.Redis, server_ids: Iterable[str]) -> Fleet:
    """Read it.

    Raises:
        RedisError: Redis could not be reached.
    """
    ids = list(server_ids)
    now, due, first, workers, rooms, dead, pauses, errors, states, passes, counted = scripts.call(
        redis,
        scripts.FLEET,
        [
            keys.DUE,
            keys.WORKERS,
            keys.ROOMS,
            keys.DEAD_LETTERS,
            keys.ROUTES,
            keys.METRICS,
            keys.PAUSED,
            keys.RULE_ERRORS,
        ],
        [int(AWAY_SECONDS * 1000), keys.DISPATCHES, keys.RECONCILED, len(_LIVE), *_LIVE, *ids],
    )
    counters, histograms = _read(_pairs(counted))
    return Fleet(
        rooms_due=due,
        oldest_due=max(0.0, (now - float(first)) / 1000) if first else 0.0,
        workers=by_name(workers),
        rooms_live=rooms,
        dead_letters=dead,
        pauses=pauses,
        rule_errors=errors,
        live=dict(zip(_LIVE, states, strict=True)),
        passes={
            server: _last_pass(dict(_pairs(told)), now / 1000)
            for server, told in zip(ids, passes, strict=True)
            if b"at" in told
        },
        counters=counters,
        histograms=histograms,
    )


def _pairs(flat: Sequence[bytes]) -> Iterable[tuple[str, str]]:
    texts = [each.decode() for each in flat]
    return zip(texts[::2], texts[1::2], strict=True)


def _last_pass(told: Mapping[str, str], now: float) -> LastPass:
    return LastPass(
        age=now - float(told["at"]),
        seconds=float(told.get("seconds", 0)),
        differences=int(told.get("looks", 0)),
        failed=int(told.get("failed", 0)),
    )


def _read(
    counted: Iterable[tuple[str, str]],
) -> tuple[
    dict[str, dict[tuple[str, ...], float]],
    dict[str, dict[tuple[str, ...], Observed]],
]:
    """The counters and histograms in these fields. What another version counts is left out."""
    counters: dict[str, dict[tuple[str, ...], float]] = {}
    histograms: dict[str, dict[tuple[str, ...], Observed]] = {}
    for field, value in counted:
        with suppress(ValueError):
            name, labels = read_field(field)
            metric = _BY_NAME.get(name)
            if metric is None or len(labels) != len(metric.labels) + bool(metric.buckets):
                continue
            if metric.buckets:
                _put(histograms.setdefault(name, {}), metric, labels, float(value))
            else:
                counters.setdefault(name, {})[labels] = float(value)
    return counters, histograms


def _put(
    found: dict[tuple[str, ...], Observed],
    metric: Metric,
    labels: tuple[str, ...],
    value: float,
) -> None:
    *own, last = labels
    bound = None if last == SUM else float(last)
    empty = Observed([0] * (len(metric.buckets) + 1))
    observed = found.setdefault(tuple(own), empty)
    if bound is None:
        observed.sum += value
    else:  # perhaps one of another version
        observed.buckets[sum(each < bound for each in metric.buckets)] += int(value)
