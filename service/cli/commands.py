"""A group of commands that are imported when they are used, and whose errors are one line."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

from service.address import AddressError
from service.embedded import DataError
from workers.schema import SchemaError
from workers.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click import Command, Context


class Failure(click.ClickException):
    """Ends the command with one line on stderr.

    Args:
        message: what happened, and what to do.
        status: 1 when the answer is no, 2 for wrong use.
    """

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # click's is a class's
        """What the process ends with."""
        return self.status

    def show(self, file: Any = None) -> None:  # noqa: ANN401 - click's signature
        """Print the line."""
        click.echo(f"{click.style('error:', fg='red')} {self.message}", err=file is None)


def example(*lines: str) -> str:
    """The end of a command's help: how it is used, as written here."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


class Commands(click.Group):
    """Lists its commands in the order given, and imports one when it is asked for.

    Args:
        commands_at: name to `module:attribute`.
        default: the command that is meant when none is named; None shows the help.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - click's
        commands_at: Mapping[str, str],
        default: str | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*args, **kwargs)
        self._commands_at = commands_at
        self._default = default

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - click's
        """The names, in the order given."""
        return list(self._commands_at)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:  # noqa: ARG002
        """The command of a name; None if there is none."""
        if cmd_name not in self._commands_at:
            return None
        module, _, attribute = self._commands_at[cmd_name].partition(":")
        command: Command = getattr(importlib.import_module(module), attribute)
        return command

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the arguments; without a command's name they are the default command's."""
        help_asked = set(args[:1]) & set(ctx.help_option_names)
        if self._default and not help_asked and args[:1] != ["--"]:
            named = bool(args) and not args[0].startswith("-")
            args = args if named else [self._default, *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Context) -> Any:  # noqa: ANN401 - click's
        """Run the command."""
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            raise Failure(str(error), 2) from None
        except (AddressError, DataError, SchemaError) as error:
            raise Failure(str(error)) from None
