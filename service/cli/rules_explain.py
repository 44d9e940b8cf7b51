"""`rules explain`: every rule's outcome on one event, and why."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from rules.decision import Outcome, Reason
from rules.event import Event, EventName, read_event
from rules.explain import explained
from rules.problems import nearest, quoted
from rules.release import NEVER, Release
from rules.replay import Replay
from rules.session import Session
from service.cli.commands import Failure, example
from service.cli.events import read_given, read_object, read_text
from service.cli.output import json_option, print_json, printable
from service.cli.rules_source import loaded_rules, recorded_events
from service.cli.rules_state import State, read_state
from workers.settings import load_settings

if TYPE_CHECKING:
    from rules.decision import Decision, Notice, Plan

_LINES: Final = (".jsonl", ".ndjson")
_MARKS: Final = {
    Outcome.DISPATCH: click.style("✓", fg="green"),
    Outcome.SHADOW: click.style("◦", fg="cyan"),
    Outcome.SKIP: click.style("·", dim=True),
    Outcome.ERROR: click.style("✗", fg="red"),
}
_WORDS: Final = {
    Reason.DISABLED: "it is disabled",
    Reason.EVENT_TYPE: "its `on` does not name this event",
    Reason.LOOP_GUARD: "loop guard",
    Reason.CONDITION: "",
    Reason.UNLESS: "its `unless` holds",
    Reason.EXPRESSION: "",
    Reason.SCHEDULE: "",
    Reason.GROUP: "",
    Reason.LIMIT: "its limit is reached",
    Reason.ALREADY_DISPATCHED: "already dispatched",
    Reason.PAUSED: "",
    Reason.ROOM_ENDED: "room ended",
    Reason.PARTICIPANT_GONE: "participant gone",
}


@click.command(
    epilog=example(
        'dispatcher rules explain \'{"event": "participant_joined",',
        '  "room": {"name": "support-1"}, "participant": {"identity": "ana"}}\'',
    )
)
@click.argument("event")
@click.option("--rules", "source", metavar="PATH", help="Default: DISPATCHER_RULES.")
@click.option("--at", "at", metavar="TIME", help="When it happens, such as 2026-03-02T10:00+01:00.")
@click.option("--state", "state", metavar="FILE", help="What is known of the room, as JSON.")
@json_option
def explain(
    *, event: str, source: str | None, at: str | None, state: str | None, as_json: bool
) -> None:
    """Explain what the rules make of one event.

    EVENT is a JSON file, `-`, or the JSON itself; or a file of JSON lines, whose events are played
    one after the other, each with what came before it.

    The state is {"room": {…}, "participants": [{…}], "live": ["rule-id"]}: who is there already,
    and which rules have a live dispatch.
    """
    ruleset = loaded_rules(source or load_settings().rules)
    events = _events(event, at)
    replay = Replay(ruleset)
    known = State(Session(events[0].room_sid))
    if state is not None:
        given = read_object(read_text(state), state)
        known = read_state(given, events[0].room_sid, state, {rule.id for rule in ruleset.rules})
        replay.knows(events[0].room_name, known.session)
    played = [replay.play(each, known.claims(ruleset, each)) for each in events]
    if as_json:
        told = [explained(each.event, each.decisions) for each in played]
        print_json({"events": told} if event.endswith(_LINES) else told[0])
        return
    for number, each in enumerate(played):
        if number:
            click.echo()
        click.echo(_heading(each.event))
        width = max((len(decision.rule) for decision in each.decisions), default=0)
        for decision in each.decisions:
            for line in story(decision, width):
                click.echo(line)


def _events(argument: str, at: str | None) -> list[Event]:
    if argument.endswith(_LINES):
        return _recorded(argument, at)
    return [_event(argument, at)]


def _recorded(path: str, at: str | None) -> list[Event]:
    if at is not None:
        raise Failure("--at is for one event: those of a file tell when they were", 2)
    events = recorded_events(path)
    if not events:
        raise Failure(f"{path}: no events", 2)
    return events


def _event(argument: str, at: str | None) -> Event:
    given = read_given(argument)
    try:
        event = read_event(given.body, fallback_id="explained")
    except (ValueError, RecursionError) as error:
        raise Failure(f"not an event: {error}", 2) from None
    if event.name not in set(EventName):
        hint = nearest(event.name, map(str, EventName))
        raise Failure(f"there is no event {quoted(event.name)}{hint}", 2)
    if at is not None:
        return replace(event, at=_time(at))
    if "created_at" not in given.body and "createdAt" not in given.body:
        return replace(event, at=datetime.now(UTC).timestamp())
    try:
        datetime.fromtimestamp(event.at, UTC)
    except (ValueError, OverflowError, OSError):
        event = replace(event, at=0.0)
    if not event.at:
        raise Failure("'created_at' is a time in Unix seconds; --at takes others", 2)
    return event


def _time(text: str) -> float:
    try:
        when = datetime.fromisoformat(text)
        seconds = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{text!r} is not a time", param_hint="--at") from None
    return seconds


def _heading(event: Event) -> str:
    when = datetime.fromtimestamp(event.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    about = [click.style(event.name, bold=True)]
    if event.room_name:
        about.append(f"in {printable(event.room_name)}")
    if event.participant and event.participant.get("identity"):
        about.append(f"by {printable(event.participant['identity'])}")
    return f"{' '.join(about)}, {when}"


def story(decision: Decision, width: int) -> list[str]:
    """What a rule said of an event, in lines; its id is padded to `width`."""
    name = click.style(decision.rule.ljust(width), bold=decision.outcome == Outcome.DISPATCH)
    head = f"  {_MARKS[decision.outcome]} {name}  "
    indent = " " * (width + 6)
    if decision.plans:
        lines = [line for plan in decision.plans for line in _plan(plan)]
        if decision.outcome == Outcome.SHADOW:
            lines[0] = f"shadow, not sent: {lines[0]}"
    else:
        lines = _why(decision)
    return [head + lines[0], *(indent + line for line in lines[1:])]


def _plan(plan: Plan) -> list[str]:
    where = f"deployment {plan.deployment}" if plan.deployment else "production"
    waits = f", after {_seconds(plan.after)} if it is still wanted" if plan.after else ""
    lines = [f"dispatch {click.style(printable(plan.agent), fg='green')} in {where}{waits}"]
    more: dict[str, Any] = {"metadata": plan.metadata, "version": plan.version}
    more |= {f"attribute {key}": value for key, value in plan.attributes.items()}
    lines += [f"{key}: {printable(value)}" for key, value in more.items() if value]
    release = _release(plan.release)
    if release:
        lines.append(release)
    within = plan.join_within
    if within is not None and not plan.fallback:
        lines.append(f"it may take {_seconds(within)} to join")
    for rung in plan.fallback:
        where = f"deployment {rung.deployment}" if rung.deployment else "production"
        late = f" within {_seconds(within)}" if within is not None else ""
        lines.append(f"if it does not come{late}: {printable(rung.agent)} in {where}")
        within = rung.join_within
    if plan.notice is not None:
        lines.append(f"if nobody comes, it is told: {_notice(plan.notice)}")
    return lines


def _notice(notice: Notice) -> str:
    return " ".join(printable(part) for part in (notice.message, notice.data) if part)


def _release(release: Release) -> str:
    if release == NEVER:
        return ""
    after = f" for {_seconds(release.after)}" if release.after else ""
    return f"released: {release.when or json.dumps(release.asked, ensure_ascii=False)}{after}"


def _seconds(seconds: float) -> str:
    return f"{seconds:g} s"


def _why(decision: Decision) -> list[str]:
    words = _WORDS.get(decision.reason, decision.reason.value.replace("_", " "))
    parts = [words, decision.at or "", printable(decision.detail)]
    if decision.reason == Reason.UNLESS:
        parts = [words]
    return [": ".join(filter(None, parts))]
