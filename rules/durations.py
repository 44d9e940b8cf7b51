"""Durations as people write them: `250ms`, `10s`, `5m`, `2h`, `7d`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_ALLOWED: Final = "a duration such as 250ms, 10s, 5m, 2h or 7d"

_DURATION: Final = re.compile(r"(?P<number>[0-9]{1,9})(?P<unit>ms|s|m|h|d)", re.ASCII)
_UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


def parse_duration(text: str) -> timedelta:
    """Read a whole number followed by its unit; a bare `0` needs none.

    Raises:
        ValueError: it is anything else, or longer than a timedelta can be.
    """
    if text == "0":
        return timedelta(0)
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"it must be {_ALLOWED}")
    try:
        return int(match["number"]) * _UNITS[match["unit"]]
    except OverflowError:
        raise ValueError("it must be shorter") from None
