"""Expressions on what participants may have written, and expressions that never end."""

from __future__ import annotations

import json
import time

import pytest

from rules.decision import Outcome, Reason
from tests.rules.given import errors, joined, one, rule, rule_file


def holds(expression, event, session=None):
    return asked(expression, event, session).outcome is Outcome.DISPATCH


def asked(expression, event, session=None):
    return one(rule(f"on: {event.name}\nif: {json.dumps(expression)}"), event, session)


def of_metadata(expression, metadata):
    text = metadata if isinstance(metadata, str) else json.dumps(metadata)
    return asked(expression, joined(room={"metadata": text}))


def told(expression):
    return errors(rule_file(f"if: {json.dumps(expression)}"))


@pytest.mark.parametrize(
    ("number", "expression"),
    [
        ("9223372036854775807", "room.metadata.x > 9223372036854775806"),
        ("9223372036854775808", "room.metadata.x > 9223372036854775000.0"),
        ("-9223372036854775809", "room.metadata.x < -9.2e18"),
        ("1" + "0" * 400, "room.metadata.x > 1.0e300"),
        ("-1" + "0" * 400, "room.metadata.x < -1.0e300"),
        ("1e999", "room.metadata.x > 1.0e300"),
    ],
)
def test_numbers_may_be_of_any_size(number, expression):
    assert of_metadata(expression, f'{{"x": {number}}}').outcome == "dispatch"


@pytest.mark.parametrize("opening", ['{"a":', "["])
@pytest.mark.parametrize("depth", [300, 500, 900, 20_000])
def test_metadata_nested_deeply_raises_nothing(opening, depth):
    closing = "}" if opening[0] == "{" else "]"
    nested = f'{{"x": {opening * depth}1{closing * depth}}}'
    decision = of_metadata("room.metadata.x == 1", nested)
    assert (decision.outcome, decision.reason) == (Outcome.SKIP, Reason.EXPRESSION)


@pytest.mark.parametrize("key", ["size", "has", "in", "matches", "type", "int", "null", "room"])
def test_keys_may_be_called_as_anything(key):
    assert of_metadata(f"room.metadata['{key}'] == 3", {key: 3}).outcome == "dispatch"
    assert of_metadata("size(room.metadata) == 1", {key: 3}).outcome == "dispatch"


def test_half_a_surrogate_pair_is_text():
    decision = of_metadata(
        "room.metadata.x == '?' && room.metadata.y == 1", '{"x":"\\ud800","y":1}'
    )
    assert decision.outcome == "dispatch"


@pytest.mark.parametrize("where", ["name", "identity"])
def test_what_only_begins_like_another_text_is_not_equal_to_it(where):
    """CEL's binding ends a text at a NUL."""
    event = joined(participant={where: "gold\0x"})
    assert not holds(f"participant.{where} == 'gold'", event)
    assert holds(f"participant.{where}.startsWith('gold') && participant.{where} != 'gold'", event)
    hostile = {"x": "gold\0x", "gold\0": 1}
    assert of_metadata("room.metadata.x != 'gold'", hostile).outcome == "dispatch"
    assert of_metadata("!has(room.metadata.gold)", hostile).outcome == "dispatch"
    attributes = joined(participant={"attributes": {"tier": "gold\0"}})
    assert not holds("participant.attributes.tier == 'gold'", attributes)


def quick(expression, metadata):
    text = json.dumps(metadata)
    rules = rule(f"if: {json.dumps(expression)}")
    began = time.thread_time()
    decision = one(rules, joined(room={"metadata": text}))
    assert time.thread_time() - began < 2
    assert (decision.outcome, decision.reason) == (Outcome.SKIP, Reason.EXPRESSION)
    return decision.detail


def test_a_loop_that_turns_too_often_is_no_match():
    turns = "true"
    for name in "abcdefgh":
        turns = f"[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].all({name}, {turns})"
    assert quick(turns, {}) == "Iteration budget exceeded"
    list_of = {"x": list(range(400))}
    over = "room.metadata.x.all(a, room.metadata.x.all(b, a + b >= 0))"
    assert quick(over, list_of) == "Iteration budget exceeded"


@pytest.mark.parametrize("build", ["map(x, x + 1)", "filter(x, x > 0)", "map(x, x > 0, x)"])
def test_no_list_is_built_of_many_items(build):
    """CEL copies the list for each: ten thousand items are two seconds and more than a gigabyte."""
    expression = f"size(room.metadata.l.{build}) > 3"
    assert of_metadata(expression, {"l": [1] * 1000}).outcome == "dispatch"
    told_so = "1,001 items in one list: 'map' and 'filter' take 1,000"
    assert quick(expression, {"l": [1] * 1001}) == told_so
    assert quick(expression, {"l": [1], "a": {"b": [1] * 1001}}) == told_so
    assert quick(expression, {f"k{n}": 1 for n in range(1001)}) == told_so


def test_what_builds_nothing_may_go_over_more():
    assert of_metadata("room.metadata.l.all(x, x > 0)", {"l": [1] * 9000}).outcome == "dispatch"
    assert of_metadata("!('map(' in room.metadata.l)", {"l": [1] * 9000}).outcome == "dispatch"


def test_a_regular_expression_takes_time_by_the_length_of_the_text():
    quick("room.metadata.s.matches('^(a+)+$')", {"s": "a" * 500_000 + "b"})


@pytest.mark.parametrize(
    ("expression", "metadata"),
    [
        ("participant.attributes[room.metadata.x] == 'a'", {"x": "k" * 60_000}),
        ("'a'.matches(room.metadata.x)", {"x": "(" * 60_000}),
        ("'a'.matches(room.metadata.x)", {"x": "a\nb\r(" * 1000}),
        ("participant.attributes[room.metadata.x] == 'a'", {"x": "a\nb\u2028c"}),
        ("room.metadata.x == 'a'", {"x": "k\n" * 60_000}),
    ],
)
def test_what_is_told_is_short_and_on_one_line(expression, metadata):
    detail = of_metadata(expression, metadata).detail
    assert len(detail) <= 200
    assert len(detail.splitlines()) == 1


def test_parsing_is_bounded():
    deep = "(" * 200 + "true" + ")" * 200
    (error,) = told(deep)
    assert "recursion" in error
