"""`dispatches`: what was dispatched, in every room."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rules.durations import parse_duration
from service.cli.commands import Commands, example
from service.cli.environment import reached_redis
from service.cli.output import json_option, printable
from service.cli.watching import Seen, show, watch_option
from workers.dispatch import State
from workers.ledger import Ledger
from workers.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

_F = TypeVar("_F", bound="Callable[..., object]")

_COLUMNS = ("ID", "CREATED", "ROOM", "RULE", "AGENT", "DEPLOYMENT", "STATE", "REASON")


_AT = {
    "list": "service.cli.dispatches:listed",
    "show": "service.cli.one_dispatch:show",
    "create": "service.cli.order_dispatch:create",
    "delete": "service.cli.order_dispatch:delete",
    "export": "service.cli.export_dispatches:export",
}
SHORT_ID = 9
"""Characters of an id that a list shows: `show` takes the beginning of one."""


_FILTERS = (
    click.option("--room", help="Only of this room."),
    click.option("--agent", help="Only of this agent."),
    click.option("--deployment", help="Only of this deployment; '' is production."),
    click.option("--rule", help="Only by this rule."),
    click.option(
        "--state",
        type=click.Choice([state.value for state in State]),
        help="Only in this state.",
    ),
    click.option("--since", metavar="DURATION", help="Only those created since, such as 2h."),
)


def filters(command: _F) -> _F:
    """The options that say which dispatches are meant."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@click.group(cls=Commands, commands_at=_AT, default="list")
def dispatches() -> None:
    """Show what was dispatched, or dispatch by hand.

    Alone, it is `dispatches list`.
    """


@click.command("list", epilog=example("dispatcher dispatches list --room support-1 --since 2h"))
@filters
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@json_option
@watch_option
def listed(
    *, since: str | None, limit: int, as_json: bool, watch: bool, **equal: str | None
) -> None:
    """List dispatches, newest first."""
    since_time(since)  # wrong use is told before anything else
    settings = load_settings()
    with reached_redis(settings) as redis:
        ledger = Ledger(redis)

        def look() -> Seen:
            found = list(islice(ledger.each_dispatch(since=since_time(since), **equal), limit))
            rows = [_row(dispatch) for dispatch in found]
            return Seen({"dispatches": found}, _COLUMNS, rows, "no dispatches")

        show(look, as_json=as_json, watch=watch)


def _row(dispatch: dict[str, Any]) -> list[str]:
    names = ("room", "rule", "agent", "deployment", "state", "reason")
    created = str(dispatch["created_at"]).partition(".")[0] + "Z"
    return [dispatch["id"][:SHORT_ID], created, *(printable(dispatch.get(name)) for name in names)]


def since_time(text: str | None) -> float | None:
    """The time, Unix seconds, before which none is asked for."""
    if text is None:
        return None
    try:
        return (datetime.now(UTC) - parse_duration(text)).timestamp()
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(str(error), param_hint="--since") from None
