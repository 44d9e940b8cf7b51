"""`demo`: try it, with nothing configured."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from service.cli.commands import Failure, example
from service.cli.output import json_option, print_json, print_table, printable, table
from service.demo import Demo
from service.scenarios import ARRIVED, SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_JOIN_SECONDS: Final = 30.0
_FRAME_LINES: Final = 7
"""Lines of the screen that are headings, the prompt and what was said above it."""
_COLUMNS: Final = ("room", "rule", "agent", "deployment", "state", "metadata")
_COLUMNS_WITH_VIDEOSDK: Final = (*_COLUMNS[:2], "provider", *_COLUMNS[2:])
_SHOWN: Final = ("room", "rule", "agent", "deployment", "metadata", "state")


@click.command(
    epilog=example(
        "dispatcher demo",
        "dispatcher demo --once --json",
        "dispatcher demo --scenario videosdk",
    )
)
@click.option("--once", is_flag=True, help="Run the traffic, print the summary, and exit.")
@click.option(
    "--scenario",
    type=click.Choice(list(SCENARIOS)),
    default=next(iter(SCENARIOS)),
    show_default=True,
    help="What is played; videosdk: both providers, side by side.",
)
@json_option
def demo(*, once: bool, scenario: str, as_json: bool) -> None:
    """Try it all against a stand-in for LiveKit, with sample rules.

    It is the whole service, with callers who come and go. Nothing needs to be configured and
    nothing is kept. With --once the exit status is 1 if anything was not as the sample rules say.

    With --scenario videosdk there is a stand-in for VideoSDK too: its meetings have agents, and its
    voicemail takes over where an agent of LiveKit does not come.
    """
    if as_json and not once:
        raise click.UsageError("--json needs --once")
    with Demo(SCENARIOS[scenario]) as running:
        if running.stopping:
            raise Failure("stopped before it had started")
        if once:
            differences = _once(running, tell=(lambda _: None) if as_json else click.echo)
            _summary(running, as_json=as_json)
            for difference in differences:
                click.echo(f"error: {difference}", err=True)
            if not differences and not as_json:
                click.echo("All is as the sample rules say.")
            sys.exit(1 if differences else 0)
        if sys.stdout.isatty():
            _live(running)
        else:
            _plain(running)


def _once(demo: Demo, tell: Callable[[str], object]) -> list[str]:
    """Play it all; what did not go as the sample rules say."""
    for told in demo.arrivals():
        tell(told)
    demo.until(lambda: not demo.differences(), _JOIN_SECONDS)
    differences = demo.differences()
    for told in demo.departures():
        tell(told)
    if not demo.until(demo.delivered, _JOIN_SECONDS):
        differences.append("some webhooks were not taken")
    return differences or demo.differences()


def _summary(demo: Demo, *, as_json: bool) -> None:
    dispatches, events = demo.dispatches(), len(demo.webhooks())
    if as_json:
        names = ("provider", *_SHOWN) if demo.scenario.has_videosdk else _SHOWN
        shown = [{name: dispatch[name] for name in names} for dispatch in dispatches]
        print_json({"events": events, "dispatches": shown})
        return
    click.echo()
    print_table(_heads(demo), [_row(demo, each) for each in dispatches], empty="no dispatches")
    joined = sum(dispatch["state"] in ARRIVED for dispatch in dispatches)
    click.echo(f"\n{events} events, {len(dispatches)} dispatches, {joined} agents joined")


def _live(demo: Demo) -> None:
    """A screen that changes as things happen, until it is told to end."""
    for line in _heading(demo):
        click.echo(line)  # above the screen, where it can be copied
    click.echo(f"Dashboard: {demo.dashboard_url}, token: {demo.settings.admin_token}")
    told: list[str] = []
    script = _script(demo)
    console = Console()
    with Live(console=console, auto_refresh=False) as screen:
        while not demo.stopping:
            if (happened := next(script, None)) is not None:
                told.append(happened)
            screen.update(_screen(demo, told, console.height), refresh=True)
            demo.step(0.5)


def _plain(demo: Demo) -> None:
    """The same as lines, for a pipe."""
    for line in _heading(demo):
        click.echo(line)
    seen: set[tuple[str, str]] = set()
    script = _script(demo)
    while not demo.stopping:
        if (happened := next(script, None)) is not None:
            click.echo(happened)
        for dispatch in demo.dispatches():
            if (key := (dispatch["id"], dispatch["state"])) not in seen:
                seen.add(key)
                click.echo("  " + "  ".join(_row(demo, dispatch)))
        demo.step(0.5)


def _script(demo: Demo) -> Iterator[str]:
    """What happens, a line each time it is asked."""
    yield from demo.arrivals()
    yield from demo.departures()
    yield "The traffic is over. Ctrl-C ends the demo."


def _screen(demo: Demo, told: list[str], height: int) -> Group:
    """The whole table of dispatches, and of the rest as much as the terminal has lines for."""
    dispatches = [_row(demo, each) for each in demo.dispatches()]
    lines = max(2, (height - len(dispatches) - _FRAME_LINES) // 2)
    return Group(
        Text("What happens", style="bold"),
        *(_line(line) for line in told[-lines:]),
        Text("What was decided", style="bold"),
        *(_line(line) for line in _decisions(demo)[-lines:]),
        Text("What was dispatched", style="bold"),
        table(_heads(demo), dispatches, one_line=True),
    )


def _line(text: str) -> Text:
    return Text(f"  {text}", no_wrap=True, overflow="ellipsis")


def _decisions(demo: Demo) -> list[str]:
    """The last events that are not agents' own, and the rules that had to do with them."""
    lines = []
    for event in demo.events():
        if all(d["reason"] in {"loop_guard", "disabled"} for d in event["decisions"]):
            continue
        body = event["body"]
        who = printable((body.get("participant") or {}).get("identity", ""))
        said = [
            f"{d['rule']}: {d['reason'].replace('_', ' ')}"
            for d in event["decisions"]
            if d["reason"] in {"matched", "already_dispatched"} or d["outcome"] == "error"
        ]
        verdict = ", ".join(said) or "no rule applies"
        lines.append(f"{event['event']} {printable(event['room'])} {who}: {verdict}")
    return lines[-8:]


def _heading(demo: Demo) -> list[str]:
    data = shlex.quote(demo.exports["DISPATCHER_DATA"])
    return [
        f"Webhooks go to {' and '.join(demo.webhook_urls)}, rules are {demo.settings.rules}",
        f"In another terminal: DISPATCHER_DATA={data} {_command()} dispatches",
    ]


def _command() -> str:
    """How this was started, as another terminal can start it."""
    here = Path(sys.argv[0]).absolute()
    return shlex.quote(str(here)) if here.name == "dispatcher" else "dispatcher"


def _columns(demo: Demo) -> tuple[str, ...]:
    return _COLUMNS_WITH_VIDEOSDK if demo.scenario.has_videosdk else _COLUMNS


def _heads(demo: Demo) -> list[str]:
    return [name.upper() for name in _columns(demo)]


def _row(demo: Demo, dispatch: dict[str, Any]) -> list[str]:
    return [printable(dispatch.get(name)) for name in _columns(demo)]
