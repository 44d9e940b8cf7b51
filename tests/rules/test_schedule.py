"""`schedule`: days and hours on the clock of a place, judged at the event's time."""

from __future__ import annotations

from datetime import datetime

import pytest

from rules.decision import Reason
from tests.rules.given import errors, joined, one, rule, rule_file


def at(text: str, schedule: str) -> bool:
    """Whether a schedule covers a time, given with its offset from UTC."""
    event = joined(created_at=datetime.fromisoformat(text).timestamp())
    decision = one(rule(f"schedule: {schedule}"), event)
    assert decision.reason in (Reason.MATCHED, Reason.SCHEDULE)
    return decision.reason is Reason.MATCHED


OFFICE = (
    '{timezone: Europe/Madrid, days: [mon-fri], hours: ["09:00-14:00", "16:00-19:30"],'
    ' except: ["2026-12-25", "2026-08-03..2026-08-14"]}'
)
FRIDAY_NIGHT = '{days: [fri], hours: "22:00-06:00", except: "2026-12-25"}'


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("2026-03-02T09:00:00+01:00", True),  # a Monday
        ("2026-03-02T08:59:59+01:00", False),
        ("2026-03-02T13:59:59+01:00", True),
        ("2026-03-02T14:00:00+01:00", False),  # the end is exclusive
        ("2026-03-02T15:00:00+01:00", False),
        ("2026-03-02T16:00:00+01:00", True),
        ("2026-03-02T19:29:59+01:00", True),
        ("2026-03-02T19:30:00+01:00", False),
        ("2026-03-07T10:00:00+01:00", False),  # a Saturday
        ("2026-03-02T08:30:00+00:00", True),  # 09:30 there
        ("2026-07-02T07:30:00+00:00", True),  # in summer too
        ("2026-12-25T10:00:00+01:00", False),
        ("2026-08-03T10:00:00+02:00", False),
        ("2026-08-14T10:00:00+02:00", False),
        ("2026-08-17T10:00:00+02:00", True),
    ],
)
def test_days_several_ranges_and_exceptions(text, covered):
    assert at(text, OFFICE) is covered


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("2026-03-06T21:59:00+00:00", False),  # Friday
        ("2026-03-06T22:00:00+00:00", True),
        ("2026-03-07T03:00:00+00:00", True),  # Saturday, of Friday's window
        ("2026-03-07T05:59:59+00:00", True),
        ("2026-03-07T06:00:00+00:00", False),
        ("2026-03-07T22:00:00+00:00", False),  # Saturday's own
        ("2026-03-06T03:00:00+00:00", False),  # Friday, of Thursday's
        ("2026-12-25T23:00:00+00:00", False),  # a Friday that is excepted
        ("2026-12-26T03:00:00+00:00", False),  # and so its window's end
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_it_begins(text, covered):
    assert at(text, FRIDAY_NIGHT) is covered


@pytest.mark.parametrize(
    ("text", "schedule", "covered"),
    [
        # Clocks go from 02:00 to 03:00: the window is an hour shorter.
        ("2026-03-29T00:30:00+00:00", '{timezone: Europe/Madrid, hours: "01:00-04:00"}', True),
        ("2026-03-29T01:30:00+00:00", '{timezone: Europe/Madrid, hours: "01:00-04:00"}', True),
        ("2026-03-29T02:00:00+00:00", '{timezone: Europe/Madrid, hours: "01:00-04:00"}', False),
        # Clocks go from 03:00 back to 02:00: the hour comes twice.
        ("2026-10-25T00:30:00+00:00", '{timezone: Europe/Madrid, hours: "02:00-03:00"}', True),
        ("2026-10-25T01:30:00+00:00", '{timezone: Europe/Madrid, hours: "02:00-03:00"}', True),
        ("2026-10-25T02:00:00+00:00", '{timezone: Europe/Madrid, hours: "02:00-03:00"}', False),
    ],
)
def test_daylight_saving(text, schedule, covered):
    assert at(text, schedule) is covered


@pytest.mark.parametrize(
    ("text", "schedule", "covered"),
    [
        ("2026-03-07T00:00:00+00:00", "{days: [sat-sun]}", True),
        ("2026-03-08T23:59:59+00:00", "{days: sat-mon}", True),
        ("2026-03-09T12:00:00+00:00", "{days: sat-mon}", True),
        ("2026-03-10T12:00:00+00:00", "{days: sat-mon}", False),
        ("2026-03-10T23:59:00+00:00", '{hours: "20:00-24:00"}', True),
        ("2026-03-10T00:00:00+00:00", '{hours: "20:00-24:00"}', False),
        ("2026-03-10T00:00:00+00:00", '{except: "2026-03-10"}', False),
        ("2026-03-10T12:00:00+00:00", '[{days: mon}, {hours: "11:00-13:00"}]', True),
        ("2026-03-09T12:00:00+00:00", '[{days: mon}, {hours: "15:00-16:00"}]', True),
        ("2026-03-10T14:00:00+00:00", '[{days: mon}, {hours: "15:00-16:00"}]', False),
    ],
)
def test_what_is_left_out_is_every_day_all_day_in_utc_and_any_of_a_list_counts(
    text, schedule, covered
):
    assert at(text, schedule) is covered


def test_the_reason_tells_what_clocks_there_showed():
    event = joined(created_at=datetime.fromisoformat("2026-03-07T09:00:00+00:00").timestamp())
    decision = one(rule(f"schedule: [{OFFICE}, {FRIDAY_NIGHT}]"), event)
    assert (decision.outcome, decision.reason, decision.at) == ("skip", "schedule", "schedule")
    assert decision.detail == (
        "Sat 2026-03-07 10:00 in Europe/Madrid, Sat 2026-03-07 09:00 in UTC is outside"
    )


@pytest.mark.parametrize(
    ("created_at", "detail"),
    [
        (0, "the event does not tell when it was"),
        (1e20, "the event's time, which is not one of this calendar, is outside"),
    ],
)
def test_a_time_nobody_knows_is_in_no_schedule(created_at, detail):
    decision = one(rule("schedule: {days: [mon-sun]}"), joined(created_at=created_at))
    assert (decision.reason, decision.detail) == (Reason.SCHEDULE, detail)


def test_conditions_are_asked_first():
    rules = rule("when: {room: {name: x}}\nschedule: {except: '2026-02-02'}")
    assert one(rules, joined()).reason is Reason.CONDITION


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("{}", "'schedule' takes a mapping such as {days: [mon-fri], hours: 09:00-17:00}"),
        ("mon-fri", "'schedule' takes a mapping such as {days: [mon-fri], hours: 09:00-17:00}"),
        ("[]", "'schedule' is an empty list: nothing is ever in it"),
        ("{day: mon}", "unknown field 'schedule.day', did you mean 'schedule.days'?"),
        ("{timezone: Europe/Madird}", "did you mean 'Europe/Madrid'?"),
        ("{timezone: CEST+1}", "there is no time zone 'CEST+1'"),
        ("{timezone: 7}", "'schedule.timezone' takes text: quote it"),
        ("{days: monday}", "there is no day 'monday', did you mean 'mon'?"),
        ("{days: [mon-xxx]}", "there is no day 'xxx': one of mon, tue"),
        ("{days: []}", "'schedule.days' is an empty list: leave it out"),
        ("{hours: 9-17}", "'9-17' are no hours: write them like 09:00-17:30"),
        ('{hours: "09:00-24:01"}', "a day ends at 24:00"),
        ('{hours: "25:00-26:00"}', "a day ends at 24:00"),
        ('{hours: "09:60-10:00"}', "are no hours"),
        ('{hours: "09:00-09:00"}', "ends as it begins: for the whole day leave 'hours' out"),
        ("{except: 2026-02-30}", "'2026-02-30' is no date: write 2026-12-25, or"),
        ("{except: christmas}", "is no date"),
        (
            '{except: ["2026-08-01.."]}',
            "'2026-08-01..' has no last day: write 2026-08-01..9999-12-31, or 2026-08-01 for",
        ),
        ("{except: ..2026-08-01}", "'..2026-08-01' is no date"),
        ("{except: 2026-08-15..2026-08-01}", "ends before it begins"),
    ],
)
def test_schedules_that_are_none(schedule, said):
    (error,) = errors(rule_file(f"schedule: {schedule}"))
    assert said in error
