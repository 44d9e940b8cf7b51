"""What is wrong with rule files, said so that an editor can jump there."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from reprlib import Repr
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

Severity = Literal["error", "warning"]

_SHORT: Final = Repr()
_SHORT.maxlevel, _SHORT.maxlist = 3, 4


class Mark(NamedTuple):
    """A place in a rule file; line and column count from 1."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or looks wrong, in a rule file."""

    path: str
    line: int
    column: int
    severity: Severity
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.severity}: {self.message}"


class RuleErrors(Exception):
    """Rule files that do not load. `problems` holds every error found, and the warnings."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(slots=True)
class Report:
    """Collects problems while files are read, so that one run tells them all."""

    problems: list[Problem] = field(default_factory=list)

    def error(self, mark: Mark, message: str) -> None:
        """Note what keeps the rules from loading."""
        self._add(mark, "error", message)

    def warning(self, mark: Mark, message: str) -> None:
        """Note what loads but is probably not meant."""
        self._add(mark, "warning", message)

    @property
    def failed(self) -> bool:
        """Whether anything keeps the rules from loading."""
        return any(problem.severity == "error" for problem in self.problems)

    def _add(self, mark: Mark, severity: Severity, message: str) -> None:
        problem = Problem(mark.path, mark.line, mark.column, severity, printable(message))
        if problem not in self.problems[-64:]:  # an alias is read once for each use
            self.problems.append(problem)


def printable(text: str) -> str:
    """The text on one line, with what a terminal would obey or cannot show as its escape."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def nearest(word: str, known: Iterable[str], under: str = "") -> str:
    """`", did you mean 'x'?"` for a word close to a known one, else `""`.

    Args:
        word: what was written.
        known: what could have been.
        under: the dotted name both stand below; it is told and not compared.
    """
    by_folded = {name.casefold(): name for name in known}
    close = get_close_matches(word.casefold()[:100], by_folded, n=1, cutoff=0.6)
    prefix = f"{under}." if under else ""
    return f", did you mean '{prefix}{by_folded[close[0]]}'?" if close else ""


def quoted(value: object, limit: int = 60) -> str:
    """A value for a message: short, on one line, and quick to write however large it is."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    text = repr(value[: limit + 1]) if isinstance(value, str) else _SHORT.repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
