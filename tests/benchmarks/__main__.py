"""Measures the service beside what people would run otherwise.

    python -m tests.benchmarks [PART...] [--rounds N] [--json FILE]

Needs the extra `bench` (`make bench` installs it). Absolute figures are of the machine at hand; the
ratios were measured side by side. The parts and what they take are told by `--help`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from tests.benchmarks import alone
from tests.benchmarks.beside import beside
from tests.benchmarks.history import history
from tests.benchmarks.hosts import hosts
from tests.benchmarks.table import show, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.benchmarks.table import Row

PARTS: Final[dict[str, tuple[str, Callable[[int], Iterable[Row]]]]] = {
    "beside": ("Beside the baseline", beside),
    "far": (
        "Redis 1 ms away",
        lambda rounds: beside(rounds, suffix=", Redis 1 ms away", redis_milliseconds=1),
    ),
    "always": (
        "appendfsync always",
        lambda rounds: beside(rounds, suffix=", appendfsync always", fsync="always"),
    ),
    "burst": ("A burst", lambda _: alone.burst()),
    "hot": ("A hot room", lambda _: alone.hot_room()),
    "rooms": ("Many live rooms", lambda _: alone.live_rooms()),
    "history": ("A long history", lambda _: history()),
    "reconcile": ("Reconcile", lambda _: alone.reconcile()),
    "workers": ("More workers on this machine", alone.workers),
    "copied": ("A replica that confirms", alone.copied),
    "hosts": ("Two hosts", hosts),
    "decide": ("Decisions", lambda _: alone.decisions()),
}


def main() -> None:
    """Measure, print, and write."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    asked.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all")
    asked.add_argument("--rounds", type=int, default=3, help="alternating rounds (default 3)")
    asked.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    given = asked.parse_args()
    if unknown := [part for part in given.parts if part not in PARTS]:
        asked.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    console = Console(width=None if sys.stdout.isatty() else 140)
    rows: list[Row] = []
    for part in given.parts or PARTS:
        title, measure = PARTS[part]
        with console.status(f"measuring: {title}"):
            found = list(measure(given.rounds))
        if found:  # a part that cannot be measured here has said so
            show(found, console, title)
        rows += found
        if given.json is not None:  # what was measured is kept, whatever becomes of the rest
            write(rows, given.json)


if __name__ == "__main__":
    main()
