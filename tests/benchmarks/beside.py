"""Measures taken of the service and of the baseline, in alternating rounds."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.benchmarks import measures
from tests.benchmarks.houses import baseline, ours
from tests.benchmarks.measures import p99
from tests.benchmarks.table import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from tests.benchmarks.houses import House

FAR_SECONDS: Final = 0.05


class Counts(NamedTuple):
    """How many webhooks a measurement takes: a few seconds of each."""

    throughput: int
    far: int
    idle: int
    idle_per_second: float
    accepted: int


OURS: Final = Counts(6000, 6000, 200, 20, 8000)
TUNED: Final = Counts(900, 90, 150, 20, 6000)
DEFAULT: Final = Counts(15, 15, 20, 2, 0)

Seen = dict[str, list[float]]


class _Way(NamedTuple):
    start: Callable[[], AbstractContextManager[House]]
    counts: Counts
    seen: Seen
    cpu: dict[str, Any]


def beside(
    rounds: int, *, suffix: str = "", fsync: str = "everysec", redis_milliseconds: float = 0.0
) -> Iterable[Row]:
    """The main measures, of both, and of the baseline's default worker where that is not slow
    beyond use.
    """
    stands: dict[str, Any] = {"fsync": fsync, "redis_milliseconds": redis_milliseconds}
    ways = {
        "ours": _Way(lambda: ours(**stands), OURS, {}, {}),
        "tuned": _Way(lambda: baseline(tuned=True, **stands), TUNED, {}, {}),
    }
    if not suffix:
        ways["default"] = _Way(lambda: baseline(tuned=False, **stands), DEFAULT, {}, {})
    for _ in range(rounds):
        for way in ways.values():
            with way.start() as house:
                _round(house, way)
    return _rows(ways, suffix)


def _round(house: House, way: _Way) -> None:
    counts, seen = way.counts, way.seen

    def saw(name: str, value: float) -> None:
        seen.setdefault(name, []).append(round(value, 3))

    saw("ready", house.ready_seconds)
    measures.throughput(house, max(1, counts.throughput // 10))  # what is made once is made now
    idle = measures.idle(house, counts.idle, counts.idle_per_second)
    saw("idle", median(idle.latencies))
    saw("idle p99", p99(idle.latencies))
    run = measures.throughput(house, counts.throughput)
    saw("throughput", run.per_second)
    way.cpu["throughput"] = run.cpu_each()
    run = measures.throughput(house, counts.far, delay=FAR_SECONDS)
    saw("far", run.per_second)
    way.cpu["far"] = run.cpu_each()
    if counts.accepted:
        house.stop_workers()
        run = measures.accepted(house, counts.accepted)
        saw("accepted", run.accepted_per_second)
        way.cpu["accepted"] = run.cpu_each()


_MEASURES: Final[Sequence[tuple[str, str, str, float | None, bool]]] = [
    ("throughput", "webhook to CreateDispatch, throughput", "/s", 12, True),
    ("far", "the same, LiveKit 50 ms away", "/s", 60, True),
    ("idle", "webhook to CreateDispatch, idle, median", "ms", 0.6, False),
    ("idle p99", "webhook to CreateDispatch, idle, p99", "ms", None, False),
    ("accepted", "durable acceptance of webhooks", "/s", 5, True),
    ("ready", "start to ready", "s", None, False),
]


def _rows(ways: dict[str, _Way], suffix: str) -> Iterable[Row]:
    for name, measure, unit, goal, least in _MEASURES:
        figures = {who: median(way.seen[name]) for who, way in ways.items() if name in way.seen}
        yield Row(
            measure + suffix,
            unit,
            goal=None if suffix else goal,
            least=least,
            more={
                "rounds": {who: way.seen.get(name) for who, way in ways.items()},
                "cpu_ms_each": {who: way.cpu.get(name) for who, way in ways.items()},
            },
            **figures,
        )
