"""The benchmark itself: both houses do the work they are measured by, and what is lost is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.benchmarks import measures, webhooks
from tests.benchmarks.houses import baseline, ours
from tests.benchmarks.load import send
from tests.benchmarks.measures import NAMES, Lost
from tests.benchmarks.table import Row

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.benchmarks.houses import House


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(ours, id="ours"),
        pytest.param(lambda: ours(redis_milliseconds=1), id="ours, Redis 1 ms away"),
        pytest.param(lambda: baseline(tuned=True), id="tuned"),
        pytest.param(lambda: baseline(tuned=False), id="default"),
    ],
)
def test_every_webhook_becomes_one_dispatch(
    start: Callable[[], AbstractContextManager[House]],
) -> None:
    with start() as house:
        run = measures.throughput(house, 12)
        assert run.per_second > 0
        assert run.latencies[0] > 0
        house.stop_workers()
        assert measures.accepted(house, 12).accepted_per_second > 0


def test_refused_webhooks_are_told_of() -> None:
    with ours() as house:
        [(room, request)] = webhooks.started(NAMES.take(1))
        forged = [webhooks.Webhook(room, request[:-2] + b"!}")]
        with pytest.raises(Lost, match="401"):
            measures.check_answers(send(house.web, forged))


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        (Row("a", "/s", 1300, 130, 4, goal=12), "1,300 /s|4 /s|130 /s|10.00x|>= 12x|MISSED"),
        (Row("a", "ms", 3, 10, goal=0.6, least=False), "3 ms||10 ms|0.30x|<= 0.6x|met"),
        (Row("a", "MB", 299, goal=300, least=False), "299 MB||||<= 300 MB|met"),
        (Row("a", "s", 1.25), "1.25 s|||||"),
    ],
)
def test_a_row_tells_what_was_met(row: Row, cells: str) -> None:
    assert "|".join(row.cells()[1:]) == cells
