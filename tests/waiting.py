"""Waiting in tests: for a condition until a deadline, or as long as one must hold."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def eventually(condition: Callable[[], T], timeout: float = 30, interval: float = 0.02) -> T:
    """Call `condition` until what it returns is true, and return that.

    An AssertionError it raises counts as not yet.

    Raises:
        AssertionError: the deadline passed; the last one raised, or one naming the last value.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            value = condition()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        else:
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {timeout} s; last seen: {value!r}")
        time.sleep(interval)


def throughout(condition: Callable[[], object], seconds: float, interval: float = 0.05) -> None:
    """See that what `condition` returns stays true for so long.

    Raises:
        AssertionError: it was not, or it has raised that.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert condition(), "it did not stay so"
        time.sleep(interval)
