"""The rules as this process last read them well, and what is wrong with the files since."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rules.files import content_hash, rule_files
from rules.loader import load
from rules.problems import Report, RuleErrors

if TYPE_CHECKING:
    from collections.abc import Callable

    from rules.ruleset import Ruleset

LOOK_SECONDS: Final = 2.0
"""How old an answer may be; a health check a second must not read a folder a second."""


@dataclass(frozen=True, slots=True)
class InForce:
    """A set of rules that loaded, or none; and the errors of files that do not load now."""

    ruleset: Ruleset | None
    errors: tuple[str, ...]


class RulesInForce:
    """Reads a rule source again when its content has changed. For any number of threads."""

    def __init__(self, source: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._now = InForce(None, ())
        self._content = ""
        self._looked = float("-inf")

    def look(self) -> InForce:
        """The rules in force now."""
        with self._lock:
            if self._clock() - self._looked >= LOOK_SECONDS:
                self._read()
                self._looked = self._clock()
            return self._now

    def _read(self) -> None:
        report = Report()
        content = content_hash(rule_files(self._source, report))
        if content == self._content and not report.failed:
            return
        self._content = content
        try:
            self._now = InForce(load(self._source), ())
        except RuleErrors as error:
            errors = tuple(str(p) for p in error.problems if p.severity == "error")
            self._now = InForce(self._now.ruleset, errors)
