"""Play one seed and tell all of it, or play many and tell what was violated."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import nullcontext
from typing import Final

import click

from tests.simulation.play import play
from tests.simulation.safeguards import SAFEGUARDS
from tests.simulation.store import Store, as_it_is
from tests.simulation.valkey import running_valkey

MOST_FAILURES: Final = 20


@click.command()
@click.argument("first", type=int)
@click.argument("count", type=int, required=False)
@click.option("--step", default=1, show_default=True, help="Play every so many only.")
@click.option("--seconds", type=float, help="Stop after this time.")
@click.option("--core", type=int, help="Stay on this core, with Valkey: that is much quicker.")
@click.option("--without", type=click.Choice(list(SAFEGUARDS)), help="Take a safeguard out.")
def main(
    first: int,
    count: int | None,
    step: int,
    seconds: float | None,
    core: int | None,
    without: str | None,
) -> None:
    """Play the seed FIRST and tell what happens; with COUNT, play so many and tell what failed.

    The answer to the latter is one line of JSON: how many were played, in how many seconds, and the
    violations by seed.
    """
    if core is not None:
        os.sched_setaffinity(0, {core})
    safeguard = SAFEGUARDS.get(without or "")
    change = safeguard.change if safeguard is not None else as_it_is
    with running_valkey() as path, safeguard.removed() if safeguard else nullcontext():
        store = Store(path, change)
        if count is None:
            sys.exit(1 if play(first, store, told=click.echo) else 0)
        began, played, failed = time.monotonic(), 0, {}
        for seed in range(first, first + count, step):
            violations = play(seed, store)
            played += 1
            if violations:
                failed[seed] = violations
            is_late = seconds is not None and time.monotonic() - began > seconds
            if is_late or len(failed) == MOST_FAILURES:
                break
        took = round(time.monotonic() - began, 2)
        click.echo(json.dumps({"played": played, "seconds": took, "failed": failed}))
        sys.exit(1 if failed else 0)


main()
