"""`forget`: takes somebody out of history."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress

from service.cli.audit import acted
from service.cli.commands import Failure, example
from service.cli.environment import reached_redis
from service.cli.output import json_option, print_json, printable
from workers.forgetting import Forgetting, Found
from workers.settings import load_settings

if TYPE_CHECKING:
    import redis


@click.command(
    epilog=example(
        "dispatcher forget --identity sip_+34600111222",
        "dispatcher forget --identity ana --room support-1 --yes",
    )
)
@click.option("--identity", required=True, help="The participant's identity, exactly.")
@click.option("--room", metavar="NAME", help="Only what was in this room.")
@click.option("--yes", is_flag=True, help="Do not ask: for scripts.")
@json_option
def forget(*, identity: str, room: str | None, yes: bool, as_json: bool) -> None:
    """Take a participant out of history, in all rooms or in one.

    Its events, the dispatches that are for it or hold its identity, what others are still to be
    told of these, and its dead letters are removed; in events of others its identity is redacted.
    Rooms that are live stay as they are, and are remembered for an hour after their end: then the
    exit status is 1, and it is to be run again later. It may be stopped and run again.
    """
    if not identity:
        raise click.UsageError("--identity is empty: whose?")
    with reached_redis(load_settings()) as redis:
        forgetting = Forgetting(redis, identity, room)
        if not yes:
            found = _gone_through(forgetting, forgets=False)
            _check(found, as_json=as_json)
        found = Found()
        try:
            _gone_through(forgetting, found, forgets=True)
        finally:  # what has gone by then has gone
            _noted(redis, found, room)
        _tell(found, "forgotten", as_json=as_json)
    sys.exit(1 if found.live or found.unread else 0)


def _gone_through(forgetting: Forgetting, found: Found | None = None, *, forgets: bool) -> Found:
    found = Found() if found is None else found
    console = Console(stderr=True)
    said = "forgetting" if forgets else "looking"
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(said, total=forgetting.size())
        for count in forgetting.go_through(found, forgets=forgets):
            progress.update(task, advance=count)
    return found


def _check(found: Found, *, as_json: bool) -> None:
    """Ask whether what was found is to go; end here if not, or if there is nothing.

    Raises:
        Failure: nobody can be asked.
    """
    if not found.total:
        _tell(found, "found", as_json=as_json)
        sys.exit(1 if found.live or found.unread else 0)
    if not sys.stdin.isatty():
        _tell(found, "found", as_json=as_json)
        raise Failure("nothing was forgotten: nobody can be asked here, so say --yes", 2)
    _tell(found, "found", as_json=False, to_stderr=True)
    if not click.confirm("Forget it? It cannot be had back", err=True):
        raise Failure("nothing was forgotten")


def _noted(redis: redis.Redis, found: Found, room: str | None) -> None:
    """Tell the audit, but for who was forgotten."""
    target = {} if room is None else {"room": room}
    acted(redis, "forget", _words(found), **target)


def _tell(found: Found, what: str, *, as_json: bool, to_stderr: bool = False) -> None:
    if as_json:
        print_json({what: found.to_json()})
        return
    click.echo(f"{what}: {_words(found)}", err=to_stderr)
    if found.rooms:
        rooms = ", ".join(printable(room) for room in found.rooms)
        click.echo(
            f"left alone: what is live, or over for less than an hour, in {rooms}", err=to_stderr
        )
    elif found.live:
        click.echo("left alone: an order that waits for a worker", err=to_stderr)
    if found.unread:
        told = f"{found.unread} documents that another version has written cannot be read"
        click.echo(f"warning: {told}; they go with history's age", err=True)


def _words(found: Found) -> str:
    """What was found, on one line."""
    counts = (
        (found.events, "event", "events"),
        (found.mentions, "mention in an event of others", "mentions in events of others"),
        (found.dispatches, "dispatch", "dispatches"),
        (found.dead_letters, "dead letter", "dead letters"),
        (found.notices, "notification not sent yet", "notifications not sent yet"),
    )
    told = [f"{count:,} {one if count == 1 else many}" for count, one, many in counts if count]
    return ", ".join(told) or "nothing"
