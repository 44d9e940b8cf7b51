"""Sticky weights: the same deployment every time, in the shares asked for."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.weights import Sticky, Weights
from tests.rules.given import errors, joined, one, rule, rule_file

shares = st.lists(st.integers(0, 1000), min_size=1, max_size=4).filter(any)
names = st.text(max_size=20)


def weights(*numbers):
    return Weights(tuple((f"d{n}", each) for n, each in enumerate(numbers)), Sticky.ROOM)


def test_the_choice_is_the_documented_one():
    point = int.from_bytes(sha256(b"r\0support-1").digest()[:8], "big") % 100
    chosen = weights(*[1] * 100).choose("r", "support-1")
    assert chosen == f"d{point}"


def test_known_choices_never_change():
    split = Weights((("", 50), ("staging", 50)), Sticky.ROOM)
    chosen = [split.choose("support", f"room-{n}") for n in range(12)]
    expected = [
        "staging"
        if int.from_bytes(sha256(f"support\0room-{n}".encode()).digest()[:8], "big") % 100 >= 50
        else ""
        for n in range(12)
    ]
    assert chosen == expected


@given(numbers=shares, rule_id=names, subject=names)
def test_a_choice_is_stable_and_never_one_of_no_weight(numbers, rule_id, subject):
    split = weights(*numbers)
    chosen = split.choose(rule_id, subject)
    assert chosen == split.choose(rule_id, subject)
    assert dict(split.shares)[chosen] > 0


@given(first=st.integers(0, 100), raised=st.integers(0, 100), subject=names)
def test_raising_the_last_of_two_at_the_firsts_cost_moves_nobody_back(first, raised, subject):
    before = weights(100 - min(first, raised), min(first, raised)).choose("r", subject)
    after = weights(100 - max(first, raised), max(first, raised)).choose("r", subject)
    assert (before, after) != ("d1", "d0")


def test_shares_are_met():
    found = Counter(weights(70, 20, 10).choose("r", f"room-{n}") for n in range(20_000))
    for name, share in (("d0", 0.7), ("d1", 0.2), ("d2", 0.1)):
        assert found[name] / 20_000 == pytest.approx(share, abs=0.015)


def test_two_rules_split_the_same_rooms_differently():
    split = weights(50, 50)
    rooms = [f"room-{n}" for n in range(200)]
    assert [split.choose("a", room) for room in rooms] != [
        split.choose("b", room) for room in rooms
    ]


def deployment(body, **participant):
    rules = rule(f"dispatch: {{agent: a, deployment: {body}}}")
    return [
        one(rules, joined(room={"name": f"room-{n}"}, participant=participant)).plans[0].deployment
        for n in range(40)
    ]


def test_sticky_is_by_room_unless_it_says_participant():
    split = '{weights: {"": 50, staging: 50}'
    assert deployment(f"{split}}}") == deployment(f"{split}, sticky: room}}")
    assert len(set(deployment(f"{split}}}", identity="ana"))) == 2
    assert len(set(deployment(f"{split}, sticky: participant}}", identity="ana"))) == 1


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{weights: {a: 0, b: 0}}", "the weights sum to 0"),
        ("{weights: {}}", "'weights' takes a mapping"),
        ("{weights: [a]}", "'weights' takes a mapping"),
        ("{weights: {a: -1}}", "a weight is a whole number"),
        ("{weights: {a: 0.5}}", "a weight is a whole number"),
        ("{weights: {a: true}}", "a weight is a whole number"),
        ("{weights: {a: '5'}}", "a weight is a whole number"),
        ("{weights: {a: 99999999999}}", "a weight is a whole number"),
        ("{weights: {2: 5}}", "the key 2 is not text: quote it"),
        (
            "{weights: {a: 1}, sticky: rom}",
            "'dispatch.deployment.sticky' is one of room, participant, did you mean 'room'?",
        ),
        ("{sticky: room}", "takes text, or 'weights'"),
        ("{wieghts: {a: 1}}", "unknown field 'dispatch.deployment.wieghts', did you mean"),
        ("2", "'dispatch.deployment' takes text: quote it"),
        ("null", "'dispatch.deployment' takes text"),
        ("[a]", "'dispatch.deployment' takes text"),
    ],
)
def test_weights_that_mean_nothing_are_errors(written, message):
    assert any(
        message in error
        for error in errors(rule_file(f"dispatch: {{agent: a, deployment: {written}}}"))
    )


def test_sticky_participant_needs_events_that_have_one():
    dispatch = "dispatch: {agent: a, deployment: {weights: {a: 1}, sticky: participant}}"
    (error,) = errors(rule_file(f"on: room_started\n{dispatch}"))
    assert "'sticky: participant': 'room_started' has no participant" in error


def test_three_weights_are_warned_of():
    loaded = rule("dispatch: {agent: a, deployment: {weights: {a: 1, b: 1, c: 1}}}")
    (warning,) = loaded.warnings
    assert "3 weights" in warning.message
    assert not rule("dispatch: {agent: a, deployment: {weights: {a: 1, b: 1}}}").warnings
