"""Rules that no event can match: what they ask here excludes what they ask there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from rules.asked import asked_of_fields
from rules.document import plain
from rules.event import EventName
from rules.implied import asks_no_more, negates
from rules.loop_guard import GUARDED_KINDS, named_kinds
from rules.names import CARRIED_BY, KINDS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rules.asked import Asked
    from rules.compiling import Compiling
    from rules.document import Entries, Node

_T = TypeVar("_T")
_EVENT: Final = ("event",)
_KIND: Final = ("participant", "kind")


def warn_of_the_unmatchable(on: tuple[str, ...], entries: Entries, compiling: Compiling) -> None:
    """Warn of a rule whose `on`, `when`, `unless` and the loop guard leave nothing to match."""
    when = entries["when"][1] if "when" in entries else None
    _Unmatchable(on, when, compiling).warn(entries)


class _Unmatchable:
    def __init__(self, on: tuple[str, ...], when: Node | None, compiling: Compiling) -> None:
        self._on = on
        self._when = when
        self._asked = asked_of_fields(when)
        self._tables = compiling.tables
        self._report = compiling.report
        self._events = self._fulfilling(on, self._asked.get(_EVENT, ()))
        """Those of `on` that `when` allows."""

    def warn(self, entries: Entries) -> None:
        if not self._events:
            self._warn_of_events(self._asked[_EVENT])
        for path, each in self._asked.items():
            if path != _EVENT and len(each) > 1:
                self._warn_of_opposites([asked for asked in each if not asked.opaque])
        self._warn_of_guarded(self._asked.get(_KIND, []))
        if "unless" in entries and self._events:
            mark, unless = entries["unless"]
            asked = [one for each in asked_of_fields(unless).values() for one in each]
            if asked and all(map(self._is_implied, asked)):
                told = "the rule never matches: 'unless' holds whenever 'when' does"
                self._report.warning(mark, told)

    def _warn_of_events(self, asked: list[Asked]) -> None:
        constants = [constant for each in asked for constant in each.constants or ()]
        if set(constants) <= set(EventName):  # of others it is told that they are not known
            told = f"no event of 'on' fulfils it: {', '.join(self._on)}"
            self._report.warning(asked[-1].mark, f"'event' never matches: {told}")

    def _warn_of_opposites(self, asked: list[Asked]) -> None:
        for one in asked:
            constants = one.constants
            if not constants or one.name.many or one.name.kind is Kind.NAMES:
                continue  # a list may hold them all
            others = [each for each in asked if each is not one]
            if not self._fulfilling(constants, others):
                first, last = asked[0].mark, asked[-1].mark
                told = f"nothing fulfils both this and what is asked at {first}"
                self._report.warning(last, f"'{one.dotted}' never matches: {told}")
                return

    def _warn_of_guarded(self, asked: list[Asked]) -> None:
        """Warn of kinds that only wildcards, or their being left over, ask for."""
        if not asked or any(each.constants for each in asked):
            return
        kinds = set(self._fulfilling(KINDS.constants, asked))
        unnamed = GUARDED_KINDS - named_kinds(self._when)
        if kinds and kinds <= unnamed and CARRIED_BY["participant"].issuperset(self._on):
            told = f"of the kinds known here it fits only {' and '.join(sorted(kinds))}"
            told = f"{told}, and the loop guard wants that to the letter"
            self._report.warning(asked[-1].mark, f"'participant.kind' never matches: {told}")

    def _fulfilling(self, values: Iterable[_T], asked: Iterable[Asked]) -> list[_T]:
        """The values that fulfil all that is asked."""
        left = list(values)
        for each in asked:
            holds = each.holds(left, self._tables)
            left = [value for value, fulfils in zip(left, holds, strict=True) if fulfils]
        return left

    def _is_implied(self, asked: Asked) -> bool:
        """Whether something that `unless` asks holds whenever `when` does."""
        if asked.path == _EVENT:
            return all(asked.holds(self._events, self._tables))
        return any(
            self._follows(asked, given)
            for given in self._asked.get(asked.path, ())
            if given.name is asked.name
        )

    def _follows(self, asked: Asked, given: Asked) -> bool:
        key = asked.path[-1]
        if asks_no_more({key: plain(asked.node)}, {key: plain(given.node)}):
            return True
        if asked.opaque or not given.constants or (asked.name.many and negates(asked.node)):
            return False
        return all(asked.holds(given.constants, self._tables))
