"""Sticky weights: the same deployment every time, in the shares asked for."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.weights import Sticky, Weights
from tests.rules.given import errors, joined, one, rule, rule_file

REPOSITORY = Path(__file__).parents[2]

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


MANY = 100_000
NINE_TO_ONE = Weights((("", 90), ("staging", 10)), Sticky.ROOM)


def documented(shares, rule_id, subject):
    """The formula, worked out apart: each deployment stands in line as often as it weighs."""
    line = [name for name, share in shares for _ in range(share)]
    return line[int(sha256(f"{rule_id}\x00{subject}".encode()).hexdigest()[:16], 16) % len(line)]


@pytest.mark.parametrize("split", [NINE_TO_ONE, weights(70, 20, 10)])
def test_shares_are_met_by_the_documented_formula(split):
    chosen = [split.choose("r", f"room-{n}") for n in range(MANY)]
    assert chosen == [documented(split.shares, "r", f"room-{n}") for n in range(MANY)]
    found = Counter(chosen)
    for name, share in split.shares:
        assert found[name] / MANY == pytest.approx(share / 100, abs=0.01)


IN_ANOTHER_PROCESS = """
from hashlib import sha256
from rules.weights import Sticky, Weights
split = Weights((("", 90), ("staging", 10)), Sticky.ROOM)
chosen = "\\n".join(split.choose("r", f"room-{n}") for n in range(100_000))
print(sha256(chosen.encode()).hexdigest())
"""


@pytest.mark.parametrize("seed", ["1", "2"])
def test_another_process_chooses_the_same(seed):
    told = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS],
        cwd=REPOSITORY, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    chosen = "\n".join(NINE_TO_ONE.choose("r", f"room-{n}") for n in range(MANY))
    assert told.stdout.strip() == sha256(chosen.encode()).hexdigest()


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
