"""Which rules an event can concern at all: by its name, and by what they ask of the room's name.

Most rules of a large set name their rooms, by a text or a prefix. Those that name others need not
be asked, so that a decision costs about the same however many rules there are.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from rules.document import Mapping, Scalar, Sequence
from rules.texts import is_glob

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rules.document import Node
    from rules.rule import Rule
    from rules.tables import Tables


class RoomNames(NamedTuple):
    """The only names of rooms that can fulfil a rule: some texts, and what begins in some way."""

    texts: frozenset[str]
    prefixes: frozenset[str]


def room_names(when: Node | None, tables: Tables) -> RoomNames | None:
    """What `when` asks of the room's name, in whatever else holds; None if that may be any."""
    for node in _asked(when):
        names = _names(node, tables)
        if names is not None:
            return names
    return None


@dataclass(slots=True)
class _OfEvent:
    """The rules on one event, by number."""

    everywhere: list[int] = field(default_factory=list)
    by_text: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    by_prefix: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    lengths: tuple[int, ...] = ()
    """Of the prefixes."""


class Index:
    """Finds the rules that an event can concern."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules
        self._by_event: dict[str, _OfEvent] = defaultdict(_OfEvent)
        for number, rule in enumerate(rules):
            for name in rule.on:
                self._add(self._by_event[name], number, rule.rooms)
        for of_event in self._by_event.values():
            of_event.lengths = tuple(sorted({len(prefix) for prefix in of_event.by_prefix}))

    def names(self, event: str) -> bool:
        """Whether any rule names an event in `on`."""
        return event in self._by_event

    def concerned(self, event: str, room: str) -> tuple[Rule, ...]:
        """The rules, in the order of their files, that an event of a room can concern."""
        of_event = self._by_event.get(event)
        if of_event is None:
            return ()
        found = [*of_event.everywhere, *of_event.by_text.get(room, ())]
        for length in of_event.lengths:
            found += of_event.by_prefix.get(room[:length], ())
        return tuple(self._rules[number] for number in sorted(set(found)))

    def _add(self, of_event: _OfEvent, number: int, rooms: RoomNames | None) -> None:
        if rooms is None:
            of_event.everywhere.append(number)
            return
        for text in rooms.texts:
            of_event.by_text[text].append(number)
        for prefix in rooms.prefixes:
            of_event.by_prefix[prefix].append(number)


def _asked(when: Node | None) -> Iterator[Node]:
    """What stands behind `room.name` where all of it must hold."""
    for room in _under("room", when):
        yield from _under("name", room)


def _under(key: str, node: Node | None) -> Iterator[Node]:
    if not isinstance(node, Mapping):
        return
    for name, (_, value) in node.entries.items():
        if name == key:
            yield value
        elif name == "field":
            yield from _under(key, value)
        elif name == "all" and isinstance(value, Sequence):
            for item in value.items:
                yield from _under(key, item)


def _names(node: Node, tables: Tables) -> RoomNames | None:
    if isinstance(node, Scalar):
        return _matching(node.value) if isinstance(node.value, str) else None
    if isinstance(node, Sequence):
        return _union(_names(item, tables) for item in node.items)
    for operator, (_, operand) in node.entries.items():
        names = _operator(operator, operand, tables)
        if names is not None:
            return names
    return None


def _operator(operator: str, operand: Node, tables: Tables) -> RoomNames | None:
    if operator == "in":
        return _among(operand, tables)
    value = operand.value if isinstance(operand, Scalar) else None
    if not isinstance(value, str):
        return None
    match operator:
        case "equals":
            return RoomNames(frozenset({value}), frozenset())
        case "prefix":
            return RoomNames(frozenset(), frozenset({value})) if value else None
        case "glob":
            return _matching(value)
        case _:
            return None


def _among(operand: Node, tables: Tables) -> RoomNames | None:
    texts: frozenset[str] | None = None
    if isinstance(operand, Sequence):
        items = (item.value for item in operand.items if isinstance(item, Scalar))
        texts = frozenset(item for item in items if isinstance(item, str))
    elif isinstance(operand, Mapping) and "table" in operand.entries:
        table = operand.entries["table"][1]
        texts = tables.keys(str(table.value)) if isinstance(table, Scalar) else None
    return RoomNames(texts, frozenset()) if texts is not None else None


def _matching(pattern: str) -> RoomNames | None:
    if not is_glob(pattern):
        return RoomNames(frozenset({pattern}), frozenset())
    prefix = pattern.partition("*")[0]
    return RoomNames(frozenset(), frozenset({prefix})) if prefix else None


def _union(each: Iterable[RoomNames | None]) -> RoomNames | None:
    texts: set[str] = set()
    prefixes: set[str] = set()
    for names in each:
        if names is None:
            return None
        texts |= names.texts
        prefixes |= names.prefixes
    return RoomNames(frozenset(texts), frozenset(prefixes))
