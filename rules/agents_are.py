"""Who is an agent where the provider does not tell: VideoSDK's participants have no kind.

A rule says by `agents_are` how agents are told there from people. Without that it would dispatch
an agent because an agent came; so it reads VideoSDK's events and sends VideoSDK's agents only if
it says so. Who is an agent in the eyes of one rule is one in those of all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rules import document
from rules.event import VIDEOSDK, whole_participant
from rules.frozen import replace
from rules.texts import glob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rules.compiling import Compiling
    from rules.document import Node
    from rules.event import Event, Fields

FIELDS: Final = ("identity", "name")


@dataclass(frozen=True, slots=True)
class AgentsAre:
    """What an agent's identity or name looks like."""

    patterns: tuple[tuple[str, str], ...] = ()
    """Pairs of one of `FIELDS` and a text in which `*` stands for anything; one of them is enough.
    """
    _checks: tuple[tuple[str, Callable[[object], bool]], ...] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        checks = tuple((name, glob(pattern)) for name, pattern in self.patterns)
        object.__setattr__(self, "_checks", checks)

    def __bool__(self) -> bool:
        return bool(self.patterns)

    def told(self, participant: Fields) -> bool:
        """Whether a participant is an agent."""
        return any(check(participant.get(name)) for name, check in self._checks)

    def with_kind(self, participant: Fields) -> Fields:
        """A participant with its kind, where the provider has not told it."""
        if not self.told(participant):
            return participant
        return whole_participant({**participant, "kind": "AGENT"})

    def seen(self, event: Event) -> Event:
        """An event with the kind of its participant, where the provider has not told it."""
        if event.source != VIDEOSDK or event.participant is None:
            return event
        return replace(event, participant=self.with_kind(event.participant))


NOBODY: Final = AgentsAre()


def all_of(each: Iterable[AgentsAre]) -> AgentsAre:
    """What is an agent in the eyes of any of them."""
    patterns = dict.fromkeys(pattern for one in each for pattern in one.patterns)
    return AgentsAre(tuple(patterns))


def from_pairs(pairs: Iterable[Iterable[str]]) -> AgentsAre:
    """As a record keeps it: a list of lists of two."""
    return AgentsAre(tuple((name, pattern) for name, pattern in pairs))


def compile_agents_are(node: Node, compiling: Compiling) -> AgentsAre:
    """Compile a rule's `agents_are`; problems go to the report."""
    if not isinstance(node, document.Mapping) or not node.entries:
        told = "'agents_are' takes how agents are told from people: {identity: 'agent-*'}"
        compiling.report.error(node.mark, told)
        return NOBODY
    entries = compiling.known_keys(node, FIELDS, "agents_are")
    patterns: list[tuple[str, str]] = []
    for name, (_, value) in entries.items():
        for item in value.items if isinstance(value, document.Sequence) else [value]:
            text = compiling.text(item, f"agents_are.{name}")
            if text is None:
                continue
            if not str(text.value).strip("* "):
                told = f"'agents_are.{name}' must leave somebody out: all would be agents"
                compiling.report.error(item.mark, told)
            patterns.append((name, str(text.value)))
    return AgentsAre(tuple(patterns))
