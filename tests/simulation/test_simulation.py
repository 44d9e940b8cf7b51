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

    from tests.conftest import Figure, Valkey

IN_CI: Final = bool(os.environ.get("CI"))
SEEDS: Final = 100_000 if IN_CI else 1_500
"""Played at the most."""
SECONDS: Final = 900.0 if IN_CI else 30.0
"""Played for at the most, by each process."""
CORES: Final[list[int | None]] = (
    list(os.sched_getaffinity(0)) if IN_CI and hasattr(os, "sched_getaffinity") else [None]
)
"""What a process each plays on."""
MISSED_AFTER: Final = 3_000
"""Seeds in which each safeguard that is taken out must be missed."""


@pytest.fixture
def path(valkey: Valkey) -> Iterator[str]:
    """The socket of the Valkey that is played on."""
    yield str(valkey.socket)
    structlog.reset_defaults()


@pytest.mark.timeout(SECONDS + 120)
def test_no_seed_violates_a_guarantee(figure: Figure) -> None:
    players = [
        subprocess.Popen(
            ["nice", sys.executable, "-m", "tests.simulation", str(first), str(SEEDS),
             "--step", str(len(CORES)), "--seconds", str(SECONDS),
             *(["--core", str(core)] if core is not None else [])],
            stdout=subprocess.PIPE, text=True,
        )
        for first, core in enumerate(CORES)
    ]  # fmt: skip
    told: list[dict[str, Any]] = [json.loads(player.communicate()[0]) for player in players]
    played = sum(each["played"] for each in told)
    rate = sum(each["played"] / each["seconds"] for each in told)
    figure(f"{played} seeds played, {rate:.0f} a second")
    failed = {seed: said for each in told for seed, said in each["failed"].items()}
    assert failed == {}, "replay one with: python -m tests.simulation SEED"


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
