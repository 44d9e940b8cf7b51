"""Where a rule stands in its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.rule import Rule


def lines_of(rule: Rule, lines: Sequence[str]) -> range:
    """Indexes of a rule's lines among those of its file; empty if the file is another one now.

    It is the item of a list in which the rule's id stands, to what is indented no more.
    """
    first = rule.mark.line - 1
    if first >= len(lines):
        return range(0)
    of_id = _indent(lines[first])
    if not lines[first].lstrip().startswith("-"):
        while first > 0 and not (
            lines[first].lstrip().startswith("-") and _indent(lines[first]) < of_id
        ):
            first -= 1
    end, outside = first + 1, _indent(lines[first])
    while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > outside):
        end += 1
    return range(first, end)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
