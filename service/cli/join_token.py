"""`token`: a join token whose room configuration carries the agents that the rules send."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from rules.explain import explained
from service.asking import BadQuestion, ask, read_question
from service.cli.commands import Failure, example
from service.cli.environment import reached_redis, settings_with_livekit
from service.cli.order_dispatch import read_attributes
from service.cli.output import json_option, print_json
from service.cli.rules_explain import story
from workers.join_token import KINDS
from workers.rules_in_force import RulesInForce, kept

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import redis

    from rules.ruleset import Ruleset
    from service.asking import Told
    from workers.settings import Settings


@click.command(
    epilog=example(
        "dispatcher token support-1 --identity ana",
        "dispatcher token support-1 --identity ana --attribute lang=es --ttl 2h",
    )
)
@click.argument("room")
@click.option("--identity", required=True, help="Who joins.")
@click.option("--name", help="As others see it.")
@click.option("--metadata", help="Of the participant.")
@click.option(
    "--attribute", "attributes", metavar="KEY=VALUE", multiple=True, callback=read_attributes,
    help="Of the participant. May be given several times.",
)  # fmt: skip
@click.option(
    "--kind",
    type=click.Choice(KINDS, case_sensitive=False),
    default=KINDS[0],
    show_default=True,
)
@click.option("--ttl", default="10m", show_default=True, help="How long it may be used to join.")
@click.option("--room-metadata", default="", help="Of the room, if this token opens it.")
@click.option("--project", help="API key of the room's server, where there are several of either.")
@json_option
def token(*, room: str, kind: str, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - options
    """Print a join token that brings the agents of the rules.

    They come with the caller, if the token opens the room. If the room is open, the webhook of the
    join sends them. What was decided is told on stderr. The token can be read by its holder, the
    agents' metadata too.
    """
    settings = settings_with_livekit()
    with reached_redis(settings) as redis:
        try:
            question = read_question(_question(room, kind, given))
            told = ask(redis, settings, _ruleset(redis, settings), question)
        except BadQuestion as error:
            raise Failure(str(error), 2) from None
    if settings.dry_run and told.agents:
        click.echo("the token carries no agent: DISPATCHER_DRY_RUN is true", err=True)
    _explain(told)
    if as_json:
        decisions = explained(told.found.event, told.found.decisions)["decisions"]
        print_json({"token": told.token, "agents": told.agents, "decisions": decisions})
    else:
        click.echo(told.token)


def _question(room: str, kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: given[name] for name in ("identity", "name", "metadata") if given[name]}
    return {
        "room": {"name": room, "metadata": given["room_metadata"]},
        "participant": {"kind": kind, "attributes": given["attributes"], **told},
        "project": given["project"],
        "token": {"ttl": given["ttl"]},
    }


def _ruleset(redis: redis.Redis, settings: Settings) -> Ruleset:
    """The rules that workers have in force; where none has any, those that load here.

    Raises:
        Failure: there are none.
    """
    ruleset = kept(redis) or RulesInForce(settings.rules).look().ruleset
    if ruleset is None:
        raise Failure(f"no rules load at {settings.rules}: `dispatcher rules check` says why")
    return ruleset


def _explain(told: Told) -> None:
    """Say what was decided, to people, and why there is no agent, to anybody."""
    decisions = told.found.decisions
    if told.agents and not sys.stderr.isatty():
        return
    if not told.agents:
        click.echo("the token carries no agent:" if decisions else "there are no rules", err=True)
    width = max((len(decision.rule) for decision in decisions), default=0)
    for decision in decisions:
        for line in story(decision, width):
            click.echo(line, err=True)
