from __future__ import annotations

from datetime import timedelta

import pytest

from rules.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("250ms", timedelta(milliseconds=250)),
        ("10s", timedelta(seconds=10)),
        ("5m", timedelta(minutes=5)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("0", timedelta(0)),
        ("0s", timedelta(0)),
    ],
)
def test_durations(text, duration):
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 s", " 5s", "5s ", "5s\n", "1h30m", "-5s", "1.5s", "5S", "５s", "5us"]
)
def test_anything_else_says_what_is_allowed(text):
    with pytest.raises(ValueError, match="250ms, 10s, 5m, 2h or 7d"):
        parse_duration(text)


def test_longer_than_time_itself():
    assert parse_duration("999999999d").days == 999_999_999
    with pytest.raises(ValueError, match="250ms"):
        parse_duration("9999999999d")
