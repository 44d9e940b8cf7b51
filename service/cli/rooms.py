"""`rooms`: which rooms are live, with their humans and agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from service.cli.commands import Failure, example
from service.cli.environment import reached_redis
from service.cli.output import json_option, printable
from service.cli.watching import Seen, show, watch_option
from workers.ledger import Ledger
from workers.rooms_now import RoomsNow
from workers.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLUMNS = ("ROOM", "SINCE", "HUMANS", "AGENTS", "WAITING")
_PEOPLE = ("IDENTITY", "KIND", "JOINED", "AGENT", "DEPLOYMENT", "DISPATCH")
_PAGE = 200
_NAMED = 3
"""Humans that a list names of each room."""


@click.command(epilog=example("dispatcher rooms --watch", "dispatcher rooms support-1"))
@click.argument("name", required=False)
@click.option("--match", metavar="PART", help="Only rooms with this in their name.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@json_option
@watch_option
def rooms(*, name: str | None, match: str | None, limit: int, as_json: bool, watch: bool) -> None:
    """List the live rooms, or show who is in one.

    The rooms in which something happened last come first.
    """
    if name is not None and match is not None:
        raise click.UsageError("NAME is one room, and --match is for the list of them")
    settings = load_settings()
    with reached_redis(settings) as redis:
        live = RoomsNow(redis, settings.places, settings.redaction)
        ledger = Ledger(redis)
        if name is None:
            show(lambda: _listed(live, limit, match or ""), as_json=as_json, watch=watch)
        else:
            show(lambda: _one(live, ledger, name), as_json=as_json, watch=watch)


def _listed(live: RoomsNow, limit: int, match: str) -> Seen:
    rooms = list(_pages(live, limit, match))
    return Seen({"rooms": rooms}, _COLUMNS, [_row(room) for room in rooms], "no room is live")


def _pages(live: RoomsNow, limit: int, match: str) -> Iterator[dict[str, Any]]:
    """Rooms with this in their name, each once: one may move while pages are turned."""
    given: set[tuple[str, str]] = set()
    cursor: str | None = None
    while len(given) < limit:
        page = live.page(limit=min(_PAGE, limit - len(given)), cursor=cursor, name=match)
        for room in page.items:
            if (place := (room["server"], room["name"])) not in given:
                given.add(place)
                yield room
        cursor = page.next
        if cursor is None:
            return


def _named(live: RoomsNow, name: str) -> list[dict[str, Any]]:
    """The rooms of this name; found among all where this terminal knows of no server."""
    if live.urls or not name:
        return live.named(name)
    return [room for room in _pages(live, live.count(), name) if room["name"] == name]


def _one(live: RoomsNow, ledger: Ledger, name: str) -> Seen:
    rooms = _named(live, name)
    if not rooms:
        hint = "`dispatcher rooms` lists those that are"
        raise Failure(f"no room '{printable(name)}' is live, as far as is known; {hint}")
    told = {"rooms": rooms, "events": ledger.events(room=name).items}
    heading = "\n".join(_heading(room) for room in rooms)
    return Seen(
        told, _PEOPLE, [row for room in rooms for row in _people(room)], "nobody is there", heading
    )


def _heading(room: dict[str, Any]) -> str:
    since = f", since {_short(room['created_at'])}" if room["created_at"] else ""
    humans = f"{room['human_count']} human{'' if room['human_count'] == 1 else 's'}"
    return (
        f"{printable(room['name'])} ({printable(room['sid'])} on {room['server']}){since}: {humans}"
    )


def _people(room: dict[str, Any]) -> Iterator[list[str]]:
    """Who is there, and who is awaited."""
    for person in room["humans"]:
        yield [
            printable(person["identity"]), printable(person["kind"]), _short(person["joined_at"]),
            "", "", "",
        ]  # fmt: skip
    for agent in room["agents"]:
        yield [
            printable(agent["identity"]), "AGENT", _short(agent["joined_at"]),
            printable(agent["agent"]), printable(agent["deployment"]),
            agent["dispatch"] if agent["ours"] else "not ours",
        ]  # fmt: skip
    for dispatch in _awaited(room):
        yield [
            "", "AGENT", dispatch["state"],
            printable(dispatch["agent"]), printable(dispatch["deployment"]), dispatch["id"],
        ]  # fmt: skip


def _awaited(room: dict[str, Any]) -> list[dict[str, Any]]:
    return [dispatch for dispatch in room["dispatches"] if dispatch["joined_at"] is None]


def _row(room: dict[str, Any]) -> list[str]:
    names = [printable(person["identity"]) for person in room["humans"][:_NAMED]]
    more = room["human_count"] - len(names)
    humans = ", ".join([*names, *([f"{more} more"] if more else [])])
    agents = ", ".join(printable(each["agent"] or each["identity"]) for each in room["agents"])
    waiting = ", ".join(printable(dispatch["agent"]) for dispatch in _awaited(room))
    return [printable(room["name"]), _short(room["created_at"]), humans, agents, waiting]


def _short(when: str | None) -> str:
    return "" if when is None else when.partition(".")[0] + "Z"
