"""`send`: post events to the service, signed as LiveKit signs them."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from service.address import from_here, http_address
from service.cli.commands import Failure, example
from service.cli.environment import settings_with_livekit
from service.cli.events import read_given
from service.cli.output import json_option, print_json, printable
from service.posting import Answer, NotPosted, Poster

if TYPE_CHECKING:
    from workers.settings import Settings

to_option = click.option(
    "--to", "to", metavar="URL", help="Default: this machine's /webhooks/livekit."
)


@click.command(
    epilog=example(
        'dispatcher send \'{"event": "participant_joined", "room": {"sid": "RM_1",',
        '  "name": "support-1"}, "participant": {"sid": "PA_1", "identity": "ana"}}\'',
    )
)
@click.argument("events", metavar="EVENT...", nargs=-1, required=True)
@to_option
@json_option
def send(*, events: tuple[str, ...], to: str | None, as_json: bool) -> None:
    """Post events, signed as LiveKit signs them.

    An EVENT is a JSON file, `-`, or the JSON itself; the key is the configured one.

    An event without `id` gets a new one, one without `created_at` happens now. What its rules
    dispatch is really sent: name a room that is open, by its name and its sid.
    """
    given = [read_given(event) for event in events]
    settings = settings_with_livekit()
    answers = []
    try:
        with Poster(webhook_url(settings, to), settings.servers[0]) as poster:
            for each in given:
                answers.append(poster.post(each.body, each.raw))
                if not as_json:
                    click.echo(line(answers[-1]))
    except NotPosted as error:
        raise Failure(str(error)) from None
    if as_json:
        print_json({"events": [asdict(answer) for answer in answers]})
    sys.exit(0 if all(answer.taken for answer in answers) else 1)


def webhook_url(settings: Settings, to: str | None) -> str:
    """Where to post: as asked, or to the service of this machine.

    Raises:
        Failure: it is not an HTTP address.
    """
    if to is None:
        return f"{http_address(from_here(settings.host), settings.port)}/webhooks/livekit"
    if not to.startswith(("http://", "https://")):
        raise Failure(f"--to {to!r} must begin with http:// or https://", 2)
    wrong = _wrong_with(to)
    if wrong is not None:
        raise Failure(f"--to {to!r} is no address: {wrong}", 2)
    return to


def _wrong_with(url: str) -> str | None:
    """Why nothing can be posted to an address; None if something can."""
    if " " in url or not url.isprintable():
        return "it has a space or what cannot be printed in it"
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0:
            return "it needs a host, and a port from 1 to 65535 if it names one"
        parts.hostname.encode("idna")
    except UnicodeError:
        return "its host is no name"
    except ValueError as error:
        return str(error)
    is_ascii = (parts.path + parts.query).isascii()
    return None if is_ascii else "write what is not ASCII after its host with %"


def line(answer: Answer) -> str:
    """One event's fate on one line."""
    said = answer.said if answer.taken else f"{answer.code} {answer.said}"
    colour = "green" if answer.said == "accepted" else "yellow" if answer.taken else "red"
    return f"{answer.event_id}  {answer.event}  {click.style(printable(said), fg=colour)}"
