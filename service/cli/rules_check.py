"""`rules check`: whether rule files load, and what is wrong where."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from rules.loader import load_all
from rules.problems import RuleErrors
from service.cli.commands import example
from service.cli.output import json_option, print_json
from workers.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.problems import Problem
    from rules.ruleset import Ruleset

_COLOURS = {"error": "red", "warning": "yellow"}


@click.command(epilog=example("dispatcher rules check rules/"))
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@json_option
def check(*, paths: tuple[str, ...], as_json: bool) -> None:
    """Validate rule files.

    A PATH is a file, a folder or a glob; all together are one set of rules.

    Without a PATH it is DISPATCHER_RULES. A line is FILE:LINE:COLUMN: error: what is wrong.
    """
    ruleset, problems = _load(paths or (load_settings().rules,))
    if as_json:
        print_json(
            {
                "ok": ruleset is not None,
                "rules": len(ruleset.rules) if ruleset else 0,
                "hash": ruleset.hash if ruleset else None,
                "problems": [asdict(problem) for problem in problems],
            }
        )
    else:
        for problem in problems:
            click.echo(_line(problem))
        if ruleset is not None:
            count = len(ruleset.rules)
            click.echo(f"{count} rule{'s' * (count != 1)}, no errors", err=bool(problems))
    sys.exit(0 if ruleset is not None else 1)


def _load(paths: Sequence[str]) -> tuple[Ruleset | None, Sequence[Problem]]:
    try:
        ruleset = load_all(paths)
    except RuleErrors as errors:
        return None, errors.problems
    return ruleset, ruleset.warnings


def _line(problem: Problem) -> str:
    severity = click.style(problem.severity, fg=_COLOURS[problem.severity])
    place = f"{problem.path}:{problem.line}:{problem.column}"
    return f"{place}: {severity}: {problem.message}"
