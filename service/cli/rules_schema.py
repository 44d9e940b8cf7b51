"""`rules schema`: the JSON Schema of a rule file."""

from __future__ import annotations

import json

import click

from rules.schema import schema
from service.cli.commands import example


@click.command("schema", epilog=example("dispatcher rules schema > rules.schema.json"))
def show() -> None:
    """Print the JSON Schema of a rule file, for editors.

    An editor with yaml-language-server completes and checks a file that begins with the line
    `# yaml-language-server: $schema=rules.schema.json`.
    """
    click.echo(json.dumps(schema(), ensure_ascii=False, indent=2))
