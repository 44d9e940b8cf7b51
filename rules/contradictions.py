"""Operators in one mapping that exclude each other, so that nothing can fulfil the mapping.

What an operator says of a constant is asked of its compiled test. Where a list may stand, each
operator may be fulfilled by another of its items, and little excludes anything.
"""

from __future__ import annotations

from itertools import product
from math import floor
from typing import TYPE_CHECKING, Final

from rules.absent import ABSENT
from rules.document import Mapping, Scalar, Sequence, plain
from rules.implied import asks_no_more, negates
from rules.names import Kind
from rules.operators import NUMBER_OPERATORS, is_number, number_test, same, shown

if TYPE_CHECKING:
    from rules.document import Entries, Node
    from rules.names import Name
    from rules.operators import Holds, Test
    from rules.problems import Report
    from rules.scalars import Constant

_LOWER: Final = ("gt", "gte")
_UPPER: Final = ("lt", "lte")


def warn_of_contradictions(
    node: Mapping, tests: dict[str, Test], name: Name, names: str, report: Report
) -> None:
    """Warn of operators that no value can fulfil together.

    Args:
        node: a mapping of operators in which nothing is wrong.
        tests: what each of them was compiled to.
        name: what they are asked of.
        names: its dotted name.
        report: what the warning goes to.
    """
    entries = node.entries
    never = f"'{names}' never matches"
    if name.kind is Kind.NAMES:
        if not _countable(entries):
            told = f"{never}: there is no such number of them"
            report.warning(list(entries.values())[-1][0], told)
        return
    if len(entries) == 1:
        return
    excluding = (
        _absent(entries, tests) or _negated(entries) or _constants(entries, tests, many=name.many)
    )
    bounds = () if excluding else _bounds(entries, tests)
    if bounds and name.many:
        never = f"'{names}' matches nothing but lists"
    for keys, subject in ((excluding, "nothing"), (bounds, "no number")):
        if keys:
            words = " and ".join(_words(key, entries[key][1]) for key in entries if key in keys)
            mark = [entries[key][0] for key in entries if key in keys][-1]
            report.warning(mark, f"{never}: {subject} fulfils {words}")


def _words(operator: str, node: Node) -> str:
    return f"'{operator}: {shown(node.value)}'" if isinstance(node, Scalar) else f"'{operator}'"


def _absent(entries: Entries, tests: dict[str, Test]) -> tuple[str, ...]:
    """`exists: false`, and what asks for a value beside it."""
    if _value(entries, "exists") is not False:
        return ()
    present = (key for key in entries if key != "exists" and not tests[key].holds(ABSENT))
    return next((("exists", key) for key in present), ())


def _negated(entries: Entries) -> tuple[str, ...]:
    """`not`, and the operators beside it if it excludes just what they ask for."""
    inner = entries["not"][1] if "not" in entries else None
    if not isinstance(inner, Mapping):
        return ()
    beside = {key: plain(node) for key, (_, node) in entries.items() if key != "not"}
    return (*inner.entries, "not") if asks_no_more(plain(inner), beside) else ()


def _constants(entries: Entries, tests: dict[str, Test], *, many: bool) -> tuple[str, ...]:
    """`equals` or `in`, and the operators beside it if none of its constants fulfils them."""
    for key in ("equals", "in"):
        members = _members(entries[key][1]) if key in entries else []
        others = [other for other in entries if other != key]
        if many:  # another item may fulfil the others; but `not` excludes each item of a list
            others = [each for each in others if each == "not" and not negates(entries[each][1])]
        if not members or not others:
            continue
        for other in others:
            if not any(tests[other].holds(member) for member in members):
                return (key, other)
        if not any(all(tests[other].holds(member) for other in others) for member in members):
            return (key, *others)
    return ()


def _members(node: Node) -> list[Constant]:
    if isinstance(node, Sequence):
        return [item.value for item in node.items if isinstance(item, Scalar)]
    return [node.value] if isinstance(node, Scalar) else []


def _bounds(entries: Entries, tests: dict[str, Test]) -> tuple[str, ...]:
    """A lower and an upper bound that exclude each other: they do not hold of each other's."""
    for lower, upper in product(_LOWER, _UPPER):
        if lower not in entries or upper not in entries:
            continue
        least, most = _value(entries, lower), _value(entries, upper)
        if not (tests[lower].holds(most) and tests[upper].holds(least)):
            return (lower, upper)
    return ()


def _countable(entries: Entries) -> bool:
    """Whether there is a number of names that fulfils all that is asked of it."""
    asked: list[Holds] = []
    near: set[int] = set()
    least = 0
    for key, (_, node) in entries.items():
        members = _members(node)
        numbers = [member for member in members if is_number(member)]
        if not numbers:
            least = 1  # a text: there is one that fulfils it
        elif key in NUMBER_OPERATORS:
            asked.append(number_test(key, numbers[0]).holds)
        elif len(numbers) == len(members):
            asked.append(_among(numbers))
        near |= {floor(number) + more for number in numbers for more in (-1, 0, 1, 2)}
    near |= {0, 1}
    return any(n >= least and all(holds(n) for holds in asked) for n in near)


def _among(numbers: list[float]) -> Holds:
    each = tuple(map(same, numbers))
    return lambda count: any(equals(count) for equals in each)


def _value(entries: Entries, key: str) -> Constant:
    node = entries[key][1] if key in entries else None
    return node.value if isinstance(node, Scalar) else None
