"""Patterns cost no more than texts are long, also those that take other engines for ever.

Times are of texts of one length and of four times that, in one run: linear is a ratio of 4, and
quadratic is 16. What takes next to nothing is not compared.
"""

from __future__ import annotations

import json
import time

import pytest

from rules.texts import glob, regex
from tests.rules.given import joined, rule

SHORT = 20_000
MOST = 8
FLOOR = 0.02
"""Seconds that say nothing about how times grow."""


def seconds(matches, text):
    """The best of several, of the processor."""
    best = float("inf")
    for _ in range(5):
        began = time.thread_time()
        matches(text)
        best = min(best, time.thread_time() - began)
    return best


def grows_like_the_text(matches, text_of):
    short, long = (seconds(matches, text_of(length)) for length in (SHORT, 4 * SHORT))
    return long < FLOOR or long < MOST * short


@pytest.mark.parametrize(
    ("pattern", "ending"),
    [
        ("(a+)+", "!"), ("(a|a)*b", ""), ("(a*)*b", ""), ("a*a*a*a*a*b", ""), ("(a|aa)+", "!"),
        ("(.*)*x", ""), ("(a{1,20}){1,20}b", ""), ("([a-z]+)*=", ""), (".*.*=.*", ""),
        ("(?i)(a?){30}a{30}", ""), ("(x+x+)+y", ""), ("\\w*\\d*\\w*-", ""),
    ],
)  # fmt: skip
def test_a_regular_expression_is_linear(pattern, ending):
    assert grows_like_the_text(regex(pattern), lambda length: "a" * length + ending)


@pytest.mark.parametrize(
    "pattern",
    ["*a*a*a*a*b", "a*a*a*a*a*b", "*aa*aa*aab*", "*" * 50 + "b", "a*" * 100 + "b", "*ab*ba*ab*"],
)
def test_a_pattern_with_stars_is_linear(pattern):
    assert grows_like_the_text(glob(pattern), lambda length: "a" * length)
    assert grows_like_the_text(glob(pattern), lambda length: "ab" * (length // 2))


def test_pieces_that_nearly_match_everywhere_are_linear():
    def nearly(length):
        return glob("*" + "a" * (length // 8) + "b" + "a" * (length // 8) + "*")

    times = [seconds(nearly(length), "a" * length) for length in (SHORT, 4 * SHORT)]
    assert times[1] < FLOOR or times[1] < MOST * times[0]


@pytest.mark.parametrize("expression", ["(a+)+b", "(a|a)*b", "a*a*a*a*a*b"])
def test_an_expression_that_matches_is_linear(expression):
    text = json.dumps(f"room.name.matches({json.dumps(expression)})")
    (loaded,) = rule(f"if: {text}").rules
    facts = [joined(room={"name": "a" * length}) for length in (SHORT, 4 * SHORT)]
    short, long = (
        seconds(lambda event: loaded.expression.refusal({"room": event.room}), event)
        for event in facts
    )
    assert long < FLOOR or long < MOST * short


def test_a_pattern_too_large_for_its_engine_is_an_error_of_the_file():
    began = time.thread_time()
    with pytest.raises(ValueError, match="too large"):
        regex("\\pL{1000}" * 50)
    assert time.thread_time() - began < 2
