"""Words for the tests of the rule language: rules, events and decisions in one line each."""

from __future__ import annotations

import json
from dataclasses import replace
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

from rules.decide import decide
from rules.event import read_event
from rules.explain import explained
from rules.files import RuleFile
from rules.known import Known
from rules.loader import load_files
from rules.problems import RuleErrors
from rules.session import Session, observe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rules.decision import Decision
    from rules.event import Event
    from rules.problems import Problem
    from rules.ruleset import Ruleset


def ruleset(text: str) -> Ruleset:
    """The rules of one file."""
    return load_files([RuleFile("rules.yaml", dedent(text))])


def problems(text: str) -> tuple[Problem, ...]:
    """The problems of a file that does not load."""
    try:
        ruleset(text)
    except RuleErrors as errors:
        return errors.problems
    raise AssertionError("it loads")


def errors(text: str) -> list[str]:
    """Its errors, without the file's name."""
    found = [problem for problem in problems(text) if problem.severity == "error"]
    return [f"{each.line}:{each.column}: {each.message}" for each in found]


def warnings(rules: Ruleset) -> list[str]:
    """What is warned of in a file that loads, without its name."""
    return [f"{each.line}:{each.column}: {each.message}" for each in rules.warnings]


def rule(body: str) -> Ruleset:
    """One rule of which the test tells a part; it greets whoever joins where that says nothing."""
    return ruleset(rule_file(body))


def rule_file(body: str) -> str:
    """The file of such a rule; the body begins at line 3, column 5."""
    lines = dedent(body).strip("\n")
    missing = [
        line
        for key, line in (
            ("id", "id: r"),
            ("on", "on: participant_joined"),
            ("dispatch", "dispatch: {agent: greeter}"),
        )
        if not lines.startswith(f"{key}:") and f"\n{key}:" not in lines
    ]
    whole = "\n".join([lines, *missing])
    return f"version: 1\nrules:\n  - {indent(whole, '    ').strip()}\n"


def when(conditions: str, event: Event) -> bool:
    """Whether a rule with these conditions, written in one line, takes the event."""
    return one(rule(f"when: {conditions}\non: {event.name}"), event).outcome == "dispatch"


def joined(
    *,
    name: str = "participant_joined",
    room: dict[str, Any] | None = None,
    participant: dict[str, Any] | None = None,
    **more: Any,
) -> Event:
    """Ana joins the room support-1, or what the test says instead."""
    room = {"sid": "RM_1", "name": "support-1", **(room or {})}
    participant = {"sid": "PA_1", "identity": "ana", **(participant or {})}
    for part in (room, participant):
        if isinstance(part.get("metadata"), dict):
            part["metadata"] = json.dumps(part["metadata"])
    body = {"event": name, "id": "EV_1", "created_at": 1_770_000_000, **more}
    return read_event({**body, "room": room, "participant": participant}, project="devkey")


def started(**room: Any) -> Event:
    """The room support-1 starts."""
    body = {"event": "room_started", "id": "EV_0", "room": {"sid": "RM_1", "name": "support-1"}}
    body["room"] = {**body["room"], **room}
    return read_event(body, project="devkey")


def decided(
    rules: Ruleset,
    event: Event,
    session: Session | None = None,
    live: Iterable[str] = (),
    known: Known | None = None,
) -> tuple[Decision, ...]:
    """What the rules say of an event in a session that was like this before it.

    `live` are keys of claims that the rule `r` holds; `known` tells all that may be known instead.
    """
    event = rules.agents_are.seen(event)
    after, event = observe(session or Session(sid=event.room_sid), event)
    return decide(rules, event, after, known or Known(live=dict.fromkeys(live, "r")))


def counted(counts: Mapping[str, int], per: str = "", **more: Any) -> Known:
    """That so many agents are live of these rules, each for this `per`."""
    found = {(rule_id, per): count for rule_id, count in counts.items()}
    return Known(active=lambda rule_id, text: found.get((rule_id, text), 0), **more)


def one(
    rules: Ruleset,
    event: Event,
    session: Session | None = None,
    live: Iterable[str] = (),
    known: Known | None = None,
) -> Decision:
    """What the only rule says."""
    (decision,) = decided(rules, event, session, live, known)
    return decision


def metadata_of(template: str, event: Event) -> str:
    """What a rule's metadata, one text, renders to."""
    decision = one(rule(f"dispatch: {{agent: a, metadata: {json.dumps(template)}}}"), event)
    assert decision.plans, decision.detail
    return decision.plans[0].metadata


def explain(
    rules: Ruleset, event: Event, session: Session | None = None, known: Known | None = None
) -> dict[str, Any]:
    """What `rules explain --json` prints of an event in a session that was like this before it."""
    event = event if event.id else replace(event, id="explained")
    after, event = observe(session or Session(sid=event.room_sid), event)
    return explained(event, decide(rules, event, after, known or Known()))
