"""The command line: `dispatcher`. Each command lives in a module of its own, read when it runs.

Exit status 0 is done, 1 the answer is no, 2 wrong use. An error is one line on stderr.
"""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

import click

from service.cli.commands import Commands, Failure
from service.cli.streams import give_up_output, in_words, open_what_is_closed

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["dispatcher", "main"]

_COMMANDS = {
    "demo": "service.cli.demo:demo",
    "up": "service.cli.processes:up",
    "serve": "service.cli.processes:serve",
    "worker": "service.cli.processes:worker",
    "doctor": "service.cli.doctor:doctor",
    "rules": "service.cli.rules:rules",
    "send": "service.cli.send:send",
    "replay": "service.cli.replay:replay",
    "dispatches": "service.cli.dispatches:dispatches",
    "agents": "service.cli.agents:agents",
    "rooms": "service.cli.rooms:rooms",
    "token": "service.cli.join_token:token",
    "pause": "service.cli.pauses:pause",
    "resume": "service.cli.pauses:resume",
    "forget": "service.cli.forget:forget",
    "audit": "service.cli.audit:audit",
}


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the program; whatever goes wrong leaves as one line."""
    open_what_is_closed()
    try:
        try:
            status = dispatcher.main(args, prog_name="dispatcher", standalone_mode=False)
        finally:
            sys.stdout.flush()  # here it is told what cannot be written, at the very end not
        sys.exit(status if isinstance(status, int) else 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.UsageError as error:
        asked = error.ctx.command_path if error.ctx else "dispatcher"
        Failure(f"{error.format_message()} Try: {asked} --help").show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except BrokenPipeError:  # whoever read our output has had enough
        give_up_output()
    except OSError as error:
        give_up_output()
        Failure(in_words(error)).show()
    except (MemoryError, Exception) as error:  # noqa: BLE001 - the process's edge
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = " ".join(str(error).split())[:200]
        place = f"{where.filename}:{where.lineno}"
        Failure(f"{type(error).__name__}: {said} at {place}; please report this").show()
    sys.exit(1)


@click.group(
    cls=Commands,
    commands_at=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `dispatcher demo`; settings are environment variables, see the README.",
)
@click.version_option(package_name="livekit-dispatcher", prog_name="dispatcher")
def dispatcher() -> None:
    """Send the right voice agent to the right LiveKit room, once, by rules in a file."""
