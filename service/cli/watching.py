"""What a command shows, once or again and again."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from service.cli.output import print_json, print_table, table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EVERY_SECONDS: Final = 2.0

watch_option = click.option(
    "--watch", is_flag=True, help="Show it anew every 2 s, until Ctrl-C; in a pipe with --json."
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to show: as JSON, and as a table under a line of words."""

    json: Any
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    empty: str
    """What to say where there are no rows."""
    heading: str = ""


def show(look: Callable[[], Seen], *, as_json: bool, watch: bool) -> None:
    """Show what `look` finds; with `watch` until Ctrl-C."""
    if not watch:
        _print(look(), as_json=as_json)
        return
    if not (as_json or sys.stdout.isatty()):
        raise click.UsageError("--watch draws on a terminal: in a pipe it needs --json")
    try:
        if as_json:
            while True:
                print_json(look().json)
                time.sleep(EVERY_SECONDS)
        with Live(auto_refresh=False) as screen:
            while True:
                screen.update(_drawn(look()), refresh=True)
                time.sleep(EVERY_SECONDS)
    except KeyboardInterrupt:  # how it ends
        return


def _print(seen: Seen, *, as_json: bool) -> None:
    if as_json:
        print_json(seen.json)
        return
    if seen.heading:
        click.echo(f"{seen.heading}\n")
    print_table(seen.columns, seen.rows, empty=seen.empty)


def _drawn(seen: Seen) -> Group:
    head = [Text(seen.heading), Text()] if seen.heading else []
    rows = table(seen.columns, seen.rows, one_line=True) if seen.rows else Text(seen.empty)
    return Group(*head, rows)
