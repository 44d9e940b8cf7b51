"""Rules and recorded events as the commands on rules read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from rules.loader import load
from rules.problems import RuleErrors
from rules.storyline import Storyline
from service.cli.commands import Failure
from service.cli.events import read_text

if TYPE_CHECKING:
    from rules.event import Event
    from rules.ruleset import Ruleset


def loaded_rules(source: str) -> Ruleset:
    """The rules of a file, a folder or a glob.

    Raises:
        Failure: they do not load; what is wrong has been told.
    """
    try:
        return load(source)
    except RuleErrors as errors:
        for problem in errors.problems:
            click.echo(problem, err=True)
        raise Failure(f"the rules at {source} do not load") from None


def recorded_events(path: str) -> list[Event]:
    """The events of a file of JSON lines.

    Raises:
        Failure: a line is no event.
    """
    try:
        return list(Storyline(datetime.now(UTC).timestamp()).recorded(read_text(path)))
    except ValueError as error:
        raise Failure(f"{path}: {error}", 2) from None
