"""Play one seed and tell all of it, or play many and tell what was violated."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from typing import Any, Final

import click

from tests.simulation.play import play
from tests.simulation.safeguards import SAFEGUARDS
from tests.simulation.store import Store, as_it_is
from tests.valkey import running_valkey

MOST_FAILURES: Final = 20
_CAN_STAY: Final = hasattr(os, "sched_setaffinity")
"""Not on macOS."""


@click.command()
@click.argument("first", type=int)
@click.argument("count", type=int, required=False)
@click.option("--step", default=1, show_default=True, help="Play every so many only.")
@click.option("--core", type=int, help="Stay on this core, with Valkey: that is much quicker.")
@click.option("--cores", is_flag=True, help="Play on all cores.")
@click.option("--without", type=click.Choice(list(SAFEGUARDS)), help="Take a safeguard out.")
@click.option("--orders", is_flag=True, help="Have somebody give orders by hand.")
def main(
    *,
    first: int,
    count: int | None,
    step: int,
    core: int | None,
    cores: bool,
    without: str | None,
    orders: bool,
) -> None:
    """Play the seed FIRST and tell what happens; with COUNT, play so many and tell what failed.

    The answer to the latter is one line of JSON: how many were played, in how many seconds, and the
    violations by seed.
    """
    if core is not None and _CAN_STAY:
        os.sched_setaffinity(0, {core})
    began = time.monotonic()
    if count is not None and cores:
        told = _on_all_cores(first, count, ["--orders"] if orders else [])
    else:
        safeguard = SAFEGUARDS.get(without or "")
        change = safeguard.change if safeguard is not None else as_it_is
        with running_valkey() as valkey, safeguard.removed() if safeguard else nullcontext():
            store = Store(str(valkey.socket), change)
            if count is None:
                sys.exit(1 if play(first, store, click.echo, has_orders=orders) else 0)
            told = _play(range(first, first + count, step), store, orders=orders)
    told["seconds"] = round(time.monotonic() - began, 2)
    click.echo(json.dumps(told))
    sys.exit(1 if told["failed"] else 0)


def _play(seeds: range, store: Store, *, orders: bool) -> dict[str, Any]:
    gc.freeze()
    gc.set_threshold(50_000)
    played, failed = 0, {}
    for seed in seeds:
        violations = play(seed, store, has_orders=orders)
        played += 1
        if violations:
            failed[seed] = violations
        if len(failed) == MOST_FAILURES:
            break
    return {"played": played, "failed": failed}


def _on_all_cores(first: int, count: int, more: list[str]) -> dict[str, Any]:
    """A process and its Valkey on each core, each with its share of the seeds."""
    usable = sorted(os.sched_getaffinity(0)) if _CAN_STAY else range(os.cpu_count() or 1)
    players = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.simulation", str(first + number), str(count - number),
             "--step", str(len(usable)), "--core", str(core), *more],
            stdout=subprocess.PIPE, text=True,
        )
        for number, core in enumerate(usable)
    ]  # fmt: skip
    told = [json.loads(player.communicate()[0]) for player in players]
    failed = {seed: said for each in told for seed, said in each["failed"].items()}
    return {"played": sum(each["played"] for each in told), "failed": failed}


main()
