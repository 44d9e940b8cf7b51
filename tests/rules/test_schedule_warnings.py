"""What in a schedule has no effect, or leaves nothing over, is a warning."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.schedule_checks import DAYS
from tests.rules.given import rule, warnings

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
HOURS = st.sampled_from(["09:00-12:00", "10:00-11:00", "11:00-13:00", "22:00-02:00", "23:00-01:00"])


def warned(schedule):
    found = rule(f"schedule: {schedule}").warnings
    return [f"{each.line}:{each.column}: {each.message}" for each in found]


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ("{days: [mon-fri, wed]}", "3:32: 'days' names wed twice"),
        ("{days: [sat-mon, sun-tue]}", "3:32: 'days' names sun, mon twice"),
        (
            '{days: mon-fri, except: "2026-12-26"}',
            "3:39: '2026-12-26' has no effect: it is a sat, which 'days' leaves out",
        ),
        (
            '{days: mon-fri, except: "2026-12-26..2026-12-27"}',
            "3:39: '2026-12-26..2026-12-27' has no effect: 'days' leaves out all of them",
        ),
        (
            '{except: ["2026-12-20..2026-12-31", "2026-12-25"]}',
            "3:51: '2026-12-25' has no effect: '2026-12-20..2026-12-31' leaves it out",
        ),
        (
            '{except: ["2026-12-25", "2026-12-20..2026-12-31"]}',
            "3:25: '2026-12-25' has no effect: '2026-12-20..2026-12-31' leaves it out",
        ),
        (
            '{except: ["2026-12-25", "2026-12-25"]}',
            "3:39: '2026-12-25' has no effect: '2026-12-25' leaves it out",
        ),
        (
            '{hours: ["09:00-18:00", "10:00-12:00"]}',
            "3:39: '10:00-12:00' has no effect: '09:00-18:00' covers it",
        ),
        (
            '{hours: ["23:00-01:00", "22:00-06:00"]}',
            "3:39: '23:00-01:00' has no effect: '22:00-06:00' covers it",
        ),
        (
            '{hours: ["09:00-14:00", "12:00-18:00"]}',
            "3:39: '12:00-18:00' overlaps '09:00-14:00'",
        ),
        (
            '{except: "0001-01-01..9999-12-31"}',
            "3:15: the schedule covers nothing: 'except' leaves out every day",
        ),
        (
            '{days: mon, except: ["9999-12-27..9999-12-31", "1970-01-01..9999-12-26"]}',
            "3:15: the schedule covers nothing: 'except' leaves out every day",
        ),
        (
            '[{days: [mon, tue], hours: "09:00-12:00"}, {hours: "09:00-12:00", days: mon-tue}]',
            "3:58: the schedule is the same as that at rules.yaml:3:16",
        ),
    ],
)
def test_what_has_no_effect_is_told(schedule, told):
    assert warned(schedule)[0] == told


@pytest.mark.parametrize(
    "schedule",
    [
        '{days: [mon-fri], hours: ["09:00-14:00", "14:00-19:30"], except: "2026-12-25"}',
        '{days: [sat, sun], except: "2026-12-25..2026-12-26"}',
        '{days: [fri], hours: ["22:00-06:00", "05:00-07:00"]}',  # of Saturday, and of Friday
        '{except: ["2026-12-20..2026-12-26", "2026-12-26..2026-12-31"]}',
        '{except: ["1970-01-01..2026-12-25", "2026-12-27..9999-12-31"]}',
        '[{days: mon}, {days: mon, timezone: Europe/Madrid}, {days: mon, hours: "09:00-10:00"}]',
    ],
)
def test_what_has_an_effect_is_not(schedule):
    assert warned(schedule) == []


def covered(schedule, times):
    (only,) = rule(f"schedule: {json.dumps(schedule)}").rules
    return [only.schedule.refusal(at.timestamp()) is None for at in times]


@given(
    days=st.lists(st.sampled_from([*DAYS, "fri-mon"]), min_size=1, max_size=3),
    hours=st.lists(HOURS, min_size=1, max_size=3),
    dates=st.lists(st.integers(0, 8), max_size=3),
)
def test_without_what_has_no_effect_a_schedule_covers_the_same(days, hours, dates):
    exceptions = [str(date(2026, 3, 2) + timedelta(days=each)) for each in dates]
    schedule = {"days": days, "hours": hours, "except": exceptions}
    schedule = {key: value for key, value in schedule.items() if value}
    times = [MONDAY + timedelta(minutes=30 * n) for n in range(48 * 9)]
    before = covered(schedule, times)
    for warning in rule(f"schedule: {json.dumps(schedule)}").warnings:
        if "has no effect" not in warning.message:
            continue
        without = {key: list(value) for key, value in schedule.items()}
        idle = warning.message.split("'")[1]
        without["hours" if idle in hours else "except"].remove(idle)
        without = {key: value for key, value in without.items() if value}
        assert covered(without, times) == before


def test_one_list_of_holidays_may_serve_schedules_of_other_days():
    holidays = '["2026-12-25", "2026-12-26"]'  # a friday and a saturday
    assert warnings(rule(f"schedule: {{days: [mon-fri], except: {holidays}}}")) == []
    assert warnings(rule(f"schedule: {{days: [sat], except: {holidays}}}")) == []
    assert len(warnings(rule(f"schedule: {{days: [sun], except: {holidays}}}"))) == 2
