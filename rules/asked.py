"""What conditions ask of single fields, where all of it must hold.

`any` and `not`, and what is asked of the items of a list, stand for themselves here: what is within
them need not hold of the field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rules.compiling import Compiling
from rules.conditions import compile_conditions
from rules.document import Mapping, Scalar, Sequence
from rules.names import CONDITION_NAMES, Kind
from rules.operators import OPERATORS
from rules.problems import Mark, Report
from rules.texts import is_glob

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rules.document import Node
    from rules.names import Name
    from rules.scalars import Constant
    from rules.tables import Tables

_OPERATORS: Final = frozenset(OPERATORS) - {"not"}
_CONTAINERS: Final = frozenset({Kind.GROUP, Kind.METADATA, Kind.ATTRIBUTES})


class Asked(NamedTuple):
    """One value that a field must fulfil."""

    path: tuple[str, ...]
    """Of the field, such as room and name."""
    name: Name
    mark: Mark
    """Where the field stands."""
    node: Node
    opaque: bool = False
    """Whether it is not a field's value but something in which more is asked."""

    @property
    def dotted(self) -> str:
        """The field's name."""
        return ".".join(self.path)

    def holds(self, found: Iterable[object], tables: Tables) -> Iterator[bool]:
        """Whether each of some values of the field fulfils it."""
        node = self.node
        for key in reversed(self.path):
            fields = Mapping(self.mark, {key: (self.mark, node)})
            node = Mapping(self.mark, {"field": (self.mark, fields)})
        check = compile_conditions(node, CONDITION_NAMES, "when", Compiling(Report(), tables))
        for value in found:
            facts = value
            for key in reversed(self.path):
                facts = {key: facts}
            yield check(facts) is None

    @property
    def constants(self) -> tuple[Constant, ...] | None:
        """The only constants that fulfil it, or that some item of a list is; None if not known."""
        return None if self.opaque else _constants(self.node)


ByField = dict[tuple[str, ...], list[Asked]]


def asked_of_fields(when: Node | None) -> ByField:
    """All that `when` or `unless` asks, by field."""
    asked: ByField = {}
    _gather(when, CONDITION_NAMES, (), asked)
    return asked


def _gather(node: Node | None, name: Name, path: tuple[str, ...], into: ByField) -> None:
    if not isinstance(node, Mapping):
        return
    for key, (mark, value) in node.entries.items():
        if key == "all" and isinstance(value, Sequence):
            for item in value.items:
                _gather(item, name, path, into)
        elif key in ("any", "not"):
            at = (*path, key)
            into.setdefault(at, []).append(Asked(at, name, mark, value, opaque=True))
        elif key == "field" and isinstance(value, Mapping):
            for field, (inner_mark, inner) in value.entries.items():
                _gather_field((*path, field), name, inner_mark, inner, into)
        else:
            _gather_field((*path, key), name, mark, value, into)


def _gather_field(
    path: tuple[str, ...], name: Name, mark: Mark, value: Node, into: ByField
) -> None:
    child = name.child(path[-1])
    if child is None:
        return
    is_mapping = isinstance(value, Mapping) and _OPERATORS.isdisjoint(value.entries)
    if is_mapping and child.kind in _CONTAINERS and not child.many:
        _gather(value, child, path, into)
        return
    opaque = is_mapping and child.kind in (Kind.GROUP, Kind.JSON)
    into.setdefault(path, []).append(Asked(path, child, mark, value, opaque=opaque))


def _constants(node: Node) -> tuple[Constant, ...] | None:
    if isinstance(node, Scalar):
        return None if isinstance(node.value, str) and is_glob(node.value) else (node.value,)
    if isinstance(node, Sequence):
        each = [_constants(item) for item in node.items]
        return None if None in each else tuple(c for constants in each for c in constants or ())
    for operator in ("equals", "in"):
        operand = node.entries[operator][1] if operator in node.entries else None
        values = operand.items if isinstance(operand, Sequence) else [operand]
        exact = [value.value for value in values if isinstance(value, Scalar)]
        if exact and len(exact) == len(values):
            return tuple(exact)
    return None
