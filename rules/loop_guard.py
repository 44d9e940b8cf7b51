"""Keeps an agent's own arrival from calling agents.

Events of agents and of recorders reach only rules that name that kind, so that a rule written for
people cannot dispatch an agent because an agent came, and so on for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules.document import Mapping, Scalar, Sequence
from rules.texts import is_glob

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rules.document import Node

GUARDED_KINDS: Final = frozenset({"AGENT", "EGRESS"})


def named_kinds(when: Node | None) -> frozenset[str]:
    """Guarded kinds that `when` names for `participant.kind`: to the letter, not under `not`."""
    if not isinstance(when, Mapping):
        return frozenset()
    return frozenset(_texts(when)) & GUARDED_KINDS


def _texts(when: Mapping) -> Iterator[str]:
    for participant in _under("participant", when):
        for fields in _mappings(participant):
            for kind in _under("kind", fields):
                yield from _literals(kind)


def _under(key: str, node: Mapping) -> Iterator[Node]:
    """What stands behind a field wherever the combinators allow it."""
    for name, (_, value) in node.entries.items():
        if name == key:
            yield value
        elif name in ("any", "all") and isinstance(value, Sequence):
            for item in value.items:
                if isinstance(item, Mapping):
                    yield from _under(key, item)
        elif name == "field" and isinstance(value, Mapping) and key in value.entries:
            yield value.entries[key][1]


def _mappings(node: Node) -> Iterator[Mapping]:
    if isinstance(node, Mapping):
        yield node
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _mappings(item)


def _literals(node: Node) -> Iterator[str]:
    if isinstance(node, Scalar):
        if isinstance(node.value, str) and not is_glob(node.value):
            yield node.value
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _literals(item)
    else:
        for operator in ("equals", "in"):
            if operator in node.entries:
                yield from _literals(node.entries[operator][1])
