"""Absent matches nothing but `exists: false` and `not`."""

from __future__ import annotations

import pytest

from tests.rules.given import joined, started, when

NOTHING = joined(room={"metadata": {"nil": None}})
POSITIVE = [
    "x",
    "7",
    "true",
    '"*"',
    '""',
    "[x, 7]",
    "{equals: x}",
    "{equals_ignore_case: x}",
    '{prefix: ""}',
    '{suffix: ""}',
    '{contains: ""}',
    '{glob: "*"}',
    '{regex: ".*"}',
    "{in: [x]}",
    "{gt: -1}",
    "{gte: 0}",
    "{lt: 1}",
    "{lte: 0}",
    "{exists: true}",
    "{deeper: x}",
    "{not: {exists: false}}",
    "{exists: true, not: x}",
]


@pytest.mark.parametrize("value", POSITIVE)
@pytest.mark.parametrize("key", ["tier", "nil"])
def test_nothing_positive_matches(value, key):
    assert not when(f"{{room: {{metadata: {{{key}: {value}}}}}}}", NOTHING)
    assert when(f"{{room: {{metadata: {{{key}: {{not: {value}}}}}}}}}", NOTHING)
    assert when(f"{{not: {{room: {{metadata: {{{key}: {value}}}}}}}}}", NOTHING)


@pytest.mark.parametrize(
    "value", ["{exists: false}", "{not: x}", "{not: {prefix: x}}", "{deeper: {exists: false}}"]
)
def test_exists_false_and_not_do(value):
    assert when(f"{{room: {{metadata: {{tier: {value}}}}}}}", NOTHING)
    assert not when(f"{{not: {{room: {{metadata: {{tier: {value}}}}}}}}}", NOTHING)


def test_everything_below_something_absent_is_absent():
    assert when("{participant: {attributes: {vip: {exists: false}}}}", started())
    assert when("{participant: {permission: {hidden: {not: true}}}}", started())
    assert not when("{participant: {permission: {hidden: false}}}", started())
