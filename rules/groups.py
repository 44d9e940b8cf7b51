"""Groups: rules that share one claim, of which the first that can dispatches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rules.rule import is_remembered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rules.problems import Report
    from rules.rule import Rule


def settle_groups(rules: Iterable[Rule], report: Report) -> tuple[Rule, ...]:
    """The rules, after those of a group have been compared; problems go to the report."""
    rules = tuple(rules)
    groups: dict[str, list[Rule]] = {}
    for rule in rules:
        if rule.group is not None:
            groups.setdefault(rule.group, []).append(rule)
    remembered: set[str] = set()
    for name, (first, *others) in groups.items():
        for rule in others:
            if rule.once is not first.once:
                told = f"the rules of a group agree on 'once': '{first.id}' has '{first.once}'"
                report.error(rule.mark, f"'once: {rule.once}' in the group '{name}': {told}")
        if any(is_remembered(rule.once, rule.again) for rule in (first, *others)):
            remembered.add(name)
    return tuple(
        replace(rule, remembered=True) if rule.group in remembered else rule for rule in rules
    )
