"""`audit`: who has done what by hand; and telling of what commands do."""

from __future__ import annotations

import os
import pwd
import socket
from typing import TYPE_CHECKING, Any

import click

from service.cli.commands import example
from service.cli.environment import reached_redis
from service.cli.output import json_option, printable
from service.cli.watching import Seen, show, watch_option
from workers.audit import COMMAND_LINE, Act, Audit, note
from workers.settings import load_settings

if TYPE_CHECKING:
    import redis

_COLUMNS = ("AT", "WHO", "FROM", "WHAT", "TARGET", "RESULT")


@click.command(epilog=example("dispatcher audit --limit 20"))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
@watch_option
def audit(*, limit: int, as_json: bool, watch: bool) -> None:
    """List who has done what by hand, newest first.

    By the API, the dashboard and commands. The last thousand acts of 90 days are kept; the log of
    the service has all of them, in lines `audit`.
    """
    with reached_redis(load_settings()) as redis:
        acts = Audit(redis)

        def look() -> Seen:
            found = acts.last(limit)
            return Seen({"audit": found}, _COLUMNS, [_row(act) for act in found], "nothing yet")

        show(look, as_json=as_json, watch=watch)


def acted(redis: redis.Redis, what: str, result: str = "done", **target: str) -> None:
    """Tell of what this command has done. Its own output is for whoever has given it."""
    act = Act(f"{COMMAND_LINE} {_user()}", socket.gethostname(), what, target, result)
    note(redis, act, logs=False)


def target_words(target: dict[str, Any]) -> str:
    """What an act was done to, on one line."""
    return " ".join(f"{name}={value}" for name, value in target.items())


def _row(act: dict[str, Any]) -> list[str]:
    at = str(act["at"]).partition(".")[0] + "Z"
    told = (act["who"], act["sender"], act["what"], target_words(act["target"]), act["result"])
    return [at, *(printable(each) for each in told)]


def _user() -> str:
    """Whose command it is, not as the environment says; a container may have only a number."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
