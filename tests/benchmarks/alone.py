"""Measures of the service alone: the baseline has nothing to stand beside them, or cannot do it."""

from __future__ import annotations

import threading
import time
from statistics import median
from typing import TYPE_CHECKING, Final

from tests.benchmarks import measures, webhooks
from tests.benchmarks.decide import SIZES, many_rules
from tests.benchmarks.houses import RULES, ours
from tests.benchmarks.load import send
from tests.benchmarks.measures import NAMES, Lost, p99
from tests.benchmarks.table import Row
from tests.waiting import eventually
from workers.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.houses import House

BURST: Final = 20_000
BURST_CONNECTIONS: Final = 1000
PEOPLE: Final = 2000
LEVELS: Final = (1_000, 10_000, 100_000)
PROBE: Final = 3000
LISTED: Final = 10_000
DRIFT: Final = 100
HOT_RULES: Final = (
    RULES
    + """\
  - id: each
    on: participant_joined
    when:
      room: {name: "bench-hot-*"}
    dispatch: {agent: companion}
    join_within: 1h
"""
)


def burst() -> Iterator[Row]:
    """All of a second's webhooks at once: nothing is lost, and none is refused."""
    with ours() as house:
        measures.throughput(house, 500)
        given = webhooks.started(NAMES.take(BURST), BURST)
        run = measures.dispatched(house, given, connections=BURST_CONNECTIONS, per_second=BURST)
    last = max(times[0] for times in run.arrivals.values())
    name = f"burst of {BURST:,} webhooks in a second"
    yield Row(f"{name}: until the last is dispatched", "s", last - run.sent[0].due)
    yield Row(f"{name}: answers, p99", "s", p99(run.answers) / 1000)


def hot_room() -> Iterator[Row]:
    """One room in which thousands join, beside callers in rooms of their own."""
    with ours(rules=HOT_RULES) as house:
        measures.throughput(house, 500)
        idle = p99(measures.idle(house, 200, 20).latencies)
        [hot] = NAMES.take(1)
        hot = hot.replace("bench-", "bench-hot-")
        crowd = webhooks.joined(hot, PEOPLE, 500)
        house.livekit.ask("reset")
        # A server sends the events of one room one after the other.
        crowding = threading.Thread(
            target=lambda: measures.check_answers(send(house.web, crowd, connections=1))
        )
        calls = webhooks.started(NAMES.take(60), 20)
        began = time.monotonic()
        crowding.start()
        sent = send(house.web, calls, per_second=20)
        measures.check_answers(sent)
        crowding.join()
        measures.wait_for(house, 1 + len(calls))
        eventually(lambda: len(_decided(house, hot)) == PEOPLE, timeout=120, interval=0.5)
        seconds = time.monotonic() - began
        arrivals = house.livekit.ask("arrivals")
        if _decided(house, hot) != [f"caller-{n}" for n in range(PEOPLE)]:
            raise Lost("the events of the hot room were not decided in order")
    others = p99(measures.Run(sent, arrivals, {}).latencies)
    yield Row(f"one room, {PEOPLE:,} join: all decided, in order", "s", seconds)
    yield Row(
        "meanwhile in other rooms: p99, beside its own idle", "x", others / idle,
        goal=2, least=False, more={"p99_ms": others, "idle_p99_ms": idle},
    )  # fmt: skip


def _decided(house: House, room: str) -> list[str]:
    """Who has joined a room, in the order in which that was decided on."""
    events = Ledger(house.redis).events_since(0.0)
    return [e["body"]["participant"]["identity"] for e in events if e["room"] == room]


def live_rooms() -> Iterator[Row]:
    """What many live rooms cost: memory, and work on one more event."""
    with ours(environ={"DISPATCHER_RECONCILE_INTERVAL": "0"}) as house:
        measures.throughput(house, 500)
        empty, there = _used(house), 500
        rest = {part: house.resident(part) for part in ("web", "worker")}
        for level in LEVELS:
            run = measures.throughput(house, level - there)
            probe = measures.throughput(house, PROBE)
            there = level + PROBE
            each = probe.cpu_each()
            now = {part: house.resident(part) for part in rest}
            more = {"cpu_ms_each": each, "resident_mb": now, "resident_mb_before": rest}
            more["filled_per_second"] = run.per_second
            name = f"{level:,} live rooms"
            used = (_used(house) - empty) * level / (there - 500)
            last = level == LEVELS[-1]
            yield Row(f"{name}: Redis", "MB", used, goal=300 if last else None, least=False,
                      more=more)  # fmt: skip
            yield Row(f"{name}: one worker", "MB", now["worker"])
            yield Row(f"{name}: CPU of all parts for one event", "ms", sum(each.values()))


def _used(house: House) -> float:
    return float(house.redis.info("memory")["used_memory"]) / 1e6


def reconcile() -> Iterator[Row]:
    """A pass over many rooms of which a few are not as they are known."""
    with ours(environ={"DISPATCHER_RECONCILE_INTERVAL": "10s"}) as house:
        names = NAMES.take(LISTED)
        measures.dispatched(house, webhooks.started(names))
        house.livekit.ask("rooms", names)
        eventually(lambda: _passed(house)[:2] == (LISTED, 0), timeout=300, interval=0.5)
        ended, stay = names[: DRIFT // 2], names[DRIFT // 2 :]
        new = NAMES.take(DRIFT - len(ended))
        house.livekit.ask("reset")
        house.livekit.ask("rooms", [*stay, *new])
        began = time.monotonic()
        measures.wait_for(house, len(new))
        arrivals = house.livekit.ask("arrivals")
        eventually(lambda: house.redis.zcard("lkd:rooms") == LISTED, timeout=120, interval=0.1)
        healed = time.monotonic() - began
        eventually(lambda: _passed(house)[:2] == (LISTED, 0), timeout=120, interval=0.1)
        _, _, calls, seconds = _passed(house)
    if set(arrivals) != set(new):
        raise Lost(f"{len(set(arrivals) ^ set(new))} rooms were not healed as they should be")
    name = f"reconcile of {LISTED:,} rooms, {DRIFT} changed unseen"
    yield Row(f"{name}: all healed", "s", healed, more={"interval_s": 10})
    name = f"reconcile of {LISTED:,} rooms, none changed"
    yield Row(f"{name}: a pass", "s", seconds)
    yield Row(f"{name}: its calls", "calls", calls)


def _passed(house: House) -> tuple[float, float, float, float]:
    """The last pass: rooms, those that were not as they were known, calls, and seconds."""
    [key] = house.redis.keys("lkd:reconciled:*") or [b"there was none"]
    told = house.redis.hmget(key, "rooms", "looks", "calls", "seconds")
    rooms, looks, calls, seconds = (float(value or 0) for value in told)
    return rooms, looks, calls, seconds


def workers(rounds: int) -> Iterator[Row]:
    """More workers on the same machine."""
    for count in (1, 2, 4):
        near, far = [], []
        for _ in range(rounds):
            with ours(workers=count) as house:
                measures.throughput(house, 500)
                near.append(measures.throughput(house, 6000))
                far.append(measures.throughput(house, 6000, delay=0.05))
        name = f"{count} worker{'s' * (count > 1)}"
        for what, runs in (("", near), (", LiveKit 50 ms away", far)):
            yield Row(
                f"{name}: throughput{what}", "/s", median(run.per_second for run in runs),
                more={"cpu_ms_each": runs[-1].cpu_each()},
            )  # fmt: skip


def copied(rounds: int) -> Iterator[Row]:
    """What it costs that a replica must have each webhook before it is answered."""
    seen: dict[tuple[str, bool], list[float]] = {}
    for _ in range(rounds):
        for is_copied in (False, True):
            with ours(copied=is_copied) as house:
                measures.throughput(house, 500)
                idle = median(measures.idle(house, 200, 20).latencies)
                through = measures.throughput(house, 6000).per_second
                house.stop_workers()
                accepted = measures.accepted(house, 8000).accepted_per_second
            for name, value in (("idle", idle), ("through", through), ("accepted", accepted)):
                seen.setdefault((name, is_copied), []).append(value)
    for name, what, unit in (
        ("through", "webhook to CreateDispatch, throughput", "/s"),
        ("accepted", "durable acceptance of webhooks", "/s"),
        ("idle", "webhook to CreateDispatch, idle, median", "ms"),
    ):
        with_it, without = median(seen[name, True]), median(seen[name, False])
        yield Row(f"{what}, one Redis", unit, without, more={"rounds": seen[name, False]})
        yield Row(f"{what}, a replica confirms", unit, with_it, more={"rounds": seen[name, True]})
        yield Row(f"{what}: the second by the first", "x", with_it / without)


def decisions() -> Iterator[Row]:
    """One decision by the number of rules; `tests.benchmarks.decide` says more of it."""
    found = list(many_rules())
    for row in found:
        yield Row(row.measured, "µs", row.value)
    first, last = found[0], found[-1]
    yield Row(
        f"{last.measured}, beside {SIZES[0]}", "x", last.value / first.value, goal=2, least=False
    )
