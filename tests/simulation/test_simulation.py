"""Whatever happens to it, the service comes to rest and keeps its guarantees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest
import structlog

from tests.simulation.play import play
from tests.simulation.safeguards import SAFEGUARDS
from tests.simulation.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Valkey

IN_CI: Final = bool(os.environ.get("CI"))
SEEDS: Final = 1_000_000 if IN_CI else 1_500
"""Played at the most."""
SECONDS: Final = 90.0 if IN_CI else 30.0
"""Played for at the most, by each process."""
PROCESSES: Final = (os.cpu_count() or 1) if IN_CI else 1
MISSED_AFTER: Final = 3_000
"""Seeds in which each safeguard that is taken out must be missed."""


@pytest.fixture
def path(valkey: Valkey) -> Iterator[str]:
    """The socket of the Valkey that is played on."""
    yield str(valkey.socket)
    structlog.reset_defaults()


@pytest.mark.timeout(SECONDS + 120)
def test_no_seed_violates_a_guarantee() -> None:
    players = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.simulation", str(first), str(SEEDS),
             "--step", str(PROCESSES), "--seconds", str(SECONDS)],
            stdout=subprocess.PIPE, text=True,
        )
        for first in range(PROCESSES)
    ]  # fmt: skip
    told: list[dict[str, Any]] = [json.loads(player.communicate()[0]) for player in players]
    played = sum(each["played"] for each in told)
    rate = sum(each["played"] / each["seconds"] for each in told)
    print(f"{played} seeds played, {rate:.0f} a second")
    failed = {seed: said for each in told for seed, said in each["failed"].items()}
    assert failed == {}, "replay one with: python -m tests.simulation SEED"


@pytest.mark.parametrize("name", SAFEGUARDS)
def test_a_safeguard_that_is_taken_out_is_missed(path: str, name: str) -> None:
    safeguard = SAFEGUARDS[name]
    store = Store(path, safeguard.change)
    with safeguard.removed():
        missed = next((seed for seed in range(MISSED_AFTER) if play(seed, store)), None)
    store.close()
    assert missed is not None
    print(f"without {name} the seed {missed} fails")


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
