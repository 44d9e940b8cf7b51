"""Measures of the service on one host, and on a second one beside it that shares its Redis.

Redis, LiveKit and who sends the webhooks are on the first; these go to all web processes alike.
"""

from __future__ import annotations

import sys
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.benchmarks import measures
from tests.benchmarks.beside import FAR_SECONDS, OURS
from tests.benchmarks.houses import ours
from tests.benchmarks.namespaces import NoSecondHost, two_hosts
from tests.benchmarks.table import Row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.benchmarks.houses import House

MEASURES: Final = ("throughput", "throughput, LiveKit 50 ms away", "durable acceptance")


class _Seen(NamedTuple):
    per_second: float
    cpu_each: dict[str, float]


def hosts(rounds: int) -> Iterable[Row]:
    """One and two hosts in alternating rounds; nothing but a line where there can be no second."""
    seen: dict[tuple[str, str], list[_Seen]] = {}
    try:
        with two_hosts() as both:
            for _ in range(rounds):
                for name, these in (("one host", both[:1]), ("two hosts", both)):
                    with ours(hosts=these) as house:
                        for measure, figure in zip(MEASURES, _round(house), strict=True):
                            seen.setdefault((name, measure), []).append(figure)
    except NoSecondHost as missing:
        print(f"not measured: {missing}", file=sys.stderr)
    return [_row(f"{name}: {measure}", each) for (name, measure), each in seen.items()]


def _round(house: House) -> Iterable[_Seen]:
    measures.throughput(house, OURS.throughput // 10)  # what is made once is made now
    near = measures.throughput(house, OURS.throughput)
    far = measures.throughput(house, OURS.far, delay=FAR_SECONDS)
    house.stop_workers()
    accepted = measures.accepted(house, OURS.accepted)
    return (
        _Seen(near.per_second, near.cpu_each()),
        _Seen(far.per_second, far.cpu_each()),
        _Seen(accepted.accepted_per_second, accepted.cpu_each()),
    )


def _row(measure: str, each: list[_Seen]) -> Row:
    more: dict[str, Any] = {
        "rounds": [round(seen.per_second, 3) for seen in each],
        "cpu_ms_each": each[-1].cpu_each,
    }
    return Row(measure, "/s", median(seen.per_second for seen in each), more=more)
