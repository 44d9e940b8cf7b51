"""What is wrong with a rule as a whole, though each of its parts is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules import document
from rules.decision import Once
from rules.event import LEAVING
from rules.names import CARRIED_BY
from rules.weights import Sticky

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rules.compiling import Compiling
    from rules.document import Entries, Node
    from rules.expression import Expression
    from rules.ladder import Ladder
    from rules.limit import Limit
    from rules.problems import Mark, Report


def need_participants(on: tuple[str, ...], once: Once, entries: Entries, report: Report) -> None:
    """Refuse what needs a participant on events that have none."""
    without = [name for name in on if name not in CARRIED_BY["participant"]]
    if not without:
        return
    names = " and ".join(f"'{name}'" for name in without)
    if once is Once.PARTICIPANT:
        report.error(entries["once"][1].mark, f"'once: participant': {names} has no participant")
    for asked in _asked_for(entries):
        sticky = _below(asked.entries.get("deployment"), "sticky")
        if sticky is not None and getattr(sticky[1], "value", None) == Sticky.PARTICIPANT:
            report.error(sticky[1].mark, f"'sticky: participant': {names} has no participant")


def warn_of_a_limit_that_is_too_low(
    limit: Limit | None, dispatches: Sequence[Ladder], entries: Entries, report: Report
) -> None:
    """Warn of a rule whose agents, sent together, are more than its limit lets live."""
    if limit is not None and len(dispatches) > limit.active:
        told = f"the rule sends {len(dispatches)} agents together, and {limit.active} may be live"
        report.warning(entries["limit"][0], f"'limit': {told}: it never dispatches")


def warn_of_waiting_for_who_left(
    on: tuple[str, ...], once: Once, after: float, entries: Entries, report: Report
) -> None:
    """Warn of a rule that waits, and then wants the participant whose leaving it has matched."""
    left = [name for name in on if name in LEAVING]
    if left and after and once is not Once.ROOM:
        told = f"the participant of '{left[0]}' has gone when it is over: with 'once: {once}'"
        told = f"{told} nobody is sent unless they are back"
        report.warning(entries["after"][0], f"'after': {told}")


def _asked_for(entries: Entries) -> Iterator[document.Mapping]:
    """What a rule's `dispatch` asks for, one or several, and their fallbacks."""
    for key in ("dispatch", "fallback"):
        node = entries[key][1] if key in entries else None
        for item in node.items if isinstance(node, document.Sequence) else [node]:
            if isinstance(item, document.Mapping):
                yield item
                if key == "dispatch":
                    yield from _asked_for(
                        {k: v for k, v in item.entries.items() if k == "fallback"}
                    )


def _of_absence(entry: tuple[Mark, Node]) -> bool:
    exists = _below(entry, "exists")
    return (exists is not None and getattr(exists[1], "value", None) is False) or bool(
        _below(entry, "not")
    )


def _below(entry: tuple[Mark, Node] | None, key: str) -> tuple[Mark, Node] | None:
    node = entry[1] if entry is not None else None
    return node.entries.get(key) if isinstance(node, document.Mapping) else None


def warn_of_the_impossible(
    on: tuple[str, ...], entries: Entries, compiling: Compiling, expression: Expression | None
) -> None:
    """Warn of what a rule reads and none of its events carries."""
    names = ", ".join(on)
    for part, carriers in CARRIED_BY.items():
        if carriers.intersection(on):
            continue
        for template, node in compiling.templates:
            if part in template.names:
                compiling.report.warning(node.mark, f"'{part}' is never there on {names}")
        if expression is not None and part in expression.names:
            compiling.report.warning(entries["if"][1].mark, f"'{part}' is never there on {names}")
        for asked in _asked_of(part, entries["when"][1] if "when" in entries else None):
            if not _of_absence(asked):
                compiling.report.warning(asked[0], f"'{part}' is never there on {names}")


def _asked_of(part: str, node: Node | None) -> Iterator[tuple[Mark, Node]]:
    """What is asked of a part of the event, by itself or within `all` and `any`."""
    if not isinstance(node, document.Mapping):
        return
    for key, (mark, value) in node.entries.items():
        if key == part:
            yield mark, value
        elif key in ("all", "any") and isinstance(value, document.Sequence):
            for item in value.items:
                yield from _asked_of(part, item)
        elif key == "field":
            yield from _asked_of(part, value)
