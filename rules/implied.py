"""Whether one condition follows from another, as far as how they are written shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules.document import Mapping, Sequence

if TYPE_CHECKING:
    from rules.document import Node


def asks_no_more(one: Any, other: Any) -> bool:  # noqa: ANN401 - any JSON
    """Whether all that fulfils the other fulfils this one, as far as it is plain to see.

    Args:
        one: a condition as JSON, or None for none.
        other: another, of the same name.
    """
    if one is None or _equal(one, other):
        return True
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    if one.keys() & {"any", "not"}:  # further in, asking less there may be asking more here
        return all(key in other and _equal(one[key], other[key]) for key in one)
    return all(key in other and asks_no_more(value, other[key]) for key, value in one.items())


def negates(node: Node) -> bool:
    """Whether there is a `not` within: a list may fail it though one of its items does not."""
    if isinstance(node, Mapping):
        return any(key == "not" or negates(value) for key, (_, value) in node.entries.items())
    return isinstance(node, Sequence) and any(map(negates, node.items))


def _equal(one: Any, other: Any) -> bool:  # noqa: ANN401 - any JSON
    """Equality as JSON knows it: true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)
