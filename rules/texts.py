"""How a text is compared: exactly, or with `*` for any run of characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import re2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

from rules.metadata import well_formed

Holds = "Callable[[object], bool]"


def is_glob(pattern: str) -> bool:
    """Whether a text stands for more than itself."""
    return "*" in pattern


def glob(pattern: str) -> Callable[[object], bool]:
    """Match a whole text against a pattern whose only wildcard is `*`, in linear time."""
    first, *middle, last = pattern.split("*") if is_glob(pattern) else (pattern, "")
    if not is_glob(pattern):
        return exactly([pattern])
    shortest = len(first) + len(last)
    if not any(middle):

        def ends_match(value: object) -> bool:
            return (
                isinstance(value, str)
                and len(value) >= shortest
                and value.startswith(first)
                and value.endswith(last)
            )

        return ends_match

    def matches(value: object) -> bool:
        if not isinstance(value, str) or not (value.startswith(first) and value.endswith(last)):
            return False
        start, end = len(first), len(value) - len(last)
        for piece in middle:
            start = value.find(piece, start, end)
            if start < 0:
                return False
            start += len(piece)
        return start <= end

    return matches


def exactly(texts: Iterable[str]) -> Callable[[object], bool]:
    """Match any of the texts, to the letter."""
    known = frozenset(texts)
    return lambda value: isinstance(value, str) and value in known


def regex(pattern: str) -> Callable[[object], bool]:
    """Match a whole text against an RE2 expression, in linear time.

    Raises:
        ValueError: RE2 does not take the expression.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except (re2.error, ValueError) as error:
        said = error.args[0] if error.args else error
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise ValueError(text) from error

    def matches(value: object) -> bool:
        return isinstance(value, str) and compiled.fullmatch(well_formed(value)) is not None

    return matches
