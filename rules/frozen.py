"""Frozen dataclasses of many fields, made as quickly as a dictionary is copied.

`dataclasses` sets each field of a frozen one by a call of its own: 4 µs for a dispatch, and again
for each change of it. The ones meant here have a `__dict__` (so no slots, and no cached properties:
they would be copied too), which is copied whole.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["made", "replace"]

T = TypeVar("T")


def made(kind: type[T], values: dict[str, Any]) -> T:
    """A frozen dataclass from all its fields by name; it keeps the dictionary."""
    new = object.__new__(kind)
    object.__setattr__(new, "__dict__", values)
    return new


def _replace(frozen: Any, /, **changes: Any) -> Any:  # noqa: ANN401 - mypy sees the one below
    """As `dataclasses.replace`, which is asked for those that have slots.

    Raises:
        TypeError: it has no such field.
    """
    values = getattr(frozen, "__dict__", None)
    if values is None:
        return dataclasses.replace(frozen, **changes)
    changed = {**values, **changes}
    if len(changed) != len(values):
        msg = f"{type(frozen).__name__} has no {', '.join(changes.keys() - values.keys())}"
        raise TypeError(msg)
    return made(type(frozen), changed)


if TYPE_CHECKING:  # it knows the fields of each
    from dataclasses import replace
else:
    replace = _replace
