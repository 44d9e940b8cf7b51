"""All rules in force together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.files import RuleFile
    from rules.problems import Problem
    from rules.rule import Rule


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Rules that loaded, in the order of their files."""

    rules: tuple[Rule, ...]
    hash: str
    """Of the files' content: equal on every machine, wherever the files lie."""
    files: tuple[RuleFile, ...] = ()
    """What was read, so that the same rules can be kept and loaded again."""
    warnings: tuple[Problem, ...] = ()
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By name."""
    _by_event: Mapping[str, tuple[Rule, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_event: dict[str, list[Rule]] = {}
        for rule in self.rules:
            for name in rule.on:
                by_event.setdefault(name, []).append(rule)
        index = {name: tuple(rules) for name, rules in by_event.items()}
        object.__setattr__(self, "_by_event", index)

    def on(self, event: str) -> tuple[Rule, ...]:
        """The rules that name an event in `on`, in the order of their files."""
        return self._by_event.get(event, ())
