"""Reads one rule from its file, and finds all that is wrong with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rules import document
from rules.compiling import Compiling
from rules.conditions import Check, compile_conditions
from rules.decision import Once
from rules.defaults import with_defaults
from rules.dispatch_fields import compile_dispatches
from rules.event import EventName
from rules.index import room_names
from rules.loop_guard import named_kinds
from rules.names import CARRIED_BY, CONDITION_NAMES
from rules.problems import Report, nearest, quoted
from rules.rule import Rule
from rules.schedule import compile_schedules
from rules.weights import Sticky

if TYPE_CHECKING:
    from rules.document import Node
    from rules.problems import Mark
    from rules.tables import Tables

RULE_KEYS: Final = (
    "id",
    "description",
    "enabled",
    "on",
    "when",
    "unless",
    "schedule",
    "shadow",
    "once",
    "dispatch",
)
_EVENTS: Final = tuple(str(name) for name in EventName)
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]*\Z")

Entries = dict[str, tuple["Mark", "Node"]]


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
    once = Once.ROOM
    if "once" in entries:
        once = Once(compiling.choice(entries["once"][1], Once, "once") or Once.ROOM)
    description = _description(entries, compiling)
    enabled = _flag("enabled", entries, report, default=True)
    when, unless = (_conditions(key, entries, compiling) for key in ("when", "unless"))
    schedule = None
    if "schedule" in entries:
        schedule = compile_schedules(entries["schedule"][1], compiling)
    dispatches = (
        compile_dispatches(entries["dispatch"][1], compiling) if "dispatch" in entries else ()
    )
    _need_participants(on, once, entries, report)
    if not on or not dispatches or rule_id is None:
        return None
    _warn_of_the_impossible(on, entries, compiling)
    asked = entries["when"][1] if "when" in entries else None
    return Rule(
        id=rule_id,
        mark=entries["id"][1].mark,
        description=description,
        enabled=enabled,
        on=on,
        when=when,
        unless=unless,
        schedule=schedule,
        once=once,
        rooms=room_names(asked, tables),
        named_kinds=named_kinds(asked),
        shadow=_flag("shadow", entries, report, default=False),
        dispatches=dispatches,
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


def _description(entries: Entries, compiling: Compiling) -> str:
    if "description" not in entries:
        return ""
    text = compiling.text(entries["description"][1], "description")
    return str(text.value) if text is not None else ""


def _flag(key: str, entries: Entries, report: Report, *, default: bool) -> bool:
    if key not in entries:
        return default
    node = entries[key][1]
    if isinstance(node, document.Scalar) and isinstance(node.value, bool):
        return node.value
    report.error(node.mark, f"'{key}' is true or false")
    return default


def _conditions(key: str, entries: Entries, compiling: Compiling) -> Check | None:
    if key not in entries:
        return None
    return compile_conditions(entries[key][1], CONDITION_NAMES, key, compiling)


def _need_participants(on: tuple[str, ...], once: Once, entries: Entries, report: Report) -> None:
    without = [name for name in on if name not in CARRIED_BY["participant"]]
    if not without:
        return
    names = " and ".join(f"'{name}'" for name in without)
    if once is Once.PARTICIPANT:
        report.error(entries["once"][1].mark, f"'once: participant': {names} has no participant")
    dispatch = entries["dispatch"][1] if "dispatch" in entries else None
    for item in dispatch.items if isinstance(dispatch, document.Sequence) else [dispatch]:
        if not isinstance(item, document.Mapping):
            continue
        sticky = _below(item.entries.get("deployment"), "sticky")
        if sticky is not None and getattr(sticky[1], "value", None) == Sticky.PARTICIPANT:
            report.error(sticky[1].mark, f"'sticky: participant': {names} has no participant")


def _of_absence(entry: tuple[Mark, Node]) -> bool:
    exists = _below(entry, "exists")
    return (exists is not None and getattr(exists[1], "value", None) is False) or bool(
        _below(entry, "not")
    )


def _below(entry: tuple[Mark, Node] | None, key: str) -> tuple[Mark, Node] | None:
    node = entry[1] if entry is not None else None
    return node.entries.get(key) if isinstance(node, document.Mapping) else None


def _warn_of_the_impossible(on: tuple[str, ...], entries: Entries, compiling: Compiling) -> None:
    names = ", ".join(on)
    for part, carriers in CARRIED_BY.items():
        if carriers.intersection(on):
            continue
        for template, node in compiling.templates:
            if part in template.names:
                compiling.report.warning(node.mark, f"'{part}' is never there on {names}")
        asked = _below(entries.get("when"), part)
        if asked is not None and not _of_absence(asked):
            compiling.report.warning(asked[0], f"'{part}' is never there on {names}")
