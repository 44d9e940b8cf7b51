"""The rules that are simulated, and what each of them promises to callers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rules.files import RuleFile
from rules.loader import load_files
from workers.rules_in_force import RulesInForce

if TYPE_CHECKING:
    from random import Random

_GREET: Final = """
  - id: greet
    on: participant_joined
    dispatch: {agent: greeter, attributes: {rule: greet}}
"""
_HELP: Final = """
  - id: help
    on: participant_joined
    once: participant
    dispatch:
      agent: helper
      deployment: staging
      metadata: "{{ participant.identity }}"
      attributes: {rule: help, sid: "{{ participant.sid }}"}
"""
_WAIT: Final = """
  - id: wait
    on: participant_joined
    after: 3s
    dispatch: {agent: waiter, attributes: {rule: wait}}
"""
_ONE_ONLY: Final = """
  - id: only
    on: participant_joined
    once: participant
    again: never
    limit: {active: 1}
    dispatch: {agent: only, metadata: "{{ participant.identity }}", attributes: {rule: only}}
"""
_CLIMB: Final = """
  - id: climb
    on: participant_joined
    join_within: 4s
    fallback: [{agent: second, join_within: 6s}]
    dispatch: {agent: first, attributes: {rule: climb}}
"""
_GO: Final = """
  - id: go
    on: participant_joined
    release: {when: last_human_left, after: 2s}
    dispatch: {agent: going, attributes: {rule: go}}
"""
_GO_WITH: Final = """
  - id: go-with
    on: participant_joined
    once: participant
    release: participant_left
    dispatch:
      agent: companion
      metadata: "{{ participant.identity }}"
      attributes: {rule: go-with, sid: "{{ participant.sid }}"}
"""


class Promise(NamedTuple):
    """Whoever is in a room has this rule's agent."""

    rule: str
    agent: str
    once: str
    last: str = ""
    """The agent after which nobody is asked, if it does not come; without one it may take long."""


class Rulebook(NamedTuple):
    """A set of rules in force."""

    rules: RulesInForce
    promises: tuple[Promise, ...]


_FOR_ROOM: Final = Promise("greet", "greeter", "room")
_FOR_CALLER: Final = Promise("help", "helper", "participant")
_AFTER_A_WHILE: Final = Promise("wait", "waiter", "room")
_BY_SOMEBODY: Final = Promise("climb", "first", "room", last="second")
_WHILE_ANYBODY: Final = Promise("go", "going", "room")
_WITH_CALLER: Final = Promise("go-with", "companion", "participant")


def _book(rules: tuple[str, ...], *promises: Promise) -> Rulebook:
    in_force = RulesInForce("")
    in_force.fall_back(load_files([RuleFile("rules.yaml", "version: 1\nrules:" + "".join(rules))]))
    return Rulebook(in_force, promises)


_BOOKS: Final = (
    _book((_GREET,), _FOR_ROOM),
    _book((_HELP,), _FOR_CALLER),
    _book((_GREET, _HELP), _FOR_ROOM, _FOR_CALLER),
    _book((_WAIT, _ONE_ONLY), _AFTER_A_WHILE),
    _book((_CLIMB,), _BY_SOMEBODY),
    _book((_CLIMB, _GO), _BY_SOMEBODY, _WHILE_ANYBODY),
    _book((_GO_WITH,), _WITH_CALLER),
)


def rulebook(chance: Random) -> Rulebook:
    """Draw one."""
    return chance.choice(_BOOKS)
