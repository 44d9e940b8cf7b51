"""What one rendering may cost: how large a value may be, and how much work all of it may take.

Work is counted where Python would do it unasked: for each operation the items and texts it may look
at. That bounds the time without a clock, so a template fails on every machine or on none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar

from jinja2.exceptions import SecurityError

MAX_LENGTH: Final = 1024 * 1024
"""Characters of a text, or items of a list, that a template may build."""
MAX_TURNS: Final = 10_000
"""Turns that all loops of one rendering may take together."""
MAX_WORK: Final = 2_000_000
"""Items that all operations of one rendering may look at."""
_PER_ITEM: Final = 8
"""Characters that cost as much as an item."""
_PER_COMPARISON: Final = 64
"""Comparisons of two characters that cost as much as an item."""
_FLAT: Final = frozenset({int, float, bool, type(None)})

_T = TypeVar("_T")


class Budget:
    """What is left of one rendering."""

    __slots__ = ("turns", "work")

    def __init__(self) -> None:
        self.turns = MAX_TURNS
        self.work = MAX_WORK

    def take_turns(self, turns: int) -> None:
        """Take turns of a loop off.

        Raises:
            SecurityError: there are not as many left.
        """
        self.turns -= turns
        if self.turns < 0:
            msg = f"its loops take more than {MAX_TURNS:,} turns"
            raise SecurityError(msg)

    def take(self, work: int) -> None:
        """Take work off.

        Raises:
            SecurityError: there is not as much left.
        """
        self.work -= work
        if self.work < 0:
            msg = f"it takes too much work: it looks at more than {MAX_WORK:,} items"
            raise SecurityError(msg)


_current: ContextVar[Budget] = ContextVar("budget")


@contextmanager
def budgeted() -> Iterator[Budget]:
    """Give what is done inside one budget."""
    token = _current.set(Budget())
    try:
        yield _current.get()
    finally:
        _current.reset(token)


def budget() -> Budget:
    """That of the rendering at hand."""
    return _current.get(None) or Budget()


def kept_short(length: int) -> None:
    """Refuse to build something huge.

    Raises:
        SecurityError: it would be longer than a template may build.
    """
    if length > MAX_LENGTH:
        msg = f"it would build a value longer than {MAX_LENGTH:,}"
        raise SecurityError(msg)


def worked(value: _T) -> _T:
    """The value, when the work of looking at all of it has been taken off.

    Raises:
        SecurityError: it is too large, written out as often as it is in itself, or too much.
    """
    weight = _weight(value, MAX_LENGTH)
    kept_short(weight)
    budget().take(weight)
    return value


def compared(text: str, *others: object) -> None:
    """Take off the work of comparing each character of a text with each of another's.

    Python's searches from the end may take that long, and so may stripping of many characters.

    Raises:
        SecurityError: it is too much.
    """
    characters = sum(len(other) for other in others if isinstance(other, str))
    budget().take(len(text) * characters // _PER_COMPARISON)


def counted(values: Iterator[_T]) -> Iterator[_T]:
    """What comes one by one, each as it is taken."""
    left = budget()
    for value in values:
        left.take(1)
        yield value


def _weight(value: object, most: int) -> int:
    """Items, and texts, of a value, counted until they are more than that."""
    if isinstance(value, str):
        return 1 + len(value) // _PER_ITEM
    if isinstance(value, range):
        return 1 + len(value)
    if isinstance(value, Mapping):
        inner = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple):
        inner = list(value)
    else:
        return 1
    found = 1 + len(inner)
    try:
        for item in inner:
            if found > most:
                break
            kind = type(item)
            if kind is str:
                found += len(item) // _PER_ITEM
            elif kind not in _FLAT:
                found += _weight(item, most - found)
    except RecursionError as error:
        msg = "its lists are nested too deeply"
        raise SecurityError(msg) from error
    return found
