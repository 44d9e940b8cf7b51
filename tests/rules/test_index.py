"""Rules that name other rooms are not asked, and nobody can tell."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.decide import decide
from rules.session import Session, observe
from tests.rules.given import joined, rule, ruleset

TABLE = """version: 1
tables: {rooms: {a-1: x, b-2: y}}
rules:
  - id: r
    on: room_started
    dispatch: {agent: a}
    when: """


@pytest.mark.parametrize(
    ("when", "texts", "prefixes"),
    [
        ("{room: {name: a-1}}", {"a-1"}, set()),
        ("{room: {name: 'a-*'}}", set(), {"a-"}),
        ("{room: {name: 'a-*-z'}}", set(), {"a-"}),
        ("{room: {name: [a-1, 'b-*']}}", {"a-1"}, {"b-"}),
        ("{room: {name: {equals: 'a*'}}}", {"a*"}, set()),
        ("{room: {name: {prefix: a-}}}", set(), {"a-"}),
        ("{room: {name: {glob: 'a-*'}}}", set(), {"a-"}),
        ("{room: {name: {in: [a-1, b-2]}}}", {"a-1", "b-2"}, set()),
        ("{room: {name: {in: {table: rooms}}}}", {"a-1", "b-2"}, set()),
        ("{room: {name: {suffix: x, prefix: a-}}}", set(), {"a-"}),
        ("{room: {name: a-1, metadata: {x: y}}, humans: 1}", {"a-1"}, set()),
        ("{all: [{humans: 1}, {room: {name: a-1}}]}", {"a-1"}, set()),
        ("{room: {all: [{name: a-1}]}}", {"a-1"}, set()),
        ("{room: {field: {name: a-1}}}", {"a-1"}, set()),
    ],
)
def test_what_a_rule_asks_of_the_rooms_name(when, texts, prefixes):
    (loaded,) = ruleset(TABLE + when).rules
    assert loaded.rooms == (texts, prefixes)


@pytest.mark.parametrize(
    "when",
    [
        "{room: {name: '*-x'}}",
        "{room: {name: [a-1, '*']}}",
        "{room: {name: {suffix: x}}}",
        "{room: {name: {prefix: ''}}}",
        "{room: {name: {not: a-1}}}",
        "{room: {name: {regex: a.*}}}",
        "{room: {name: {equals_ignore_case: a-1}}}",
        "{not: {room: {name: a-1}}}",
        "{any: [{room: {name: a-1}}, {humans: 1}]}",
        "{room: [{name: a-1}, {metadata: x}]}",
        "{participant: {name: a-1}}",
        "{humans: 1}",
    ],
)
def test_a_rule_that_may_hold_in_any_room_is_always_asked(when):
    (loaded,) = ruleset(TABLE + when).rules
    assert loaded.rooms is None


ALPHABET = st.text("ab-*", min_size=0, max_size=4)
VALUES = st.one_of(
    ALPHABET.map(lambda text: f"'{text}'"),
    st.lists(ALPHABET, min_size=1, max_size=3).map(str),
    st.tuples(
        st.sampled_from(["equals", "prefix", "suffix", "glob", "contains", "not"]), ALPHABET
    ).map(lambda pair: f"{{{pair[0]}: '{pair[1]}'}}"),
)
CONDITIONS = st.one_of(
    VALUES.map(lambda value: f"{{room: {{name: {value}}}}}"),
    VALUES.map(lambda value: f"{{all: [{{room: {{name: {value}}}}}]}}"),
    VALUES.map(lambda value: f"{{not: {{room: {{name: {value}}}}}}}"),
    st.tuples(VALUES, VALUES).map(
        lambda two: f"{{any: [{{room: {{name: {two[0]}}}}}, {{room: {{name: {two[1]}}}}}]}}"
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(CONDITIONS, min_size=1, max_size=8), st.text("ab-", max_size=5))
def test_asking_fewer_rules_decides_the_same(conditions, room):
    rules = ruleset(
        "version: 1\nrules:\n"
        + "".join(
            f"  - {{id: r{n}, on: participant_joined, dispatch: {{agent: a}}, when: {when}}}\n"
            for n, when in enumerate(conditions)
        )
    )
    session, event = observe(Session("RM_1"), joined(room={"name": room}))
    every = [d for d in decide(rules, event, session) if d.plans]
    concerned = [d for d in decide(rules, event, session, every_rule=False) if d.plans]
    assert concerned == every


def many(count: int):
    return ruleset(
        "version: 1\nrules:\n"
        + "".join(
            f"  - {{id: r{n}, on: participant_joined, dispatch: {{agent: a}},"
            f" when: {{room: {{name: 'tenant-{n}-*'}}}}}}\n"
            for n in range(count)
        )
    )


def test_many_rules_cost_about_as_much_as_few():
    """Measured side by side; the bound only says that something is wrong."""
    few, lots = many(10), many(2_000)
    session, event = observe(Session("RM_1"), joined(room={"name": "tenant-7-x"}))

    def seconds(rules) -> float:
        best = float("inf")
        for _ in range(20):
            began = time.perf_counter()
            for _ in range(50):
                assert len(decide(rules, event, session, every_rule=False)) == 1
            best = min(best, time.perf_counter() - began)
        return best

    assert seconds(lots) < 3 * seconds(few)


def test_every_rule_is_asked_where_every_answer_is_wanted():
    session, event = observe(Session("RM_1"), joined())
    assert len(decide(rule("when: {room: {name: elsewhere}}"), event, session)) == 1
