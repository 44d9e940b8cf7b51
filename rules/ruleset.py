"""All rules in force together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rules.agents_are import all_of
from rules.index import Index

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.agents_are import AgentsAre
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
    index: Index = field(init=False, repr=False, compare=False)
    """Which of them an event can concern."""

    agents_are: AgentsAre = field(init=False, repr=False, compare=False)
    """Who is an agent where the provider does not tell."""

    _by_id: Mapping[str, Rule] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", Index(self.rules))
        agents_are = all_of(rule.agents_are for rule in self.rules if rule.enabled)
        object.__setattr__(self, "agents_are", agents_are)
        object.__setattr__(self, "_by_id", {rule.id: rule for rule in self.rules})

    @property
    def notifies(self) -> bool:
        """Whether a rule that sends agents has `notify`."""
        sending = (rule for rule in self.rules if rule.enabled and not rule.shadow)
        return any(ladder.notify is not None for rule in sending for ladder in rule.dispatches)

    def rule(self, rule_id: str) -> Rule | None:
        """A rule by its id."""
        return self._by_id.get(rule_id)
