"""How names, times, lengths of time, states and JSON are written on pages."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from service.dashboard.deployments import deployment_word
from workers.clock import rfc3339

if TYPE_CHECKING:
    from flask import Flask

FOLDED_CHARACTERS: Final = 2048
"""Longer texts are folded."""
_STEERING: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
"""Characters that are not seen, and turn round or part the text about them."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_UNITS: Final = ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min"), (_MINUTE, "min", 1, "s"))
_SECOND_MS: Final = 1000
_TEN_SECONDS_MS: Final = 10_000


def add_filters(app: Flask) -> None:
    """Let templates use these."""
    for each in (
        ago,
        bdi,
        clock,
        count,
        deployment_word,
        duration,
        isolated,
        pretty,
        seconds_of,
        short,
        span,
        when,
    ):
        app.jinja_env.filters[each.__name__] = each
    app.jinja_env.globals["folded_from"] = FOLDED_CHARACTERS


def bdi(name: object) -> str:
    """A stranger's word among ours: it turns no other word round, whatever it is made of.

    `<bdi>` alone does not see to that: a U+2069 in it ends it as `</bdi>` does.
    """
    text = _legible(name)
    return text if text.isascii() else Markup("<bdi>{}</bdi>").format(text)


def isolated(name: object) -> str:
    """The same, where there is no markup: in titles and labels."""
    text = _legible(name)
    return text if text.isascii() else f"\u2068{text}\u2069"


def _legible(name: object) -> str:
    """A text whose steering characters are seen: `‹U+202E›`."""
    return _STEERING.sub(lambda found: f"‹U+{ord(found[0]):04X}›", str(name))


def seconds_of(at: str | float | None) -> float | None:
    """A time as Unix seconds, given so or in RFC 3339."""
    if at is None or at == "":
        return None
    return datetime.fromisoformat(at).timestamp() if isinstance(at, str) else float(at)


def when(at: str | float) -> str:
    """A time in RFC 3339, as `<time datetime>` takes it."""
    return at if isinstance(at, str) else str(rfc3339(at))


def clock(at: str | float | None) -> str:
    """The time of day, UTC, with ms; and the day, where it is not today."""
    seconds = seconds_of(at)
    if seconds is None:
        return "–"
    there = datetime.fromtimestamp(seconds, UTC)
    text = f"{there:%H:%M:%S}.{there.microsecond // 1000:03d}"
    return text if there.date() == datetime.now(UTC).date() else f"{there:%Y-%m-%d} {text}"


def ago(at: str | float | None) -> str:
    """How long ago it was, or how soon it will be, roughly."""
    seconds = seconds_of(at)
    if seconds is None:
        return "never"
    passed = time.time() - seconds
    text = span(abs(passed))
    return f"{text} ago" if passed >= 0 else f"in {text}"


def span(seconds: float) -> str:
    """A length of time, in its largest unit."""
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit:
            return f"{int(seconds // unit)} {name}"
    return f"{int(seconds)} s"


def duration(ms: float | None) -> str:
    """A length of time in ms, as exactly as people care."""
    if ms is None:
        return "–"
    if ms < _TEN_SECONDS_MS:
        return f"{round(ms)} ms" if ms < _SECOND_MS else f"{ms / 1000:.2f} s"
    seconds = ms / 1000
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    for unit, name, part, of_part in _UNITS:
        if seconds >= unit:
            return f"{int(seconds // unit)} {name} {int(seconds % unit // part)} {of_part}"
    raise AssertionError(seconds)


def count(number: float) -> str:
    """A number with its thousands apart."""
    return f"{number:,}".replace(",", "\u202f")


def short(dispatch_id: str) -> str:
    """As much of an id as tells it apart among those on a page."""
    return dispatch_id[:9]


def pretty(value: Any) -> str:  # noqa: ANN401 - any JSON
    """A value as JSON on several lines; a text that holds JSON, as that JSON."""
    if isinstance(value, str):
        if not value.lstrip().startswith(("{", "[")):
            return value
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return str(value)
    try:
        return json.dumps(value, indent=2, ensure_ascii=False)
    except RecursionError:
        return str(value)
