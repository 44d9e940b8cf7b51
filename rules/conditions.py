"""Conditions: a mapping of fields becomes one function that finds the first that does not hold.

What is absent has no fields, so it reaches every condition below it as absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rules import document
from rules.absent import ABSENT
from rules.metadata import json_object
from rules.names import Kind, Name
from rules.operators import OPERATORS, OTHER_WORDS
from rules.problems import Mark, nearest, quoted
from rules.values import ValueCompiler

if TYPE_CHECKING:
    from rules.compiling import Compiling
    from rules.document import Node
    from rules.operators import Test


class Failure(NamedTuple):
    """The first condition that did not hold."""

    at: str
    expected: str
    got: object = None
    tells_got: bool = True

    @property
    def detail(self) -> str:
        """In words, what was expected and what there was."""
        if not self.tells_got:
            return self.expected
        got = "it is absent" if self.got is ABSENT else f"got {quoted(self.got)}"
        return f"expected {self.expected}; {got}"


Check = Callable[[object], Failure | None]
"""Answers the first failure, or None if everything holds."""

_EMPTY: Final[Mapping[str, Any]] = {}
_CONTAINERS: Final = frozenset({Kind.GROUP, Kind.METADATA, Kind.ATTRIBUTES, Kind.JSON})


def compile_conditions(node: Node, name: Name, path: str, compiling: Compiling) -> Check:
    """Compile what stands under `when` or `unless`; problems go to the report."""
    if not isinstance(node, document.Mapping):
        compiling.report.error(
            node.mark, f"'{path}' takes a mapping of fields, such as room: {{name: …}}"
        )
        return _holds
    return _Compiler(compiling, path).mapping(node, name, path, "")


def _holds(value: object) -> Failure | None:  # noqa: ARG001 - the shape of a Check
    return None


class _Compiler:
    """Compiles one `when` or `unless`. `path` is where in the rule, `names` the dotted name."""

    def __init__(self, compiling: Compiling, root: str) -> None:
        self._report = compiling.report
        self._root = root
        self._values = ValueCompiler(compiling, self._inner_mapping)

    def _inner_mapping(self, node: document.Mapping, name: Name, names: str) -> Check:
        return self.mapping(node, name, f"{self._root}.{names}", names)

    def condition(self, node: Node, name: Name, path: str, names: str) -> Check:
        """What stands behind a field: a value, or a mapping of further fields."""
        if isinstance(node, document.Mapping) and name.kind in _CONTAINERS:
            return self.mapping(node, name, path, names)
        return _leaf(self._values.test(node, name, names), path)

    def mapping(self, node: document.Mapping, name: Name, path: str, names: str) -> Check:
        """A mapping where fields may stand: either all operators, or fields and combinators."""
        operators = [key for key in node.entries if key in OPERATORS and key != "not"]
        fields = [key for key in node.entries if key not in OPERATORS]
        if not node.entries:
            self._report.error(node.mark, f"'{path}' is empty: leave it out or say what must hold")
            return _holds
        if name.many and name.kind is Kind.GROUP and not fields:
            self._report.error(node.mark, _somebody_not(names))
            return _holds
        if operators and fields:
            self._mixed(node.entries[operators[0]][0], operators[0], fields[0])
            return _holds
        if operators:
            return _leaf(self._values.operators(node, name, names or self._root), path)
        if not fields:
            return self._negated(node.entries["not"][1], name, path, names)
        if name.kind in (Kind.METADATA, Kind.JSON):
            self._warn_of_other_words(node, names)
        parts = tuple(
            part
            for key, (mark, value) in node.entries.items()
            for part in self._part(key, mark, value, name, path, names)
        )
        return _all_of(parts, name, path)

    def _warn_of_other_words(self, node: document.Mapping, names: str) -> None:
        for key, (mark, _) in node.entries.items():
            if key in OTHER_WORDS:
                told = f"'{key}' is read as a field of '{names}': the operator is"
                self._report.warning(mark, f"{told} '{OTHER_WORDS[key]}'")

    def _part(
        self, key: str, mark: Mark, value: Node, name: Name, path: str, names: str
    ) -> list[tuple[str | None, Check]]:
        match key:
            case "any" | "all":
                return self._combined(key, value, name, path, names)
            case "not":
                return [(None, self._negated(value, name, path, names))]
            case "field":
                if not isinstance(value, document.Mapping) or not value.entries:
                    self._report.error(value.mark, "'field' takes a mapping of fields")
                    return []
                return [
                    part
                    for inner, (at, node) in value.entries.items()
                    for part in self._field(inner, at, node, name, path, names)
                ]
            case _:
                return self._field(key, mark, value, name, path, names)

    def _field(
        self, key: str, mark: Mark, value: Node, name: Name, path: str, names: str
    ) -> list[tuple[str | None, Check]]:
        dotted = f"{names}.{key}" if names else key
        child = name.child(key)
        if child is None:
            self._report.error(mark, _unknown(dotted, key, name, names))
            return []
        return [(key, self.condition(value, child, f"{path}.{key}", dotted))]

    def _combined(
        self, key: str, node: Node, name: Name, path: str, names: str
    ) -> list[tuple[str | None, Check]]:
        if not isinstance(node, document.Sequence) or not node.items:
            self._report.error(node.mark, f"'{key}' takes a list of mappings of fields")
            return []
        checks: list[Check] = []
        for index, item in enumerate(node.items):
            if isinstance(item, document.Mapping):
                one = replace(name, many=False) if name.kind is Kind.GROUP else name
                checks.append(self.mapping(item, one, f"{path}.{key}[{index}]", names))
            else:
                hint = "; for one of several values write the list itself" if names else ""
                self._report.error(item.mark, f"'{key}' takes mappings of fields{hint}")
        if key == "all":
            return [(None, check) for check in checks]
        return [(None, _any_of(tuple(checks), f"{path}.any"))]

    def _negated(self, node: Node, name: Name, path: str, names: str) -> Check:
        if isinstance(node, document.Mapping):
            inner = self.mapping(node, name, f"{path}.not", names)
            return _none_of(inner, f"{path}.not")
        test = self._values.test(node, name, names or self._root)
        return _none_of(_leaf(test, path), path, f"not {test.expected}")

    def _mixed(self, mark: Mark, operator: str, field: str) -> None:
        self._report.error(
            mark,
            f"the operator '{operator}' and the field '{field}' in one mapping: "
            f"if '{operator}' is a field too, write field: {{{operator}: …}}",
        )


def _unknown(dotted: str, key: str, name: Name, names: str) -> str:
    message = f"unknown field {quoted(dotted)}"
    homes = (
        [root for root, group in name.fields.items() if key in group.fields] if not names else []
    )
    if homes:
        return f"{message}: it belongs under {' or '.join(repr(home) for home in homes)}"
    if key in OPERATORS:
        return f"the operator '{key}' cannot stand here"
    return message + nearest(key, name.fields, names)


def _somebody_not(names: str) -> str:
    return (
        f"'{names}' asks for somebody who fulfils all of a mapping: for nobody who does, write"
        f" not: {{{names}: …}}; for somebody who does not, put 'not' behind a field"
    )


def _leaf(test: Test, path: str) -> Check:
    holds, expected = test.holds, test.expected
    return lambda value: None if holds(value) else Failure(path, expected, value)


def _all_of(parts: tuple[tuple[str | None, Check], ...], name: Name, path: str) -> Check:
    is_metadata = name.kind is Kind.METADATA

    def first_failure(value: object) -> Failure | None:
        fields = _fields(value, is_metadata=is_metadata)
        for key, check in parts:
            if key is None:
                failure = check(value)
            else:
                found = fields.get(key)
                failure = check(ABSENT if found is None else found)
            if failure is not None:
                return failure
        return None

    if not name.many:
        return first_failure

    def first_failure_of_items(value: object) -> Failure | None:
        if not isinstance(value, list):
            return first_failure(value)
        if any(first_failure(item) is None for item in value):
            return None
        return Failure(path, "an item that fulfils all of it", value)

    return first_failure_of_items


def _fields(value: object, *, is_metadata: bool) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    return json_object(value) if is_metadata and isinstance(value, str) else _EMPTY


def _any_of(checks: tuple[Check, ...], path: str) -> Check:
    def failure(value: object) -> Failure | None:
        for check in checks:
            if check(value) is None:
                return None
        return Failure(path, f"none of its {len(checks)} alternatives holds", tells_got=False)

    return failure


def _none_of(inner: Check, path: str, expected: str = "") -> Check:
    if expected:
        return lambda value: Failure(path, expected, value) if inner(value) is None else None
    holds = Failure(path, "what 'not' excludes holds", tells_got=False)
    return lambda value: holds if inner(value) is None else None
