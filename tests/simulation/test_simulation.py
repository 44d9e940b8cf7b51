"""Whatever happens to it, the service comes to rest and keeps its guarantees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
import structlog

from tests.simulation.play import play
from tests.simulation.safeguards import SAFEGUARDS
from tests.simulation.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Figure, Valkey

SEEDS: Final = 1_500
"""`make simulate` plays many more."""
MISSED_AFTER: Final = 5_000
"""Seeds in which each safeguard that is taken out must be missed."""


@pytest.fixture
def path(valkey: Valkey) -> Iterator[str]:
    """The socket of the Valkey that is played on."""
    yield str(valkey.socket)
    structlog.reset_defaults()


def test_no_seed_violates_a_guarantee(path: str) -> None:
    store = Store(path)
    failed = {seed: said for seed in range(SEEDS) if (said := play(seed, store))}
    store.close()
    assert failed == {}, "replay one with: python -m tests.simulation SEED"


def test_no_order_by_hand_is_lost_or_done_twice(path: str) -> None:
    store = Store(path)
    seeds = range(SEEDS)
    failed = {seed: said for seed in seeds if (said := play(seed, store, has_orders=True))}
    store.close()
    assert failed == {}, "replay one with: python -m tests.simulation SEED --orders"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SAFEGUARDS)
def test_a_safeguard_that_is_taken_out_is_missed(path: str, figure: Figure, name: str) -> None:
    safeguard = SAFEGUARDS[name]
    store = Store(path, safeguard.change)
    with safeguard.removed():
        missed = next((seed for seed in range(MISSED_AFTER) if play(seed, store)), None)
    store.close()
    assert missed is not None
    figure(f"without {name} the seed {missed} fails")


def test_a_seed_is_played_the_same_way_again(path: str) -> None:
    store = Store(path)
    first: list[str] = []
    second: list[str] = []
    for seed in range(20):
        play(seed, store, first.append)
        play(seed, store, second.append)
    store.close()
    assert first == second
    assert len(first) > 500
