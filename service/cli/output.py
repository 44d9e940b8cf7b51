"""Printing: tables with colour for people, plain columns for pipes, JSON for programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

_STYLES: Final = {
    "accepted": "green",
    "active": "green",
    "pending": "cyan",
    "requested": "cyan",
    "scheduled": "cyan",
    "duplicate": "yellow",
    "ignored": "yellow",
    "failed": "red",
    "failing": "red",
    "ok": "green",
    "warning": "yellow",
}
_WIDEST: Final = 40
"""Cells of a column but the last are not cut below this many characters."""


def print_json(value: Any) -> None:  # noqa: ANN401 - any JSON
    """Print JSON: indented for people, on one line for pipes."""
    indent = 2 if sys.stdout.isatty() else None
    click.echo(json.dumps(value, ensure_ascii=False, indent=indent))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """Print rows under their columns; `empty` where there are none."""
    if not rows:
        click.echo(empty)
    elif sys.stdout.isatty():
        Console().print(table(columns, rows))
    else:
        lines = [columns, *rows]
        widths = [max(len(line[n]) for line in lines) for n in range(len(columns))]
        for line in lines:
            padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            click.echo("  ".join(padded).rstrip())


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, one_line: bool = False
) -> Table:
    """The same for a terminal; states are coloured.

    The last column takes what room is left, on more lines if need be; with `one_line` it is cut.
    """
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for n, column in enumerate(columns[:-1]):
        widest = max(len(text) for text in (column, *(row[n] for row in rows)))
        shown.add_column(column, no_wrap=True, min_width=min(widest, _WIDEST))
    shown.add_column(columns[-1], no_wrap=one_line, overflow="ellipsis" if one_line else "fold")
    for row in rows:
        shown.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    return shown


def printable(value: object) -> str:
    """A value on one line without control characters: names come from strangers."""
    return "" if value is None else "".join(c if c.isprintable() else "�" for c in str(value))
