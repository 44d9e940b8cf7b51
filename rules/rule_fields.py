"""Reads one rule from its file, and finds all that is wrong with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from rules import document
from rules.agents_are import NOBODY, compile_agents_are
from rules.compiling import Compiling
from rules.conditions import Check, compile_conditions
from rules.decision import Again, Once
from rules.defaults import with_defaults
from rules.event import EventName
from rules.expression import Expression, compile_expression
from rules.expression_faults import ExpressionError
from rules.index import room_names
from rules.ladder_fields import LADDER_KEYS, compile_ladders
from rules.limit import compile_limit
from rules.loop_guard import named_kinds
from rules.names import CONDITION_NAMES
from rules.problems import Report, nearest, quoted
from rules.rule import Rule, is_remembered
from rules.rule_checks import (
    need_participants,
    warn_of_a_limit_that_is_too_low,
    warn_of_the_impossible,
    warn_of_waiting_for_who_left,
)
from rules.schedule import compile_schedules
from rules.sources import need_what_videosdk_does_not_tell
from rules.unmatchable import warn_of_the_unmatchable

if TYPE_CHECKING:
    from collections.abc import Callable

    from rules.document import Entries, Node
    from rules.tables import Tables

RULE_KEYS: Final = (
    "id",
    "description",
    "enabled",
    "on",
    "when",
    "unless",
    "if",
    "schedule",
    "group",
    "limit",
    "after",
    "again",
    "shadow",
    "once",
    "agents_are",
    "dispatch",
    *LADDER_KEYS,
)
_EVENTS: Final = tuple(str(name) for name in EventName)
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]*\Z")


def compile_rule(
    node: Node, report: Report, tables: Tables, defaults: document.Mapping | None = None
) -> Rule | None:
    """Compile one item of `rules`; None if it cannot be, which the report tells."""
    if not isinstance(node, document.Mapping):
        report.error(node.mark, "a rule is a mapping with 'id', 'on' and 'dispatch'")
        return None
    if defaults is not None:
        node = with_defaults(node, defaults)
    compiling = Compiling(report, tables)
    entries = compiling.known_keys(node, RULE_KEYS, "")
    for key in ("id", "on", "dispatch"):
        if key not in entries:
            report.error(node.mark, f"the rule{_called(entries)} needs '{key}'")
    rule_id = _id(entries, report)
    on = _events(entries["on"][1], report) if "on" in entries else ()
    compiled: dict[str, Any] = {
        key: compile_part(entries[key][1], compiling)
        for key, compile_part in _PARTS.items()
        if key in entries
    }
    once, again = compiled.get("once") or Once.ROOM, compiled.get("again") or Again.WHEN_GONE
    dispatches = compile_ladders(entries, on, compiling) if "dispatch" in entries else ()
    need_participants(on, once, entries, report)
    if not on or not dispatches or rule_id is None:
        return None
    expression = compiled.get("if")
    warn_of_the_impossible(on, entries, compiling, expression)
    warn_of_the_unmatchable(on, entries, compiling)
    after = compiled.get("after") or 0.0
    warn_of_waiting_for_who_left(on, once, after, entries, report)
    warn_of_a_limit_that_is_too_low(compiled.get("limit"), dispatches, entries, report)
    asked = entries["when"][1] if "when" in entries else None
    agents_are = compiled.get("agents_are") or NOBODY
    need_what_videosdk_does_not_tell(entries, agents_are, dispatches, compiling)
    return Rule(
        id=rule_id,
        mark=entries["id"][1].mark,
        description=compiled.get("description") or "",
        enabled=_flag("enabled", entries, report, default=True),
        on=on,
        when=compiled.get("when"),
        unless=compiled.get("unless"),
        expression=expression,
        schedule=compiled.get("schedule"),
        once=once,
        again=again,
        remembered=is_remembered(once, again),
        group=compiled.get("group"),
        limit=compiled.get("limit"),
        after=after,
        rooms=room_names(asked, tables),
        named_kinds=named_kinds(asked),
        agents_are=agents_are,
        shadow=_flag("shadow", entries, report, default=False),
        dispatches=dispatches,
        asked=document.plain(asked) if asked is not None else None,
        can_fail=any(template.constant is None for template, _ in compiling.templates),
    )


def _called(entries: Entries) -> str:
    node = entries["id"][1] if "id" in entries else None
    value = node.value if isinstance(node, document.Scalar) else None
    return f" '{value}'" if isinstance(value, str) else ""


def _id(entries: Entries, report: Report) -> str | None:
    if "id" not in entries:
        return None
    node = entries["id"][1]
    value = node.value if isinstance(node, document.Scalar) else None
    if isinstance(value, str) and _ID.match(value):
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    hint = ": quote it" if number else ""
    report.error(node.mark, f"an id has lowercase letters, digits and '-', such as es-1{hint}")
    return None


def _events(node: Node, report: Report) -> tuple[str, ...]:
    items = node.items if isinstance(node, document.Sequence) else [node]
    if not items:
        report.error(node.mark, "'on' is an empty list: name an event")
    names: list[str] = []
    for item in items:
        value = item.value if isinstance(item, document.Scalar) else None
        if not isinstance(value, str):
            report.error(item.mark, "'on' takes the name of an event, or a list of them")
        elif value not in _EVENTS:
            report.error(item.mark, f"unknown event {quoted(value)}{nearest(value, _EVENTS)}")
        elif value in names:
            report.warning(item.mark, f"'{value}' is named twice")
        else:
            names.append(value)
            if value == EventName.ROOM_FINISHED:
                message = "a room that finished takes no agent: this is refused with 'room_ended'"
                report.warning(item.mark, f"'on: room_finished': {message}")
    return tuple(names)


def _flag(key: str, entries: Entries, report: Report, *, default: bool) -> bool:
    if key not in entries:
        return default
    node = entries[key][1]
    if isinstance(node, document.Scalar) and isinstance(node.value, bool):
        return node.value
    report.error(node.mark, f"'{key}' is true or false")
    return default


def _when(node: Node, compiling: Compiling) -> Check:
    return compile_conditions(node, CONDITION_NAMES, "when", compiling)


def _unless(node: Node, compiling: Compiling) -> Check:
    return compile_conditions(node, CONDITION_NAMES, "unless", compiling)


def _expression(node: Node, compiling: Compiling) -> Expression | None:
    text = compiling.text(node, "if")
    if text is None:
        return None
    try:
        return compile_expression(str(text.value))
    except ExpressionError as error:
        for fault in error.faults:
            compiling.report.error(text.place(fault.line, fault.column), f"'if': {fault.message}")
        return None


def _group(node: Node, compiling: Compiling) -> str | None:
    value = node.value if isinstance(node, document.Scalar) else None
    if isinstance(value, str) and _ID.match(value):
        return value
    told = "'group' is a name of lowercase letters, digits and '-', such as support"
    compiling.report.error(node.mark, told)
    return None


def _after(node: Node, compiling: Compiling) -> float | None:
    return compiling.duration(node, "after")


def _once(node: Node, compiling: Compiling) -> Once | None:
    word = compiling.choice(node, Once, "once")
    return Once(word) if word is not None else None


def _again(node: Node, compiling: Compiling) -> Again | None:
    word = compiling.choice(node, Again, "again")
    return Again(word) if word is not None else None


def _described(node: Node, compiling: Compiling) -> str:
    text = compiling.text(node, "description")
    return str(text.value) if text is not None else ""


_PARTS: Final[dict[str, Callable[[Node, Compiling], object]]] = {
    "description": _described,
    "when": _when,
    "unless": _unless,
    "if": _expression,
    "schedule": compile_schedules,
    "group": _group,
    "limit": compile_limit,
    "after": _after,
    "again": _again,
    "once": _once,
    "agents_are": compile_agents_are,
}
"""What compiles the parts of a rule that stand for themselves."""
