"""YAML text to a tree that knows where each key and value stands.

Anchors, aliases and `<<` work within a file. What a rule file has no use for is an error here:
keys that are not text, keys written twice, tags, several documents, values that contain themselves
and files that unfold into something huge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from ruamel.yaml.error import YAMLError

from rules.problems import Mark, Report, nearest, quoted
from rules.scalars import Constant, paired, plain_scalar, tagged_scalar
from rules.yaml_events import (
    ALIAS,
    DOCUMENT_START,
    MAPPING_END,
    MAPPING_START,
    SCALAR,
    SEQUENCE_END,
    Unlike,
    exact_events,
    fast_events,
)
from rules.yaml_mistakes import mistake

MAX_DEPTH: Final = 50
MAX_NODES: Final = 2_000_000
"""Values in one file with every alias written out."""


@dataclass(slots=True)
class Scalar:
    """Text, a number, true, false or null."""

    mark: Mark
    value: Constant
    text: str = ""
    """As it is written."""
    plain: bool = False
    """Whether it is written without quotes, on one line."""

    def place(self, line: int, column: int) -> Mark:
        """Where a line and column of it, counted from 1, are; where it begins if not plain."""
        if line > 1 or not self.plain:
            return self.mark
        return Mark(self.mark.path, self.mark.line, self.mark.column + column - 1)


@dataclass(slots=True)
class Sequence:
    """A list."""

    mark: Mark
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """A mapping; keys are text and in the order written."""

    mark: Mark
    entries: dict[str, tuple[Mark, Node]] = field(default_factory=dict)


Node = Scalar | Sequence | Mapping
Entries = dict[str, tuple[Mark, Node]]
Parser = Callable[[str], Iterator[Any]]
"""A text to its events."""


def read_document(
    text: str, path: str, report: Report, parsers: tuple[Parser, ...] = (fast_events, exact_events)
) -> Node | None:
    """Read one YAML document; None if it is empty or cannot be read, which the report tells.

    A parser that raises `Unlike` leaves the text to the next.
    """
    odd = _ODD_BREAKS.search(text)
    if odd is not None:
        before = text[: odd.start()]
        mark = Mark(path, before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)
        code = f"{ord(odd[0]):04x}"
        told = f"U+{code.upper()} ends a line for some programs and not for others"
        report.error(mark, f'not valid YAML: {told}: leave it out, or write "\\u{code}"')
        return None
    for parse in parsers:
        found = Report()
        try:
            root = _Reader(path, found).read(parse(text))
        except Unlike:
            continue
        except _Stopped:
            root = None
        except YAMLError as error:
            root = None
            line, column, message = mistake(error, text)
            mark = Mark(path, line, column)
            if all((each.line, each.column) != mark[1:] for each in found.problems):
                found.error(mark, f"not valid YAML: {message}")
        report.problems.extend(found.problems)
        return root
    return None


def plain(node: Node) -> Any:  # noqa: ANN401 - any JSON
    """What a part of a document says, without where it stands."""
    if isinstance(node, Mapping):
        return {key: plain(value) for key, (_, value) in node.entries.items()}
    return [plain(item) for item in node.items] if isinstance(node, Sequence) else node.value


_ODD_BREAKS: Final = re.compile("[\x85\u2028\u2029]")


class _Stopped(Exception):
    pass


@dataclass(slots=True)
class _Anchored:
    node: Node
    nodes: int = 1
    height: int = 0
    whole: bool = True


class _Reader:
    def __init__(self, path: str, report: Report) -> None:
        self._path = path
        self._report = report
        self._anchors: dict[str, _Anchored] = {}
        self._nodes = 0
        self._deepest = 0
        self._events: Iterator[Any] = iter(())

    def read(self, events: Iterator[Any]) -> Node | None:
        self._events = events
        root: Node | None = None
        documents = 0
        for event in events:
            if not isinstance(event, DOCUMENT_START):
                continue
            documents += 1
            if documents > 1:
                self._stop(self._mark(event), "a second document: a file holds one")
            root = self._node(next(events), depth=0)
        return root

    def _node(self, event: Any, depth: int) -> Node:  # noqa: ANN401 - events are of two parsers
        mark = self._mark(event)
        self._reach(depth, mark)
        if isinstance(event, ALIAS):
            return self._alias(str(event.anchor), depth, mark)
        self._count(1, mark)
        if isinstance(event, SCALAR):
            scalar = self._scalar(event, mark)
            if event.anchor is not None:
                self._anchors[event.anchor] = _Anchored(scalar)
            return scalar
        node = Mapping(mark) if isinstance(event, MAPPING_START) else Sequence(mark)
        if event.tag is not None:
            self._report.error(mark, f"the tag '{event.tag}' means nothing here: leave it out")
        if event.anchor is None:
            self._fill(node, depth)
        else:
            self._anchored(event.anchor, node, depth)
        return node

    def _fill(self, node: Mapping | Sequence, depth: int) -> None:
        if isinstance(node, Mapping):
            self._entries(node, depth)
            return
        while not isinstance(event := next(self._events), SEQUENCE_END):
            node.items.append(self._node(event, depth + 1))

    def _anchored(self, name: str, node: Mapping | Sequence, depth: int) -> None:
        anchored = self._anchors[name] = _Anchored(node, whole=False)
        nodes, deepest = self._nodes, self._deepest
        self._deepest = depth
        self._fill(node, depth)
        anchored.nodes = self._nodes - nodes + 1
        anchored.height = self._deepest - depth
        anchored.whole = True
        self._deepest = max(deepest, self._deepest)

    def _entries(self, node: Mapping, depth: int) -> None:
        merged: list[tuple[Mark, Node]] = []
        while not isinstance(event := next(self._events), MAPPING_END):
            mark = self._mark(event)
            is_merge = isinstance(event, SCALAR) and event.value == "<<" and not event.style
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if isinstance(value, Scalar) and not value.text and value.value is None:
                value.mark = mark  # nothing stands there: the parser goes on to the next thing
            if is_merge:
                merged.append((mark, value))
            elif not isinstance(key, Scalar) or not isinstance(key.value, str):
                self._not_text(node, key, mark)
            elif key.value in node.entries:
                first = node.entries[key.value][0]
                self._report.error(mark, f"{quoted(key.value)} twice: first at line {first.line}")
            else:
                node.entries[key.value] = (mark, value)
        for mark, value in merged:
            self._merge(node, mark, value)

    def _not_text(self, node: Mapping, key: Node, mark: Mark) -> None:
        if isinstance(key, Scalar):
            shown = key.text or "null"  # as written: +34910000001 has lost its plus as a number
            self._report.error(mark, f"the key {shown[:60]} is not text: quote it")
        elif isinstance(key, Mapping) and mark == node.mark._replace(column=node.mark.column + 1):
            says = "a value cannot begin with '{{': quote it, \"{{ … }}\""
            self._report.error(node.mark, says)
        else:
            self._report.error(mark, "the key is not text: quote it")

    def _merge(self, into: Mapping, mark: Mark, value: Node) -> None:
        for source in value.items if isinstance(value, Sequence) else [value]:
            if not isinstance(source, Mapping):
                self._report.error(mark, "'<<' takes a mapping or a list of them")
                return
            for key, entry in source.entries.items():
                into.entries.setdefault(key, entry)

    def _scalar(self, event: Any, mark: Mark) -> Scalar:  # noqa: ANN401 - as above
        try:
            text = paired(event.value)
            if event.tag is not None:
                return Scalar(mark, tagged_scalar(str(event.tag), text), text)
            is_plain = not event.style and event.start_mark.line == event.end_mark.line
            value = text if event.style else plain_scalar(text)
            return Scalar(mark, value, text, is_plain)
        except ValueError as error:
            self._report.error(mark, str(error))
            return Scalar(mark, event.value, event.value)

    def _alias(self, name: str, depth: int, mark: Mark) -> Node:
        anchored = self._anchors.get(name)
        if anchored is None:
            hint = nearest(name, self._anchors) or f': quote it if it is text, "*{name}"'
            self._report.error(mark, f"unknown alias '*{name}'{hint}")
            return Scalar(mark, "")
        if not anchored.whole:
            self._stop(mark, f"'*{name}' contains itself")
        self._count(anchored.nodes, mark)
        self._reach(depth + anchored.height, mark)
        return anchored.node

    def _reach(self, depth: int, mark: Mark) -> None:
        self._deepest = max(self._deepest, depth)
        if depth > MAX_DEPTH:
            self._stop(mark, f"nested deeper than {MAX_DEPTH} levels")

    def _count(self, nodes: int, mark: Mark) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            self._stop(mark, f"more than {MAX_NODES:,} values once aliases are written out")

    def _mark(self, event: Any) -> Mark:  # noqa: ANN401 - as above
        return Mark(self._path, event.start_mark.line + 1, event.start_mark.column + 1)

    def _stop(self, mark: Mark, message: str) -> NoReturn:
        self._report.error(mark, message)
        raise _Stopped
