"""The operators of conditions: what each is called, takes, fits, and does."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeGuard

from rules.absent import ABSENT
from rules.names import Kind
from rules.texts import exactly, glob, regex

if TYPE_CHECKING:
    from rules.scalars import Constant

Holds = Callable[[object], bool]

TEXT_OPERATORS: Final = (
    "equals_ignore_case",
    "prefix",
    "suffix",
    "contains",
    "glob",
    "regex",
)
NUMBER_OPERATORS: Final = ("gt", "gte", "lt", "lte")
OPERATORS: Final = ("equals", *TEXT_OPERATORS, "in", "not", "exists", *NUMBER_OPERATORS)

OTHER_WORDS: Final = {
    **dict.fromkeys(("starts_with", "startswith", "startsWith", "begins_with"), "prefix"),
    **dict.fromkeys(("ends_with", "endswith", "endsWith"), "suffix"),
    **dict.fromkeys(("includes", "has"), "contains"),
    **dict.fromkeys(("matches", "regexp", "re", "=~"), "regex"),
    **dict.fromkeys(("eq", "is", "=", "=="), "equals"),
    **dict.fromkeys(("ne", "neq", "!=", "is_not"), "not"),
    **dict.fromkeys((">", "greater_than"), "gt"),
    **dict.fromkeys((">=", "ge", "min"), "gte"),
    **dict.fromkeys(("<", "less_than"), "lt"),
    **dict.fromkeys(("<=", "le", "max"), "lte"),
    **dict.fromkeys(("one_of", "any_of"), "in"),
}
"""What operators are called elsewhere."""

_ANY_KIND: Final = ("equals", "in", "not", "exists")
_FITTING: Final = {
    Kind.TEXT: frozenset((*_ANY_KIND, *TEXT_OPERATORS)),
    Kind.METADATA: frozenset((*_ANY_KIND, *TEXT_OPERATORS)),
    Kind.NUMBER: frozenset((*_ANY_KIND, *NUMBER_OPERATORS)),
    Kind.BOOLEAN: frozenset(_ANY_KIND),
    Kind.JSON: frozenset(OPERATORS),
    Kind.ATTRIBUTES: frozenset({"exists", "not"}),
    Kind.GROUP: frozenset({"exists", "not"}),
    Kind.NAMES: frozenset(("equals", "in", *TEXT_OPERATORS, *NUMBER_OPERATORS)),
}
_KIND_WORDS: Final = {
    Kind.TEXT: "text",
    Kind.METADATA: "text",
    Kind.NUMBER: "a number",
    Kind.BOOLEAN: "true or false",
    Kind.JSON: "JSON",
    Kind.ATTRIBUTES: "a mapping",
    Kind.GROUP: "a mapping",
    Kind.NAMES: "a list of names",
}
_COMPARE: Final[dict[str, tuple[Callable[[float, float], bool], str]]] = {
    "gt": (operator.gt, "more than"),
    "gte": (operator.ge, "at least"),
    "lt": (operator.lt, "less than"),
    "lte": (operator.le, "at most"),
}


@dataclass(frozen=True, slots=True)
class Test:
    """A question about one value, and in words what it asks for."""

    holds: Holds
    expected: str


def kind_words(kind: Kind) -> str:
    """What a kind is called in messages."""
    return _KIND_WORDS[kind]


def fits(name: str, kind: Kind) -> bool:
    """Whether an operator can ever be fulfilled by a value of this kind."""
    return name in _FITTING[kind]


def shown(value: Constant) -> str:
    """A constant as it would be written in a rule."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return repr(value) if not value or value != value.strip() or "," in value else value
    return str(value)


def same(value: Constant) -> Holds:
    """Equality as JSON knows it: 1 is 1.0, and neither is true or "1"."""
    if isinstance(value, str):
        return exactly([value])
    if isinstance(value, bool):
        return lambda found: found is value
    return lambda found: is_number(found) and found == value


def text_test(name: str, operand: str) -> Test:
    """One of `TEXT_OPERATORS`.

    Raises:
        ValueError: the operand is not an expression RE2 takes.
    """
    match name:
        case "equals_ignore_case":
            folded = operand.casefold()
            return Test(
                lambda found: isinstance(found, str) and found.casefold() == folded,
                f"{shown(operand)} in any case",
            )
        case "prefix":
            return Test(
                lambda found: isinstance(found, str) and found.startswith(operand),
                f"something that starts with {shown(operand)}",
            )
        case "suffix":
            return Test(
                lambda found: isinstance(found, str) and found.endswith(operand),
                f"something that ends with {shown(operand)}",
            )
        case "contains":
            return Test(
                lambda found: isinstance(found, str) and operand in found,
                f"something that contains {shown(operand)}",
            )
        case "regex":
            return Test(regex(operand), f"something that matches {shown(operand)}")
        case _:
            return Test(glob(operand), shown(operand))


def number_test(name: str, operand: float) -> Test:
    """One of `NUMBER_OPERATORS`."""
    compare, words = _COMPARE[name]
    return Test(
        lambda found: is_number(found) and compare(found, operand),
        f"{words} {operand}",
    )


def exists_test(*, expected: bool) -> Test:
    """Whether there is a value at all; the only question besides `not` that an absent one meets."""
    if expected:
        return Test(lambda found: found is not ABSENT, "any value")
    return Test(lambda found: found is ABSENT, "nothing")


def count_test(test: Test) -> Test:
    """The same question to how many names there are in a list."""
    holds = test.holds
    return Test(
        lambda found: isinstance(found, list) and holds(len(found)), f"{test.expected} of them"
    )


def over_items(test: Test) -> Test:
    """The same question to a list: any of its items may answer it."""
    holds = test.holds

    def some_item(found: object) -> bool:
        return any(map(holds, found)) if isinstance(found, list) else holds(found)

    return Test(some_item, test.expected)


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a number as JSON has them: true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
