"""`pause` and `resume`: let rules send nobody for a while, and send again."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Final

import click

from rules.known import EVERY_RULE
from rules.loader import load
from rules.problems import RuleErrors, nearest, quoted
from service.cli.audit import acted
from service.cli.commands import Failure, example
from service.cli.environment import reached_redis
from service.cli.output import json_option, print_json
from workers.pauses import Paused, Pauses
from workers.rules_in_force import kept
from workers.settings import load_settings

if TYPE_CHECKING:
    import redis

    from workers.settings import Settings

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]*\Z")


@click.command(epilog=example("dispatcher pause support-es", "dispatcher pause --list"))
@click.argument("rule", required=False)
@click.option("--list", "listed", is_flag=True, help="Only show what is paused.")
@json_option
def pause(*, rule: str | None, listed: bool, as_json: bool) -> None:
    """Pause a rule, or all of them.

    A paused rule sends no new agent, on any machine, until `dispatcher resume`. Agents that are in
    a room or on their way stay, and what rules make of events is recorded as ever, with the reason
    `paused`. In a group the next rule takes what a paused one leaves.
    """
    if listed and rule is not None:
        raise click.UsageError("--list shows all that is paused: name no RULE with it")
    settings = load_settings()
    with reached_redis(settings) as redis:
        pauses = Pauses(redis)
        if rule is not None:
            _check(rule, settings, redis)
            pauses.pause(rule)
            acted(redis, "pause", rule=rule)
        elif not listed:
            pauses.pause()
            acted(redis, "pause", rule=EVERY_RULE)
        _tell(pauses.now(), as_json=as_json)


@click.command(epilog=example("dispatcher resume support-es", "dispatcher resume"))
@click.argument("rule", required=False)
@json_option
def resume(*, rule: str | None, as_json: bool) -> None:
    """Let a paused rule send agents again; without RULE, all rules.

    What matched meanwhile is not made up for: the next event that matches sends an agent.
    """
    settings = load_settings()
    with reached_redis(settings) as redis:
        pauses = Pauses(redis)
        paused = pauses.now()
        if rule is None:
            pauses.resume_all()
            acted(redis, "resume", rule=EVERY_RULE)
        elif paused.every:
            raise Failure(
                f"all rules are paused, and {quoted(rule)} with them: `dispatcher resume` lets all"
                " send again; then pause those that should not"
            )
        elif rule in paused.rules:
            pauses.resume(rule)
            acted(redis, "resume", rule=rule)
        else:
            _check(rule, settings, redis)
        _tell(pauses.now(), as_json=as_json)


def _tell(paused: Paused, *, as_json: bool) -> None:
    if as_json:
        print_json({"all": paused.every, "rules": paused.rules})
    else:
        click.echo(paused)


def _check(rule: str, settings: Settings, redis: redis.Redis) -> None:
    """Refuse what is no rule, if it can be known which there are.

    Raises:
        Failure: there is no such rule.
    """
    if not _ID.match(rule):
        raise Failure(f"{quoted(rule)} is no rule's id", 2)
    known = _ids(settings, redis)
    if known and rule not in known:
        raise Failure(f"there is no rule {quoted(rule)}{nearest(rule, known)}", 2)
    if not known:
        click.echo("warning: the rules cannot be read here: is it the id of one?", err=True)


def _ids(settings: Settings, redis: redis.Redis) -> set[str]:
    """Ids of the rules that any worker has had in force last, and of those that lie here."""
    ids: set[str] = set()
    in_force = kept(redis)
    if in_force is not None:
        ids |= {rule.id for rule in in_force.rules}
    with contextlib.suppress(RuleErrors):
        ids |= {rule.id for rule in load(settings.rules).rules}
    return ids
