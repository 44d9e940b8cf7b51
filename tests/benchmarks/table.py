"""The table of a run: what was measured, beside the baseline, against its goal."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rich.console import Console


@dataclass(frozen=True)
class Row:
    """One measure. Figures are medians of the rounds, each round one after the other."""

    measure: str
    unit: str
    ours: float
    tuned: float | None = None
    """The baseline with RQ's SimpleWorker: ratios are to it."""
    default: float | None = None
    """The baseline with a plain `rq worker`."""
    goal: float | None = None
    """Of the ratio, or of `ours` itself where nothing stands beside it."""
    least: bool = True
    """Whether the goal is the least, rather than the most, it may be."""
    more: dict[str, Any] = field(default_factory=dict)
    """What else was seen: each round, CPU by part."""

    @property
    def ratio(self) -> float | None:
        """To the tuned baseline."""
        return self.ours / self.tuned if self.tuned else None

    @property
    def met(self) -> bool | None:
        """Whether the goal was met; None without one."""
        if self.goal is None:
            return None
        seen = self.ours if self.ratio is None else self.ratio
        return seen >= self.goal if self.least else seen <= self.goal

    def cells(self) -> list[str]:
        """As the table shows them."""
        goal = ""
        if self.goal is not None:
            sign = ">=" if self.least else "<="
            goal = f"{sign} {self.goal:g}" + ("x" if self.ratio is not None else f" {self.unit}")
        return [
            self.measure,
            _figure(self.ours, self.unit),
            _figure(self.default, self.unit),
            _figure(self.tuned, self.unit),
            "" if self.ratio is None else f"{self.ratio:.2f}x",
            goal,
            {None: "", True: "met", False: "MISSED"}[self.met],
        ]


def show(rows: Iterable[Row], console: Console, title: str) -> None:
    """Print them."""
    table = Table("measure", "ours", "baseline default", "baseline tuned", title=title)
    for name in ("ratio", "goal", ""):
        table.add_column(name)
    for row in rows:
        table.add_row(*row.cells())
    console.print(table)


def write(rows: Iterable[Row], to: Path) -> None:
    """Write them as JSON."""
    told = [{**asdict(row), "ratio": row.ratio, "met": row.met} for row in rows]
    to.write_text(json.dumps(told, indent=2) + "\n")


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
