"""Rules that can never dispatch, because one before them in their group always does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decision import Again, Provider
from rules.implied import asks_no_more

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rules.problems import Report
    from rules.rule import Rule


def warn_of_the_shadowed(rules: Iterable[Rule], report: Report) -> None:
    """Warn of rules whose every match an earlier rule of their group takes."""
    before: dict[str, list[Rule]] = {}
    for rule in rules:
        if rule.group is None or not rule.enabled:
            continue
        earlier = before.setdefault(rule.group, [])
        taker = next((each for each in earlier if _takes_all(each, rule)), None)
        if taker is not None:
            told = f"'{rule.id}' never dispatches: '{taker.id}' before it in the group"
            report.warning(rule.mark, f"{told} '{rule.group}' takes all that it matches")
        if _always_dispatches(rule):
            earlier.append(rule)


def _always_dispatches(rule: Rule) -> bool:
    """Whether nothing but its `on` and `when` can keep a rule from dispatching."""
    stopped = (rule.shadow, rule.unless, rule.expression, rule.schedule, rule.limit, rule.can_fail)
    providers = {rung.provider for d in rule.dispatches for rung in (d.first, *d.fallback)}
    if not providers <= {None, Provider.LIVEKIT}:  # others may not be configured
        return False
    return not any(stopped) and rule.again is Again.WHEN_GONE


def _takes_all(earlier: Rule, rule: Rule) -> bool:
    return (
        set(rule.on) <= set(earlier.on)
        and rule.named_kinds <= earlier.named_kinds
        and (bool(earlier.agents_are) or not rule.agents_are)  # without, none of VideoSDK's events
        and asks_no_more(earlier.asked, rule.asked)
    )
