"""The ways to decide that are compared: ours, and engines one might use in a webhook route instead.

Each is used as a careful developer would: rules are compiled beforehand, an event is made ready
once (also: its metadata read as JSON), and then the rules are asked in turn, the room's name first.
What an event does not carry is no match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import celpy
import rule_engine

from rules.decide import decide
from rules.metadata import json_object
from rules.session import Session, observe
from tests.benchmarks.tenants import LANGUAGES, PLANS, SEATS, loaded, tenants

if TYPE_CHECKING:
    from collections.abc import Callable

    from rules.event import Event
    from tests.benchmarks.tenants import Tenant


def ours(count: int, *, every_rule: bool) -> Callable[[Event], Callable[[], list[str]]]:
    """`decide`: with `every_rule` each rule is asked, as the others do."""
    rules = loaded(count)

    def ready(event: Event) -> Callable[[], list[str]]:
        session, event = observe(Session(event.room_sid), event)
        return lambda: [
            decision.rule
            for decision in decide(rules, event, session, every_rule=every_rule)
            if decision.plans
        ]

    return ready


def of_rule_engine(count: int) -> Callable[[Event], Callable[[], list[str]]]:
    """https://pypi.org/project/rule-engine/"""
    context = rule_engine.Context(default_value=None)
    rules = [
        (each.rule, rule_engine.Rule(_rule_engine_text(each), context=context).matches)
        for each in tenants(count)
    ]

    def ready(event: Event) -> Callable[[], list[str]]:
        given = _given(event)
        return lambda: [rule for rule, matches in rules if matches(given)]

    return ready


def of_cel_python(count: int) -> Callable[[Event], Callable[[], list[str]]]:
    """https://pypi.org/project/cel-python/, the quicker of its two runners."""
    environment = celpy.Environment(runner_class=celpy.CompiledRunner)
    rules = [
        (each.rule, environment.program(environment.compile(_cel_text(each))).evaluate)
        for each in tenants(count)
    ]

    def holds(evaluate: Callable[[Any], Any], given: Any) -> bool:
        try:
            return bool(evaluate(given))
        except celpy.CELEvalError:  # of something absent; asking `has` first takes twice as long
            return False

    def ready(event: Event) -> Callable[[], list[str]]:
        given = celpy.json_to_cel(_given(event))
        return lambda: [rule for rule, evaluate in rules if holds(evaluate, given)]

    return ready


def _given(event: Event) -> dict[str, Any]:
    room, participant = dict(event.room or {}), dict(event.participant or {})
    room["metadata"] = json_object(room["metadata"])
    return {"room": room, "participant": participant}


def _rule_engine_text(tenant: Tenant) -> str:
    """In the form that is quickest there: `room["name"]` is five times as quick as `room.name`, and
    `=~`, which matches from the beginning, twice as quick as `starts_with`.
    """
    named = 'room["name"] =~ "{}"' if tenant.by_prefix else 'room["name"] == "{}"'
    return (
        f'{named.format(tenant.room)} and room["max_participants"] >= {SEATS}'
        f' and room["metadata"]&["lang"] in {_listed(LANGUAGES)}'
        ' and participant["kind"] == "STANDARD"'
        f' and participant["attributes"]&["plan"] in {_listed(PLANS)}'
    )


def _cel_text(tenant: Tenant) -> str:
    named = 'room.name.startsWith("{}")' if tenant.by_prefix else 'room.name == "{}"'
    return (
        f"{named.format(tenant.room)} && room.max_participants >= {SEATS}"
        f" && room.metadata.lang in {_listed(LANGUAGES)}"
        ' && participant.kind == "STANDARD"'
        f" && participant.attributes.plan in {_listed(PLANS)}"
    )


def _listed(words: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"
