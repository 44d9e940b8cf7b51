"""What an expression is given to read: values as CEL takes them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from rules.metadata import json_object
from rules.names import CONDITION_NAMES, Kind, Name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_BUILT_FROM: Final = 1000
"""Items of a list or mapping in the data of an expression that builds lists: CEL copies a list for
each item it adds, and a participant may write ten thousand into their metadata.
"""

_MAX_INT: Final = 2**63


class TooMuchError(Exception):
    """The event holds more than an expression can be given."""


def given(names: Iterable[str], facts: Mapping[str, Any], *, builds: bool) -> dict[str, Any]:
    """What stands behind the names, for CEL; what is absent is left out.

    Args:
        names: of conditions.
        facts: what an event tells, by those names.
        builds: whether the expression makes lists of what it reads.

    Raises:
        TooMuchError: it is too large for that, or nested too deeply.
    """
    most = MAX_BUILT_FROM if builds else None
    found: dict[str, Any] = {}
    try:
        for name in names:
            value = facts.get(name)
            if value is not None:
                found[name] = _readable(value, CONDITION_NAMES.fields[name], most)
    except RecursionError:
        raise TooMuchError("metadata is nested too deeply") from None
    return found


def _readable(value: Any, name: Name, most: int | None) -> Any:  # noqa: ANN401 - any JSON
    """A value as CEL takes it: metadata as the JSON it holds, nothing that is null."""
    if isinstance(value, list):
        return [_readable(item, name, most) for item in value]
    if isinstance(value, str):
        is_metadata = name.kind is Kind.METADATA
        return _plain(json_object(value), most) if is_metadata else _text(value)
    if name.kind is not Kind.GROUP:
        return _plain(value, most)
    fields = ((key, item, name.child(key)) for key, item in value.items())
    return {
        key: _readable(item, child, most)
        for key, item, child in fields
        if child is not None and item is not None
    }


def _plain(value: Any, most: int | None) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict | list) and most is not None and len(value) > most:
        told = f"{len(value):,} items in one list: 'map' and 'filter' take {most:,}"
        raise TooMuchError(told)
    if isinstance(value, dict):
        return {_text(key): _plain(item, most) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_plain(item, most) for item in value]
    if isinstance(value, int) and not -_MAX_INT <= value < _MAX_INT:
        return _fraction(value)
    return value


def _text(value: str) -> str:
    """CEL's binding ends a text at its first NUL: what only begins like another would equal it."""
    return value.replace("\0", "\ufffd") if "\0" in value else value


def _fraction(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
