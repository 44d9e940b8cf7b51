"""What in a schedule says nothing, or leaves nothing over."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from rules.problems import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rules.document import Scalar
    from rules.problems import Mark, Report
    from rules.schedule import Hours, Schedule

    Dates = tuple[date, date]

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WHOLE_DAY: Final = 24 * 60
"""In minutes."""

_FIRST: Final = date(1969, 12, 30)
"""No event was before 1970; the window it is in may have begun the day before, in any zone."""
_WEEK: Final = timedelta(days=7)


def warn_of_days(days: Iterable[tuple[Scalar, tuple[int, ...]]], report: Report) -> None:
    """Warn of days that are named twice."""
    named: set[int] = set()
    for text, each in days:
        twice = [DAYS[day] for day in each if day in named]
        if twice:
            report.warning(text.mark, f"'days' names {', '.join(twice)} twice")
        named.update(each)


def warn_of_hours(hours: Sequence[tuple[Scalar, Hours]], report: Report) -> None:
    """Warn of windows that share hours of the same day."""
    for index, (text, later) in enumerate(hours):
        for other, earlier in hours[:index]:
            if _within(later, earlier):
                told = f"{quoted(text.value)} has no effect: {quoted(other.value)} covers it"
            elif _within(earlier, later):
                told = f"{quoted(other.value)} has no effect: {quoted(text.value)} covers it"
            elif later.begin < _end(earlier) and earlier.begin < _end(later):
                told = f"{quoted(text.value)} overlaps {quoted(other.value)}"
            else:
                continue
            report.warning(text.mark, told)
            break


def warn_of_dates(
    exceptions: Sequence[tuple[Scalar, Dates]], days: frozenset[int], report: Report
) -> None:
    """Warn of exceptions without effect.

    One list of holidays may serve schedules of different days: those that are on none of the days
    are told of only where all of them are.
    """
    some_day = any(_some_day([dates], days) for _, dates in exceptions)
    for index, (text, dates) in enumerate(exceptions):
        covering = (
            other
            for place, (other, (first, last)) in enumerate(exceptions)
            if first <= dates[0] and dates[1] <= last
            if place < index or (place > index and (first, last) != dates)
        )
        told = None
        if _some_day([dates], days):
            covered = next(covering, None)
            told = f"{quoted(covered.value)} leaves it out" if covered else None
        elif some_day:
            continue
        elif dates[0] == dates[1]:
            told = f"it is a {DAYS[dates[0].weekday()]}, which 'days' leaves out"
        else:
            told = "'days' leaves out all of them"
        if told:
            report.warning(text.mark, f"{quoted(text.value)} has no effect: {told}")


def warn_of_schedules(schedules: Sequence[tuple[Mark, Schedule]], report: Report) -> None:
    """Warn of schedules that cover nothing, or the same as another of the list."""
    for index, (mark, schedule) in enumerate(schedules):
        if not _some_day(_gaps(schedule.exceptions), schedule.days):
            report.warning(mark, "the schedule covers nothing: 'except' leaves out every day")
        for other, earlier in schedules[:index]:
            if _parts(schedule) == _parts(earlier):
                report.warning(mark, f"the schedule is the same as that at {other}")
                break


def _end(hours: Hours) -> int:
    return hours.end if hours.begin < hours.end else hours.end + WHOLE_DAY


def _within(one: Hours, other: Hours) -> bool:
    return other.begin <= one.begin and _end(one) <= _end(other)


def _parts(schedule: Schedule) -> tuple[object, ...]:
    zone, days = schedule.zone.key, schedule.days
    return zone, days, frozenset(schedule.hours), frozenset(schedule.exceptions)


def _some_day(spans: Iterable[Dates], days: frozenset[int]) -> bool:
    """Whether one of these days of the week is in one of the spans."""
    return any(
        last - first >= _WEEK
        or any((first.weekday() + n) % 7 in days for n in range((last - first).days + 1))
        for first, last in spans
    )


def _gaps(spans: Iterable[Dates]) -> Iterator[Dates]:
    """What the spans leave over of the calendar, from `_FIRST` on."""
    ordinal = _FIRST.toordinal()
    for first, last in sorted(spans):
        if ordinal < first.toordinal():
            yield date.fromordinal(ordinal), first - timedelta(days=1)
        ordinal = max(ordinal, last.toordinal() + 1)
    if ordinal <= date.max.toordinal():
        yield date.fromordinal(ordinal), date.max
