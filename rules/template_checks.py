"""What templates of rules may hold, and what they read, told by the nodes of their trees."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeVar

from jinja2 import nodes

from rules.names import TEMPLATE_NAMES, Kind, Name
from rules.problems import nearest
from rules.sandbox import STRING_METHODS
from rules.template_values import MAPPING_METHODS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_OF_JINJA: Final = frozenset({"self", "super", "caller", "varargs", "kwargs"})
"""Names that Jinja itself fills in, for blocks and macros."""
_STATEMENTS: Final = (nodes.Output, nodes.If, nodes.For, nodes.Assign)

_Node = TypeVar("_Node", bound=nodes.Node)


def check(every: Iterable[nodes.Node], read: set[str], undeclared: frozenset[str]) -> None:
    """Refuse what is not part of rule templates, and names that no event has.

    Raises:
        ValueError: the message says what.
    """
    for statement in of_kind(nodes.Stmt, every):
        if not isinstance(statement, _STATEMENTS):
            word = type(statement).__name__.lower()
            raise ValueError(f"'{word}' is not part of rule templates")  # noqa: TRY004 - bad input
        if isinstance(statement, nodes.For) and statement.recursive:
            raise ValueError("a recursive loop is not part of rule templates")
    known = TEMPLATE_NAMES.fields
    for name in sorted((undeclared | (read & _OF_JINJA)) - known.keys()):
        raise ValueError(f"unknown name '{name}' in a template{nearest(name, known)}")
    if any(_is_not_finite(constant.value) for constant in of_kind(nodes.Const, every)):
        raise ValueError("not a valid template: a number too large")
    own = {name.name for name in of_kind(nodes.Name, every) if name.ctx == "store"}
    for path in paths_of(every):
        if path and path[0] in known and path[0] not in own:
            check_path(path)


def check_words(
    kind: str, used: Iterable[nodes.Filter | nodes.Test], known: frozenset[str]
) -> None:
    """Refuse filters or tests that are not known.

    Raises:
        ValueError: the message says which.
    """
    for name in (node.name for node in used):
        if name not in known:
            raise ValueError(f"unknown {kind} '{name}' in a template{nearest(name, sorted(known))}")


def check_path(path: tuple[str, ...]) -> None:
    """Refuse a path such as `room.metdata`.

    Raises:
        ValueError: there is no such field.
    """
    name: Name = TEMPLATE_NAMES
    for depth, key in enumerate(path):
        child = name.child(key)
        if child is None:
            if name.kind is Kind.GROUP and key in MAPPING_METHODS:
                return
            if name.kind is Kind.TEXT and key in (*STRING_METHODS, "replace"):
                return
            above = ".".join(path[:depth])
            hint = nearest(key, name.fields, above)
            raise ValueError(f"unknown field '{above}.{key}' in a template{hint}")
        if child.kind is Kind.JSON:
            return
        name = child


def paths_of(every: Iterable[nodes.Node]) -> Iterator[tuple[str, ...]]:
    """The paths that are read; `()` for what is no path of constants."""
    return (
        _constant_path(node) for node in every if isinstance(node, nodes.Getattr | nodes.Getitem)
    )


def tables_of(paths: Iterable[tuple[str, ...]]) -> frozenset[str]:
    """The tables that paths name."""
    named = (path[1] for path in paths if path[:1] == ("tables",) and path[1:])
    return frozenset(named) - MAPPING_METHODS


def is_only_tojson(tree: nodes.Template) -> bool:
    """Whether a template is nothing but `{{ … | tojson }}`."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return False
    spoken = [
        node
        for node in tree.body[0].nodes
        if not (isinstance(node, nodes.TemplateData) and not node.data.strip())
    ]
    return len(spoken) == 1 and isinstance(spoken[0], nodes.Filter) and spoken[0].name == "tojson"


def of_kind(kind: type[_Node], every: Iterable[nodes.Node]) -> Iterator[_Node]:
    """The nodes of a kind."""
    return (node for node in every if isinstance(node, kind))


def _is_not_finite(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _constant_path(read: nodes.Expr) -> tuple[str, ...]:
    if isinstance(read, nodes.Name):
        return (read.name,)
    if isinstance(read, nodes.Getattr):
        above = _constant_path(read.node)
        return (*above, read.attr) if above else ()
    if isinstance(read, nodes.Getitem) and isinstance(read.arg, nodes.Const):
        above = _constant_path(read.node)
        return (*above, str(read.arg.value)) if above else ()
    return ()
