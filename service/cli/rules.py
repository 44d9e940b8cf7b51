"""`rules`: work with rule files, without a service running."""

from __future__ import annotations

import click

from service.cli.commands import Commands


@click.group(
    cls=Commands,
    commands_at={
        "check": "service.cli.rules_check:check",
        "test": "service.cli.rules_test:run",
        "explain": "service.cli.rules_explain:explain",
        "diff": "service.cli.rules_diff:compare",
        "schema": "service.cli.rules_schema:show",
    },
)
def rules() -> None:
    """Check and test rule files, and explain what they decide."""
