"""`dispatches create` and `dispatches delete`: an agent is sent, or goes, by hand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import click

from rules.decision import RestartPolicy
from service.cli.audit import acted
from service.cli.commands import Failure, example
from service.cli.environment import reached_redis, settings_with_livekit
from service.cli.one_dispatch import found_dispatch, headline
from service.cli.output import json_option, print_json, printable
from workers.ledger import Ledger
from workers.orders import BadOrder, KeyUsed, Orders
from workers.states import State, lives
from workers.whereabouts import WhichServer, server_of_room

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import redis

WAIT_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.1
_ARRIVED: Final = frozenset({State.ACTIVE, State.DRY_RUN})
wait_option = click.option(
    "--wait", is_flag=True, help="Until it has come to that, for at most a minute."
)


def read_attributes(_: object, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """`KEY=VALUE` options as attributes."""
    pairs = [each.partition("=") for each in given]
    for each, (key, equals, _value) in zip(given, pairs, strict=True):
        if not equals or not key:
            raise click.BadParameter(f"'{printable(each)}' is not KEY=VALUE", param=option)
    return {key: value for key, _, value in pairs}


@click.command(
    epilog=example(
        "dispatcher dispatches create support-1 greeter --wait",
        "dispatcher dispatches create support-1 greeter --deployment staging"
        """ --metadata '{"lang":"es"}'""",
    )
)
@click.argument("room")
@click.argument("agent")
@click.option("--deployment", default="", help="'' is production, which is the default.")
@click.option("--metadata", default="", help="Text, as the agent will read it.")
@click.option(
    "--attribute", "attributes", metavar="KEY=VALUE", multiple=True, callback=read_attributes,
    help="May be given several times.",
)  # fmt: skip
@click.option(
    "--restart-policy",
    type=click.Choice([policy.value for policy in RestartPolicy]),
    default=RestartPolicy.ON_FAILURE.value,
    show_default=True,
)
@click.option("--project", help="API key of the room's server, where there are several.")
@click.option(
    "--idempotency-key",
    "key",
    default="",
    help="With the same key, an order is one dispatch.",
)
@wait_option
@json_option
def create(
    *,
    room: str,
    agent: str,
    project: str | None,
    wait: bool,
    as_json: bool,
    **asked: Any,  # noqa: ANN401 - as Orders.dispatch takes it
) -> None:
    """Send an agent to a room by hand.

    The room must be there. A worker carries it out in a moment: with --wait the agent has joined
    when this ends with status 0.
    """
    settings = settings_with_livekit()
    with reached_redis(settings) as redis:
        try:
            server = server_of_room(redis, settings, room, project)
            ours = Orders(redis, settings.redaction).dispatch(server.id, room, agent, **asked)
        except (BadOrder, KeyUsed, WhichServer) as error:
            raise Failure(str(error), 2) from None
        acted(redis, "dispatch", "accepted", room=room, agent=agent, dispatch=ours)
        if wait:
            _until(redis, ours, lambda found: _is_over(found) or found["state"] in _ARRIVED)
        found = _known(redis, ours)
        _tell(found, as_json=as_json)
    if wait and found["state"] not in _ARRIVED:
        raise Failure(f"its agent has not joined: {headline(found)}")


@click.command(epilog=example("dispatcher dispatches delete D4a8937f3 --wait"))
@click.argument("dispatch_id", metavar="ID")
@wait_option
@json_option
def delete(*, dispatch_id: str, wait: bool, as_json: bool) -> None:
    """Delete a dispatch and remove its agent. The beginning of its id is enough.

    Its rule sends none for the same again while the room's session lasts.
    """
    settings = settings_with_livekit()
    with reached_redis(settings) as redis:
        found = Orders(redis).known(dispatch_id) or found_dispatch(Ledger(redis), dispatch_id)
        if _is_over(found):
            raise Failure(f"{found['id']} is over already: {headline(found)}")
        server_ids = list(settings.places)
        Orders(redis).remove_wherever(server_ids, found["room"], found["id"])
        acted(redis, "delete", "accepted", room=found["room"], dispatch=found["id"])
        if wait:
            _until(redis, found["id"], _is_over)
        found = _known(redis, found["id"])
        _tell(found, as_json=as_json)
    if wait and not _is_over(found):
        raise Failure(f"it is not deleted yet: {headline(found)}")


def _is_over(found: Mapping[str, Any]) -> bool:
    return not lives(found["state"], found["ended_at"])


def _until(
    redis: redis.Redis, dispatch_id: str, is_there: Callable[[Mapping[str, Any]], bool]
) -> None:
    """Wait until a dispatch is in such a state, for as long as that makes sense."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline and not is_there(_known(redis, dispatch_id)):
        time.sleep(LOOK_SECONDS)


def _known(redis: redis.Redis, dispatch_id: str) -> dict[str, Any]:
    """A dispatch as it is now.

    Raises:
        Failure: history has it no longer.
    """
    found = Orders(redis).known(dispatch_id)
    if found is None:
        raise Failure(f"{dispatch_id} is over, and history has it no longer")
    return found


def _tell(dispatch: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(dispatch)
    else:
        click.echo(f"{dispatch['id']}: {headline(dispatch)}")
