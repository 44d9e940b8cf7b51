"""Where a line of YAML does not fit under those above it: what it lacks, or how it is indented."""

from __future__ import annotations

import re
from typing import Final

from rules.problems import quoted

_ITEM: Final = re.compile(r"- +")
_KEY: Final = re.compile(r"""(?:"[^"]*"|'[^']*'|[^\s"'#\[{][^#]*?):(?:\s|$)""")
_GLUED: Final = re.compile(r"[^\s:\"'{\[]+:(?=[^\s:/])")


def unfinished(lines: list[str], row: int) -> tuple[tuple[int, int], str] | None:
    """What the line before a row lacks, for which the row was read as a part of it."""
    above = _before(lines, row)
    if above is None:
        return None
    items, start = _starts(lines[above])
    content = lines[above][start:].rstrip()
    if re.match(r"-[^\s-]", content):
        return (above, start + 1), "a space is missing after '-'"
    if _KEY.match(content):
        return None
    glued = _GLUED.match(content)
    if glued:
        return (above, start + glued.end()), "a space is missing after ':'"
    if content[:1] in ("'", '"') or (items and row < len(lines) and not _deeper(lines, row, start)):
        return None
    first = content.split()[0] if content.split() else content
    return (above, start), f"a ':' is missing after {quoted(first)}"


def misplaced(lines: list[str], row: int) -> tuple[tuple[int, int], str]:
    """How a row is indented otherwise than the keys or items above it."""
    items, key = _starts(lines[row])
    column = items[0] if items else key
    what = "item" if items else "key"
    others = [start for start in _open(lines, row, is_item=bool(items)) if start != column]
    deeper = [start for start in others if start > column]
    if deeper:
        told = f"indented too little: the {what}s above begin in column {min(deeper) + 1}"
        return (row, column), f"this {what} is {told}"
    if items and not others:
        return (row, column), "an item of a list among keys: indent it below the key it belongs to"
    if not others:
        return (row, column), "a key among the items of a list: begin it with '- ', or unindent it"
    told = f"indented too far: the {what}s above begin in column {max(others) + 1}"
    return (row, column), f"this {what} is {told}"


def _open(lines: list[str], row: int, *, is_item: bool) -> list[int]:
    """Columns of the keys, or the items, that are not over before a row; of the nearest first."""
    found: list[int] = []
    shallowest: int | None = None
    for line in reversed(lines[:row]):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        items, key = _starts(line)
        for start, starts_item in [(key, False), *((each, True) for each in reversed(items))]:
            if shallowest is not None and start >= shallowest:
                continue
            if not starts_item and not _KEY.match(line[key:]):
                continue
            shallowest = start
            if starts_item == is_item:
                found.append(start)
        if shallowest == 0:
            break
    return found


def _starts(line: str) -> tuple[list[int], int]:
    """Columns where a line's items begin, and where its first key or value does."""
    column = len(line) - len(line.lstrip(" "))
    items = []
    while item := _ITEM.match(line, column):
        items.append(column)
        column = item.end()
    return items, column


def _deeper(lines: list[str], row: int, start: int) -> bool:
    return len(lines[row]) - len(lines[row].lstrip(" ")) >= start


def _before(lines: list[str], row: int) -> int | None:
    """The last line before a row that holds something."""
    for above in range(row - 1, -1, -1):
        if lines[above].strip() and not lines[above].lstrip().startswith("#"):
            return above
    return None
