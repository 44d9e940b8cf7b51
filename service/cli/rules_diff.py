"""`rules diff`: what other rules would have dispatched on the same events."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from rules.diff import Change, Difference, diff
from rules.durations import parse_duration
from rules.event import LEAVING, EventName, read_event
from service.cli.commands import example
from service.cli.environment import reached_redis
from service.cli.output import json_option, print_json, printable
from service.cli.rules_source import loaded_rules, recorded_events
from workers.ledger import Ledger
from workers.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.event import Event

_ENDS = LEAVING | {EventName.ROOM_FINISHED}
_MARKS = {
    Change.ADDED: click.style("+", fg="green"),
    Change.REMOVED: click.style("-", fg="red"),
    Change.CHANGED: click.style("~", fg="yellow"),
}


@click.command(
    "diff",
    epilog=example(
        "dispatcher rules diff rules.yaml new.yaml --events friday.jsonl",
        "dispatcher rules diff rules.yaml new.yaml --since 24h",
    ),
)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--events", "recorded", metavar="FILE.jsonl", help="Recorded events, one a line.")
@click.option("--since", metavar="DURATION", help="The service's own events, such as 24h.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if anything differs.")
@json_option
def compare(
    *,
    old: str,
    new: str,
    recorded: str | None,
    since: str | None,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Compare what two sets of rules dispatch on the same events.

    OLD and NEW are files, folders or globs. The events are played in order: claims, limits, who is
    present and the clock move on as they would have.

    The service keeps the events that some rule is about, for as long as its history. Where no rule
    is about participants who leave or rooms that finish, nobody leaves in what is played.
    """
    if (recorded is None) == (since is None):
        raise click.UsageError("say which events: --events FILE.jsonl or --since DURATION")
    before, after = loaded_rules(old), loaded_rules(new)
    events = recorded_events(recorded) if recorded is not None else _kept(str(since))
    found = diff(before, after, events)
    if as_json:
        print_json({"events": len(events), "differences": [_json(each) for each in found]})
    else:
        for each in found:
            for line in _lines(each):
                click.echo(line)
        counts = [f"{sum(d.change is c for d in found)} {c}" for c in Change]
        told = f"{len(events)} event{'s' * (len(events) != 1)}: "
        click.echo(told + (", ".join(counts) if found else "no dispatch differs"))
    sys.exit(1 if found and exit_code else 0)


def _kept(since: str) -> list[Event]:
    try:
        oldest = datetime.now(UTC) - parse_duration(since)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(str(error), param_hint="--since") from None
    with reached_redis(load_settings()) as redis:
        kept = Ledger(redis).events_since(oldest.timestamp())
    events = [read_event(each["body"]) for each in kept]
    lacking = [each["redacted"] for each in kept if each["redacted"]]
    if lacking:
        paths = ", ".join(sorted({path for paths in lacking for path in paths}))
        click.echo(
            f"warning: {len(lacking)} of {len(kept)} events are kept without {paths}: what rules"
            " ask of these cannot be told",
            err=True,
        )
    if events and not any(event.name in _ENDS for event in events):
        told = (
            "no rule is about participants who leave or rooms that finish: of that nothing is kept,"
        )
        click.echo(f"{told} and in what follows nobody leaves", err=True)
    return events


def _lines(difference: Difference) -> Sequence[str]:
    event = difference.event
    when = datetime.fromtimestamp(event.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    who = (event.participant or {}).get("identity")
    by = f" by {printable(who)}" if who else ""
    head = f"{when}  {event.name} in {printable(event.room_name)}{by}"
    lines = [head, f"  {_MARKS[difference.change]} {click.style(difference.rule, bold=True)}"]
    old, new = difference.old or {}, difference.new or {}
    for key in dict.fromkeys((*old, *new)):
        if key in ("rule", "room") or old.get(key) == new.get(key):
            continue
        if key in old:
            lines.append("      " + click.style(f"- {key}: {_shown(old[key])}", fg="red"))
        if key in new:
            lines.append("      " + click.style(f"+ {key}: {_shown(new[key])}", fg="green"))
    if difference.because is not None:
        side = "the new" if difference.change is Change.REMOVED else "the old"
        lines.append(f"      {side} rules: {printable(difference.because)}")
    return lines


def _shown(value: Any) -> str:  # noqa: ANN401 - any JSON
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return printable(text)


def _json(difference: Difference) -> dict[str, Any]:
    event = difference.event
    return {
        "change": difference.change.value,
        "rule": difference.rule,
        "event": event.name,
        "event_id": event.id,
        "room": event.room_name,
        "old": difference.old,
        "new": difference.new,
        "because": difference.because,
    }
