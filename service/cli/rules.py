"""`rules`: work with rule files, without a service running."""

from __future__ import annotations

import click

from service.cli.commands import Commands


@click.group(
    cls=Commands,
    commands_at={
        "check": "service.cli.rules_check:check",
        "explain": "service.cli.rules_explain:explain",
    },
)
def rules() -> None:
    """Check rule files, and explain what they decide."""
