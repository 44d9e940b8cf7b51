"""However many rules there are, few are asked: counted, for time depends on the machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.decide import decide
from rules.ruleset import Ruleset
from rules.session import Session, observe
from tests.rules.given import joined, ruleset

KINDS_OF_NAMES = {
    "to the letter": "tenant-{n}",
    "by a prefix": "tenant-{n}-*",
    "by either": "[tenant-{n}, 'tenant-{n}-*']",
    "by a list in a table": "{{in: {{table: rooms_{n}}}}}",
}
ROOMS = {
    "to the letter": "tenant-7",
    "by a prefix": "tenant-7-a",
    "by either": "tenant-7-b",
    "by a list in a table": "tenant-7",
}


def counted(rules):
    asked = []

    def counting(rule):
        def when(facts):
            asked.append(rule.id)
            return rule.when(facts)

        return replace(rule, when=when)

    return Ruleset(tuple(map(counting, rules.rules)), rules.hash, tables=rules.tables), asked


def many(count, name, also=""):
    tables = "".join(f"  rooms_{n}: {{tenant-{n}: x}}\n" for n in range(count))
    rules = "".join(
        f"  - id: r{n}\n    on: participant_joined\n    dispatch: {{agent: a}}\n"
        f"    when: {{room: {{name: {name.format(n=n)}}}}}\n"
        for n in range(count)
    )
    return ruleset(f"version: 1\ntables:\n{tables}rules:\n{rules}{also}")


def asked_of(rules, event):
    rules, asked = counted(rules)
    session, event = observe(Session("RM_1"), event)
    decide(rules, event, session, every_rule=False)
    return asked


@pytest.mark.parametrize("named", KINDS_OF_NAMES)
def test_only_the_rule_that_names_the_room_evaluates_its_conditions(named):
    event = joined(room={"name": ROOMS[named]})
    for count in (10, 400):
        assert asked_of(many(count, KINDS_OF_NAMES[named]), event) == ["r7"]


def test_rules_for_any_room_are_asked_besides():
    also = (
        "  - {id: any-room, on: participant_joined, dispatch: {agent: a}, when: {humans: 1}}\n"
        "  - {id: other-event, on: room_started, dispatch: {agent: a}, when: {room: {sid: x}}}\n"
    )
    rules = many(400, "tenant-{n}", also)
    assert asked_of(rules, joined(room={"name": "tenant-7"})) == ["r7", "any-room"]


class Sliced(str):
    """A room's name that counts how often its beginning is looked at."""

    __slots__ = ("times",)

    def __getitem__(self, part):
        self.times = getattr(self, "times", 0) + 1
        return str.__getitem__(self, part)


@pytest.mark.parametrize("count", [10, 400])
def test_prefixes_are_looked_up_once_for_each_of_their_lengths(count):
    rules = many(count, "tenant-{n}-*")
    room = Sliced("tenant-7-a")
    (found,) = rules.index.concerned("participant_joined", room)
    assert found.id == "r7"
    assert room.times <= len({len(f"tenant-{n}-") for n in range(count)})
