"""When a rule applies: days and hours on the clock of a place, judged at the event's time.

A window belongs to the day it begins on: `days: [fri]` with `22:00-06:00` covers Saturday 03:00,
and so does `except`. What is compared is the time that clocks there show, so a window of a night in
which they are set forward is an hour shorter, and an hour that comes twice counts twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from rules import document
from rules.problems import nearest, quoted
from rules.schedule_checks import (
    DAYS,
    WHOLE_DAY,
    warn_of_dates,
    warn_of_days,
    warn_of_hours,
    warn_of_schedules,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rules.compiling import Compiling
    from rules.document import Node

_T = TypeVar("_T")
SCHEDULE_KEYS: Final = ("timezone", "days", "hours", "except")
_HOURS: Final = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Hours:
    """A window of a day, in minutes since midnight; over midnight if it ends before it begins."""

    begin: int
    end: int
    """Not in the window."""

    def begun(self, day: date, minute: int) -> date | None:
        """The day on which the window began that this minute of this day is in."""
        if self.begin < self.end:
            return day if self.begin <= minute < self.end else None
        if minute >= self.begin:
            return day
        return day - timedelta(days=1) if minute < self.end else None


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule, compiled."""

    zone: ZoneInfo
    days: frozenset[int]
    """Monday is 0."""
    hours: tuple[Hours, ...]
    exceptions: tuple[tuple[date, date], ...]
    """First and last days."""

    def covers(self, at: float) -> bool:
        """Whether a time, in Unix seconds, is in one of its windows."""
        local = self.local(at)
        day, minute = local.date(), local.hour * 60 + local.minute
        return any(self._applies(hours.begun(day, minute)) for hours in self.hours)

    def local(self, at: float) -> datetime:
        """What clocks there show."""
        return datetime.fromtimestamp(at, self.zone)

    def _applies(self, begun: date | None) -> bool:
        if begun is None or begun.weekday() not in self.days:
            return False
        return not any(first <= begun <= last for first, last in self.exceptions)


@dataclass(frozen=True, slots=True)
class Schedules:
    """A rule's schedules: any of them may cover a time."""

    each: tuple[Schedule, ...]

    def refusal(self, at: float) -> str | None:
        """Why a rule does not apply at a time, in Unix seconds; None if it does."""
        if not at:
            return "the event does not tell when it was"
        shown: dict[str, None] = {}
        for schedule in self.each:
            try:
                if schedule.covers(at):
                    return None
                shown[f"{schedule.local(at):%a %Y-%m-%d %H:%M} in {schedule.zone}"] = None
            except (ValueError, OverflowError, OSError):
                shown["the event's time, which is not one of this calendar,"] = None
        return f"{', '.join(shown)} is outside"


def compile_schedules(node: Node, compiling: Compiling) -> Schedules | None:
    """Compile `schedule`, one or a list of them; problems go to the report."""
    items = node.items if isinstance(node, document.Sequence) else [node]
    if not items:
        compiling.report.error(node.mark, "'schedule' is an empty list: nothing is ever in it")
    each = [(item.mark, _schedule(item, compiling)) for item in items]
    schedules = [(mark, schedule) for mark, schedule in each if schedule is not None]
    warn_of_schedules(schedules, compiling.report)
    return Schedules(tuple(schedule for _, schedule in schedules))


def _schedule(node: Node, compiling: Compiling) -> Schedule | None:
    if not isinstance(node, document.Mapping) or not node.entries:
        told = "'schedule' takes a mapping such as {days: [mon-fri], hours: 09:00-17:00}"
        compiling.report.error(node.mark, told)
        return None
    entries = compiling.known_keys(node, SCHEDULE_KEYS, "schedule")
    values = {key: value for key, (_, value) in entries.items()}
    zone = ZoneInfo("UTC")
    if "timezone" in values:
        zone = _zone(values["timezone"], compiling)
    days = _read("days", values, _days, compiling)
    hours = _read("hours", values, _hours, compiling)
    dates = _read("except", values, _dates, compiling)
    schedule = Schedule(
        zone,
        frozenset(day for _, named in days for day in named) if days else frozenset(range(7)),
        tuple(window for _, window in hours) or (Hours(0, WHOLE_DAY),),
        tuple(span for _, span in dates),
    )
    warn_of_days(days, compiling.report)
    warn_of_hours(hours, compiling.report)
    warn_of_dates(dates, schedule.days, compiling.report)
    return schedule


def _read(
    key: str,
    values: Mapping[str, Node],
    read: Callable[[document.Scalar, Compiling], _T | None],
    compiling: Compiling,
) -> list[tuple[document.Scalar, _T]]:
    """The texts of one field, each with what it means; those that mean nothing are left out."""
    if key not in values:
        return []
    each = [(text, read(text, compiling)) for text in _texts(values[key], key, compiling)]
    return [(text, meaning) for text, meaning in each if meaning is not None]


def _texts(node: Node, what: str, compiling: Compiling) -> Iterable[document.Scalar]:
    items = node.items if isinstance(node, document.Sequence) else [node]
    if not items:
        compiling.report.error(node.mark, f"'schedule.{what}' is an empty list: leave it out")
    texts = (compiling.text(item, f"schedule.{what}") for item in items)
    return [text for text in texts if text is not None]


@cache
def _zones() -> frozenset[str]:
    """The names of all time zones; finding them walks a folder."""
    return frozenset(available_timezones())


def _zone(node: Node, compiling: Compiling) -> ZoneInfo:
    scalar = compiling.text(node, "schedule.timezone")
    name = str(scalar.value) if scalar is not None else "UTC"
    if name not in _zones():
        hint = nearest(name, _zones())
        told = f"there is no time zone {quoted(name)}{hint or ', such as Europe/Madrid'}"
        compiling.report.error(node.mark, told)
        return ZoneInfo("UTC")
    return ZoneInfo(name)


def _days(text: document.Scalar, compiling: Compiling) -> tuple[int, ...] | None:
    first, dash, last = str(text.value).partition("-")
    for word in (first, last) if dash else (first,):
        if word not in DAYS:
            hint = nearest(word[:3], DAYS) or f": one of {', '.join(DAYS)}, or mon-fri"
            compiling.report.error(text.mark, f"there is no day {quoted(word)}{hint}")
            return None
    begin = DAYS.index(first)
    length = (DAYS.index(last) - begin) % 7 + 1 if dash else 1
    return tuple((begin + n) % 7 for n in range(length))


def _hours(text: document.Scalar, compiling: Compiling) -> Hours | None:
    found = _HOURS.match(str(text.value))
    numbers = [int(part) for part in found.groups()] if found else []
    if not numbers or numbers[1] > 59 or numbers[3] > 59:  # noqa: PLR2004 - minutes
        told = f"{quoted(text.value)} are no hours: write them like 09:00-17:30"
        compiling.report.error(text.mark, told)
        return None
    begin, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
    if begin >= WHOLE_DAY or end > WHOLE_DAY:
        compiling.report.error(text.mark, f"{quoted(text.value)}: a day ends at 24:00")
        return None
    if begin == end:
        told = f"{quoted(text.value)} ends as it begins: for the whole day leave 'hours' out"
        compiling.report.error(text.mark, told)
        return None
    return Hours(begin, end)


def _dates(text: document.Scalar, compiling: Compiling) -> tuple[date, date] | None:
    first, dots, last = str(text.value).partition("..")
    try:
        days = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError:
        told = "is no date: write 2026-12-25, or 2026-08-01..2026-08-15"
        compiling.report.error(text.mark, f"{quoted(text.value)} {told}")
        return None
    if dots and not last:
        told = f"has no last day: write {first}..9999-12-31, or {first} for the one day"
        compiling.report.error(text.mark, f"{quoted(text.value)} {told}")
        return None
    if days[1] < days[0]:
        compiling.report.error(text.mark, f"{quoted(text.value)} ends before it begins")
        return None
    return days
