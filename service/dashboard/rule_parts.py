"""Rule files as `/rules` shows them: in parts, a page of them, each line with its words marked."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from markupsafe import Markup, escape

from service.rule_source import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rules.files import RuleFile
    from rules.rule import Rule
    from rules.ruleset import Ruleset
    from workers.ledger import Hits
    from workers.pauses import Paused

_MOST_LINES: Final = 200
"""Lines of one part that are shown: a table may have as many as a file."""
_LONGEST: Final = 2000
"""Characters of one line that are shown."""
_LINE: Final = re.compile(r"^(\s*(?:- )?)([\w.*$-]+|\"[^\"]*\"|'[^']*')(:)(?=\s|$)(.*)$")
_COMMENT: Final = re.compile(r"(^|\s)#(?:[^\"'{}]*)$")


class Place(NamedTuple):
    """Where a part of a file is: a rule, or without one what stands before the first."""

    file: RuleFile
    rule: Rule | None
    following: Rule | None
    """The rule that comes next in the file."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a rule file."""

    number: int
    text: Markup


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines of a file: a rule, or what stands before the rules."""

    lines: tuple[Line, ...]
    left_out: int
    """How many more there are."""
    rule: Rule | None = None
    hits: Hits | None = None
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A rule file in parts."""

    path: str
    parts: tuple[Part, ...]


def places(ruleset: Ruleset) -> list[Place]:
    """Every part of every file, in their order. No text is read: there may be 50,000."""
    by_path: dict[str, list[Rule]] = defaultdict(list)
    for rule in ruleset.rules:
        by_path[rule.mark.path].append(rule)
    found: list[Place] = []
    for file in ruleset.files:
        there = sorted(by_path[file.path], key=lambda rule: rule.mark.line)
        found += map(Place, [file] * (len(there) + 1), [None, *there], [*there, None])
    return found


def files(shown: Iterable[Place], hits: Mapping[str, Hits], paused: Paused) -> list[File]:
    """The parts at these places, by file; a file that has nothing to show is left out."""
    found = []
    for path, there in groupby(shown, key=lambda place: place.file.path):
        parts = tuple(_parts(list(there), hits, paused))
        if parts:
            found.append(File(path, parts))
    return found


def _parts(shown: list[Place], hits: Mapping[str, Hits], paused: Paused) -> Iterable[Part]:
    raw = shown[0].file.text.splitlines()
    for _, rule, following in shown:
        start = 0 if rule is None else _start(rule, raw)
        end = len(raw) if following is None else _start(following, raw)
        while end > start and not raw[end - 1].strip():
            end -= 1
        last = min(end, start + _MOST_LINES)
        lines = tuple(Line(n + 1, _coloured(raw[n])) for n in range(start, last))
        if rule is not None:
            is_paused = paused.every or rule.id in paused.rules
            yield Part(lines, end - last, rule, hits.get(rule.id), is_paused)
        elif lines:
            yield Part(lines, end - last)


def _start(rule: Rule, raw: list[str]) -> int:
    """Where a rule begins, with the comment that stands over it."""
    start = lines_of(rule, raw).start
    while start > 0 and raw[start - 1].lstrip().startswith("#"):
        start -= 1
    return start


def _coloured(text: str) -> Markup:
    """A line of YAML with its key and its comment marked, everything escaped."""
    if len(text) > _LONGEST:
        return escape(f"{text[:_LONGEST]}…")
    comment = _COMMENT.search(text)
    code, rest = (text[: comment.start()], text[comment.start() :]) if comment else (text, "")
    found = _LINE.match(code)
    if found:
        indent, key, colon, value = found.groups()
        shown = escape(indent) + Markup("<b>{}</b>").format(key) + escape(colon + value)
    else:
        shown = escape(code)
    return shown + (Markup("<i>{}</i>").format(rest) if rest else Markup(""))
