"""`dispatches show`: one dispatch, and how it came to be where it is."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from service.cli.commands import Failure, example
from service.cli.environment import reached_redis
from service.cli.output import json_option, print_json, print_table, printable
from workers.ledger import Ledger
from workers.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LATENCY: Final = (("decision", "decided_ms"), ("accepted", "accepted_ms"), ("joined", "joined_ms"))
_ABOVE: Final = frozenset(
    {"id", "timeline", "latency", "state", "reason", "follows", "followed_by", "untold"}
)
"""Fields that are shown in words of their own, above the others."""
_LONGEST: Final = 2000
"""Characters of a value; metadata may have half a million."""


@click.command(epilog=example("dispatcher dispatches show D4a8937f3"))
@click.argument("dispatch_id", metavar="ID")
@json_option
def show(*, dispatch_id: str, as_json: bool) -> None:
    """Show one dispatch and its history. The beginning of its id is enough."""
    settings = load_settings()
    with reached_redis(settings) as redis:
        ledger = Ledger(redis)
        found = found_dispatch(ledger, dispatch_id)
        line = [] if as_json else ledger.line_of(found)
    if as_json:
        print_json(found)
        return
    click.echo(f"{found['id']}: {headline(found)}\n")
    print_table(("TIME", "MS", "STATE", "REASON"), list(_timeline(found)), empty="no history")
    click.echo(f"\n{_latency(found.get('latency') or {})}\n")
    if found.get("untold"):
        click.echo(f"not told yet: {', '.join(found['untold'])}\n")
    if len(line) > 1:
        rows = [_in_line(each, found) for each in line]
        print_table(("", "ID", "AGENT", "DEPLOYMENT", "STATE", "REASON"), rows, empty="")
        click.echo()
    print_table(("FIELD", "VALUE"), list(_fields(found)), empty="")


def found_dispatch(ledger: Ledger, dispatch_id: str) -> dict[str, Any]:
    """The dispatch of this id, or the only one whose id begins so.

    Raises:
        Failure: there is none, or there are several.
    """
    ids = [dispatch_id] if ledger.dispatch(dispatch_id) else ledger.ids(dispatch_id)
    if len(ids) > 1:
        told = ", ".join(sorted(ids))
        raise Failure(f"several dispatches begin with '{printable(dispatch_id)}': {told}")
    found = ledger.dispatch(ids[0]) if ids else None
    if found is None:
        hint = "`dispatcher dispatches list` shows those that are kept"
        raise Failure(f"there is no dispatch '{printable(dispatch_id)}'; {hint}")
    return found


def headline(dispatch: Mapping[str, Any]) -> str:
    """A dispatch in a line."""
    agent, room, state = (printable(dispatch.get(name)) for name in ("agent", "room", "state"))
    reason = f", {printable(dispatch['reason'])}" if dispatch.get("reason") else ""
    return f"{agent} in {room}, {click.style(state, bold=True)}{reason}"


def _timeline(dispatch: Mapping[str, Any]) -> Iterator[list[str]]:
    before: datetime | None = None
    for move in dispatch.get("timeline") or ():
        at = datetime.fromisoformat(move["at"])
        since = "" if before is None else f"+{round((at - before).total_seconds() * 1000)}"
        yield [move["at"], since, printable(move["state"]), printable(move["reason"])]
        before = at


def _latency(latency: Mapping[str, int | None]) -> str:
    """How long each part took; one that has not come, or was another dispatch's, is not told."""
    parts = [f"{name} {latency[key]} ms" for name, key in _LATENCY if latency.get(key) is not None]
    first = ["webhook"] if latency.get("decided_ms") is not None else []
    return " -> ".join([*first, *parts]) or "no part of it is timed"


def _in_line(dispatch: Mapping[str, Any], shown: Mapping[str, Any]) -> list[str]:
    mark = "*" if dispatch["id"] == shown["id"] else ""
    names = ("id", "agent", "deployment", "state", "reason")
    return [mark, *(printable(dispatch.get(name)) for name in names)]


def _fields(dispatch: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, value in dispatch.items():
        if name in _ABOVE or value in (None, "", {}):
            continue
        text = ", ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else value
        shown = printable(text)
        cut = f"… ({len(shown)} characters, see --json)" if len(shown) > _LONGEST else ""
        yield [name, shown[:_LONGEST] + cut]
