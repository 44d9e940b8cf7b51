"""`dispatches export`: all of them, as JSON lines or CSV, however many."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from service.cli.commands import Failure, example
from service.cli.dispatches import filters, since_time
from service.cli.environment import reached_redis
from workers.ledger import Ledger
from workers.settings import load_settings
from workers.shown import SHOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    _Write = Callable[[TextIO, Iterable[dict[str, Any]]], None]

_FORMULA: Final = re.compile(r"\s*[=+\-@]|[\t\r]")
_NUMBER: Final = re.compile(r"[+-]?[0-9.]+")
_STDOUT: Final = ("-", "/dev/stdout")
_EVERY: Final = 1000
"""Dispatches between two steps of the progress bar."""


@click.command(epilog=example("dispatcher dispatches export --since 24h -o calls.jsonl"))
@filters
@click.option(
    "--format",
    "kind",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="JSON lines, or comma-separated values with a head line.",
)
@click.option("-o", "--output", metavar="FILE", help="Default: standard output.")
def export(*, kind: str, output: str | None, since: str | None, **equal: str | None) -> None:
    """Write all dispatches that are kept, newest first.

    FILE is replaced once everything is written; a pipe or a device is written into.
    """
    if output == "":
        raise Failure("-o names no file: leave it out for standard output", 2)
    oldest = since_time(since)
    settings = load_settings()
    write = _csv if kind == "csv" else _lines
    with reached_redis(settings) as redis:
        found = Ledger(redis).each_dispatch(since=oldest, **equal)
        if output in (None, *_STDOUT):
            write(sys.stdout, found)
        else:
            _to_file(Path(str(output)), write, found)


def _to_file(file: Path, write: _Write, found: Iterable[dict[str, Any]]) -> None:
    try:
        if file.exists() and not file.is_file():
            with file.open("w", encoding="utf-8", newline="") as text:
                write(text, _counted(found))
        else:
            _replace(file.resolve(), write, found)  # where a link leads to
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        said = (isinstance(error, OSError) and error.strerror) or str(error)
        raise Failure(f"{file} cannot be written: {said}") from None


def _replace(file: Path, write: _Write, found: Iterable[dict[str, Any]]) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with part.open("x", encoding="utf-8", newline="") as text:
            write(text, _counted(found))
        part.replace(file)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _counted(found: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The same, with a bar on a terminal. How many there are nobody knows before the end."""
    console = Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.completed:,} dispatches"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        number = 0
        for number, dispatch in enumerate(found, start=1):
            yield dispatch
            if not number % _EVERY:
                progress.update(task, completed=number)
        progress.update(task, completed=number, total=number)


def _lines(out: TextIO, found: Iterable[dict[str, Any]]) -> None:
    out.writelines(json.dumps(dispatch, ensure_ascii=False) + "\n" for dispatch in found)


def _csv(out: TextIO, found: Iterable[dict[str, Any]]) -> None:
    writer = csv.DictWriter(out, SHOWN, lineterminator="\n")
    writer.writeheader()
    for dispatch in found:
        attributes = json.dumps(dispatch["attributes"], ensure_ascii=False)
        cells = {**dispatch, "attributes": attributes}
        writer.writerow({name: _as_text(value) for name, value in cells.items()})


def _as_text(value: object) -> object:
    """A cell that no spreadsheet takes for a formula: rooms are named by strangers.

    A telephone number stays as it is.
    """
    is_formula = isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value)
    return f"'{value}" if is_formula else value
