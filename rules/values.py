"""The values of conditions: a constant, a list of alternatives, or a mapping of operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules.contradictions import warn_of_contradictions
from rules.document import Mapping, Node, Scalar, Sequence
from rules.names import Kind, Name
from rules.operators import (
    NUMBER_OPERATORS,
    OPERATORS,
    OTHER_WORDS,
    TEXT_OPERATORS,
    Test,
    count_test,
    exists_test,
    fits,
    kind_words,
    number_test,
    over_items,
    same,
    shown,
    text_test,
)
from rules.problems import nearest, quoted
from rules.scalars import Constant, plain_scalar
from rules.texts import exactly, glob, is_glob

if TYPE_CHECKING:
    from collections.abc import Callable

    from rules.compiling import Compiling

_BROKEN: Final = Test(lambda found: False, "something")  # noqa: ARG005 - the shape of a test
_SHOWN_ALTERNATIVES: Final = 8
_WITHOUT_FIELDS: Final = frozenset({Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN, Kind.NAMES})


class ValueCompiler:
    """Compiles values; `names` is the dotted name the value is compared with."""

    def __init__(
        self,
        compiling: Compiling,
        mapping: Callable[[Mapping, Name, str], Callable[[object], object]],
    ) -> None:
        self._report = compiling.report
        self._tables = compiling.tables
        self._mapping = mapping
        """Compiles a mapping of fields; the function answers None if all of it holds."""

    def test(self, node: Node, name: Name, names: str) -> Test:
        """Compile any form of value."""
        if isinstance(node, Scalar):
            return _asked(self._constant(node, name, names), name, node.value)
        if isinstance(node, Sequence):
            return self._alternatives(node, name, names)
        if name.kind in _WITHOUT_FIELDS:
            return self.operators(node, name, names)
        fulfils = self._mapping(node, name, names)
        return Test(lambda found: fulfils(found) is None, "fields that match")

    def operators(self, node: Mapping, name: Name, names: str) -> Test:
        """Compile a mapping of operators, all of which must hold."""
        tests: dict[str, Test] = {}
        before = len(self._report.problems)
        if not node.entries:
            self._report.error(node.mark, f"'{names}' is empty: say what it must be")
        for operator, (mark, operand) in node.entries.items():
            if operator not in OPERATORS:
                hint = nearest(operator, OPERATORS)
                if operator in OTHER_WORDS:
                    hint = f": here it is '{OTHER_WORDS[operator]}'"
                elif operator in ("any", "all"):
                    hint = ": a list of values means any of them"
                elif ".attributes." in names:
                    leaf = names.partition(".attributes.")[2]
                    hint = hint or f": a key of attributes is whole, write {leaf}.{operator}: …"
                told = f"unknown operator {quoted(operator)} for '{names}'{hint}"
                self._report.error(mark, told)
            elif not fits(operator, name.kind):
                words = kind_words(name.kind)
                hint = _instead(operator, name.kind, names)
                self._report.error(mark, f"'{operator}' cannot hold: '{names}' is {words}{hint}")
            else:
                tests[operator] = self._operator(operator, operand, name, names)
        if not any(problem.severity == "error" for problem in self._report.problems[before:]):
            warn_of_contradictions(node, tests, name, names, self._report)
        holds = tuple(test.holds for test in tests.values())
        if len(tests) == 1:
            return next(iter(tests.values()))
        return Test(
            lambda found: all(one(found) for one in holds),
            " and ".join(test.expected for test in tests.values()),
        )

    def _operator(self, operator: str, operand: Node, name: Name, names: str) -> Test:
        match operator:
            case "not":
                inner = self.test(operand, name, names)
                return Test(lambda found: not inner.holds(found), f"not {inner.expected}")
            case "exists":
                if isinstance(operand, Scalar) and isinstance(operand.value, bool):
                    return exists_test(expected=operand.value)
                return self._broken(operand, "'exists' takes true or false")
            case "in":
                return self._in(operand, name, names)
            case "equals":
                if not isinstance(operand, Scalar):
                    return self._broken(operand, "'equals' takes one constant; 'in' takes a list")
                value = self._checked(operand, name, names)
                test = Test(same(value), shown(value))
            case _:
                test = self._compared(operator, operand, names)
        return _asked(test, name, operand.value if isinstance(operand, Scalar) else None)

    def _compared(self, operator: str, operand: Node, names: str) -> Test:
        value = operand.value if isinstance(operand, Scalar) else None
        if operator in TEXT_OPERATORS:
            if not isinstance(value, str):
                return self._broken(operand, f"'{operator}' takes text: quote it")
            try:
                return text_test(operator, value)
            except ValueError as error:
                return self._broken(operand, f"'{names}': not an RE2 expression: {error}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            word = "numbers" if operator in NUMBER_OPERATORS else "values"
            return self._broken(operand, f"'{operator}' compares {word}: give it one, unquoted")
        return number_test(operator, value)

    def _in(self, node: Node, name: Name, names: str) -> Test:
        if isinstance(node, Mapping):
            return self._in_table(node, name)
        if not isinstance(node, Sequence) or not node.items:
            word = node.value if isinstance(node, Scalar) else None
            is_table = isinstance(word, str) and self._tables.keys(word) is not None
            hint = f": for the keys of a table write {{table: {word}}}" if is_table else ""
            return self._broken(node, f"'in' takes a list of constants{hint}")
        values: list[Constant] = []
        for item in node.items:
            if isinstance(item, Scalar):
                values.append(self._checked(item, name, names))
            else:
                self._report.error(item.mark, "'in' takes a list of constants")
        expected = _one_of([shown(value) for value in values])
        if name.kind is Kind.NAMES:  # names and numbers are asked of it in different ways
            each = tuple(_asked(Test(same(v), shown(v)), name, v).holds for v in values)
            return Test(lambda found: any(one(found) for one in each), expected)
        return _asked(Test(_any_equal(values), expected), name, None)

    def _in_table(self, node: Mapping, name: Name) -> Test:
        asked = node.entries["table"][1] if set(node.entries) == {"table"} else None
        table = asked.value if isinstance(asked, Scalar) else None
        if not isinstance(table, str):
            return self._broken(node, "'in' takes a list of constants, or {table: its name}")
        keys = self._tables.keys(table)
        if keys is None:
            return self._broken(node, self._tables.unknown(table))
        return _asked(Test(exactly(keys), f"a key of the table {table}"), name, "")

    def _alternatives(self, node: Sequence, name: Name, names: str) -> Test:
        if not node.items:
            return self._broken(node, f"'{names}' is an empty list: nothing can match it")
        tests = [self.test(item, name, names) for item in node.items]
        expected = _one_of([test.expected for test in tests])
        constants = [item.value for item in node.items if isinstance(item, Scalar)]
        exact = [value for value in constants if isinstance(value, str) and not is_glob(value)]
        if len(exact) == len(node.items):
            return _asked(Test(exactly(exact), expected), name, exact[0])
        holds = tuple(test.holds for test in tests)
        return Test(lambda found: any(one(found) for one in holds), expected)

    def _constant(self, node: Scalar, name: Name, names: str) -> Test:
        value = self._checked(node, name, names, wildcards=True)
        if isinstance(value, str) and is_glob(value):
            return Test(glob(value), shown(value))
        return Test(same(value), shown(value))

    def _checked(
        self, node: Scalar, name: Name, names: str, *, wildcards: bool = False
    ) -> Constant:
        value = node.value
        if value is None:
            self._report.error(
                node.mark, f"'{names}' has no value: for something absent write exists: false"
            )
        elif name.kind in (Kind.GROUP, Kind.ATTRIBUTES):
            self._report.error(node.mark, f"'{names}' is a mapping: name the field you mean")
        elif not _fits_kind(value, name.kind):
            self._report.error(node.mark, _wrong_kind(node, name.kind, names))
        elif isinstance(value, str) and not (wildcards and is_glob(value)):
            self._check_constant(value, node, name, names)
        if isinstance(value, str) and "{{" in value:
            self._report.warning(
                node.mark, "conditions have no templates: this is compared as it is written"
            )
        return value

    def _check_constant(self, value: str, node: Scalar, name: Name, names: str) -> None:
        if name.constants and value not in name.constants:
            hint = nearest(value, name.constants)
            self._report.warning(node.mark, f"{quoted(value)} is no '{names}' known here{hint}")

    def _broken(self, node: Node, message: str) -> Test:
        self._report.error(node.mark, message)
        return _BROKEN


def _asked(test: Test, name: Name, operand: Constant) -> Test:
    """The question to what stands behind a name: itself, its items, or their number."""
    if name.kind is Kind.NAMES and not isinstance(operand, str):
        return count_test(test)
    return over_items(test) if name.many or name.kind is Kind.NAMES else test


def _instead(operator: str, kind: Kind, names: str) -> str:
    if kind is Kind.NAMES:
        if operator == "not":
            return f": to ask that something is not among them, write not: {{{names}: …}}"
        return f": to ask whether there are any, write {names}: {{gte: 1}}"
    return ": write a list for several values" if operator == "in" else ""


def _fits_kind(value: Constant, kind: Kind) -> bool:
    match kind:
        case Kind.TEXT | Kind.METADATA:
            return isinstance(value, str)
        case Kind.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case Kind.BOOLEAN:
            return isinstance(value, bool)
        case Kind.NAMES:
            return not isinstance(value, bool)
        case _:
            return True


def _wrong_kind(node: Scalar, kind: Kind, names: str) -> str:
    if kind in (Kind.TEXT, Kind.METADATA):
        subject = "attributes are strings" if ".attributes." in names else f"'{names}' is text"
        return f'{subject}: quote it: "{node.text}"'
    hint = ": write it without quotes" if _fits_kind(_unquoted(node.text), kind) else ""
    return f"'{names}' is {kind_words(kind)}, never {quoted(node.value)}{hint}"


def _unquoted(text: str) -> Constant:
    try:
        return plain_scalar(text)
    except ValueError:
        return text


def _any_equal(values: list[Constant]) -> Callable[[object], bool]:
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) == len(values):
        return exactly(texts)
    holds = tuple(same(value) for value in values)
    return lambda found: any(one(found) for one in holds)


def _one_of(words: list[str]) -> str:
    if len(words) == 1:
        return words[0]
    more = len(words) - _SHOWN_ALTERNATIVES
    tail = f" or {more} more" if more > 0 else ""
    return f"one of {', '.join(words[:_SHOWN_ALTERNATIVES])}{tail}"
