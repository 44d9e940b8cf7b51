"""What is wrong with a text that is not YAML, in words of who wrote it, and where the mistake is.

A parser tells where it could not go on, which often is behind the mistake, and what it expected,
in words of its own. The lines themselves say more: which way they are indented, what has no colon,
which quote runs over lines.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ruamel.yaml.error import MarkedYAMLError

from rules.problems import quoted
from rules.yaml_indentation import misplaced, unfinished

if TYPE_CHECKING:
    from collections.abc import Callable

    from ruamel.yaml.error import YAMLError

Place = tuple[int, int]
"""Line and column; both count from 0 here."""

_CLOSING: Final = {"[": "]", "{": "}"}
_TEMPLATE: Final = re.compile(r"(?:^|[-:,\[] +)(\{[{%#])")
_BLOCK: Final = re.compile(r"[:-] +[|>][-+]?\s*\Z")
_COMMENT: Final = re.compile(r"\s#")


def mistake(error: YAMLError, text: str) -> tuple[int, int, str]:
    """A mistake's line and column, which count from 1, and what it is."""
    if not isinstance(error, MarkedYAMLError):
        line, column = _unprintable(text)
        return line + 1, column + 1, _first_line(error)
    (line, column), message = _Mistake(error, text).told()
    return line + 1, column + 1, message


class _Mistake:
    def __init__(self, error: MarkedYAMLError, text: str) -> None:
        self.lines = re.split(r"\r\n|\r|\n", text)
        self.problem = str(error.problem or "")
        self.context = str(error.context or "")
        at = error.problem_mark or error.context_mark
        self.at: Place = (at.line, at.column) if at else (0, 0)
        begun = error.context_mark or at
        self.begun: Place = (begun.line, begun.column) if begun else (0, 0)

    def told(self) -> tuple[Place, str]:
        """Where it is, and what."""
        for said, tell in _TOLD:
            if said in self.problem or said in self.context:
                found = tell(self)
                if found is not None:
                    return found
        words = ", ".join(part for part in (self.context, self.problem) if part)
        return self.at, words or "it cannot be read"

    def line(self, place: Place) -> str:
        """The line of a place; empty behind the last."""
        return self.lines[place[0]] if place[0] < len(self.lines) else ""

    def rest(self, place: Place) -> str:
        """What stands on its line from a place on."""
        return self.line(place)[place[1] :]

    def tab(self) -> tuple[Place, str]:
        """A tab where a word would begin."""
        if self.line(self.at)[: self.at[1]].strip():
            return self.at, "a tab: write spaces"
        return self.at, "a tab: YAML is indented with spaces"

    def beginning(self) -> tuple[Place, str]:
        """A character that no unquoted value begins with."""
        row, column = self.at
        if self.rest((row, column - 1)).startswith("{%"):
            return (row, column - 1), "a value cannot begin with '{%': quote it, \"{% … %}\""
        return self.at, f"a value cannot begin with {quoted(self.rest(self.at)[:1])}: quote it"

    def star(self) -> tuple[Place, str]:
        """An alias or an anchor without a name."""
        sign = self.rest(self.begun)[:1]
        return self.begun, f"a value cannot begin with '{sign}': quote it"

    def block_text(self) -> tuple[Place, str] | None:
        """Text right behind the sign of a text of several lines."""
        sign = self.rest(self.begun)[:1]
        if sign not in ("|", ">") or self.at[0] != self.begun[0]:
            return None
        told = f"a value cannot begin with '{sign}': quote it, or begin its text on the next line"
        return self.begun, told

    def quote(self) -> tuple[Place, str]:
        """A quote that is open where the file ends."""
        return self.begun, f"the {self.rest(self.begun)[:1]} opened here is never closed"

    def escape(self) -> tuple[Place, str]:
        """A backslash that begins no escape."""
        row, column = self.at
        back = max(self.line(self.at).rfind("\\", 0, column + 1), 0)
        told = "in \"…\" a backslash begins an escape: write '\\\\', or put the text in '…'"
        return (row, back), told

    def flow(self) -> tuple[Place, str]:
        """A list in `[…]` or a mapping in `{…}` that goes on otherwise than it can."""
        opened = self.rest(self.begun)[:1]
        closing = _CLOSING.get(opened, "]")
        template = self.template()
        if template is not None:
            return template
        row, column = self.begun
        here = f"'{opened}' opened at line {row + 1}, column {column + 1}"
        if self.at[0] == row and self.rest(self.at).strip():
            found = self.rest(self.at)[0]
            if found in "]}":
                return self.at, f"'{found}' does not close the {here}: '{closing}' does"
            if found == ":":
                told = f"a ':' too many in the {here}: put ',' between its entries"
                return self.at, f"{told}, and quote a value that holds ': '"
            return self.at, f"a ',' or '{closing}' is missing here, in the {here}"
        if _indent(self.line(self.at)) > _indent(self.line(self.begun)) and self.rest(self.at):
            return self.at, f"a ',' or '{closing}' is missing before this, in the {here}"
        return self.unclosed(opened)

    def unclosed(self, opened: str) -> tuple[Place, str]:
        """A bracket that is open where its line ends, if it is not for a quote on that line."""
        row, column = self.begun
        line = self.line(self.begun)
        for quote in ("'", '"'):
            start = line.rfind(quote)
            if self.at[0] > row and line.count(quote) % 2 and start > column:
                return (row, start), f"the {quote} opened here is not closed on its line"
        hint = ": what follows ' #' is a comment, unless it is quoted"
        is_cut = _COMMENT.search(line, column)
        return self.begun, f"the '{opened}' opened here is never closed{hint if is_cut else ''}"

    def not_a_key(self) -> tuple[Place, str]:
        """A colon behind what cannot be a key: a value, or a line that goes on with one."""
        row, column = self.at
        before = self.lines[row][:column]
        if re.search(r":\s", before):
            return self.at, "a second ': ' in one line: quote the value that holds it"
        return unfinished(self.lines, row) or misplaced(self.lines, row)

    def no_colon(self) -> tuple[Place, str]:
        """A line among keys that has no key."""
        row = self.begun[0]
        quote = self.rest(self.begun)[:1]
        if quote in ("'", '"') and self.rest(self.begun).count(quote) % 2:
            return self.begun, f"the {quote} opened here is not closed on its line"
        if row and _BLOCK.search(self.lines[row - 1]):
            sign = self.lines[row - 1].split()[-1]
            return self.begun, f"the text below '{sign}' has to be indented further than its key"
        found = unfinished([*self.lines[: row + 1], ""], row + 1)
        return found or (self.begun, f"a ':' is missing after {quoted(self.rest(self.begun))}")

    def out_of_place(self) -> tuple[Place, str] | None:
        """What is neither the next key, nor the next item, nor the end of what is open."""
        row, column = self.at
        if not self.line(self.at)[:column].strip():
            glued = re.match(r"-[^\s-]", self.rest(self.at))
            if glued:
                return (row, column + 1), "a space is missing after '-'"
            return misplaced(self.lines, row)
        template = self.template()
        if template is not None:
            return template
        found = self.rest(self.at)[:1]
        if found in ("]", "}"):
            return self.at, f"a '{found}' that closes nothing: quote the text if it belongs to one"
        behind = self.line(self.at)[:column].rstrip()[-1:]
        if behind in ("'", '"'):
            return self.behind_quote(behind)
        return self.at, f"{quoted(self.rest(self.at))} cannot stand behind what is before it"

    def behind_root(self) -> tuple[Place, str]:
        """What stands behind the only value a file has, or a directive that is none."""
        row = next((row for row, line in enumerate(self.lines) if line.strip()), 0)
        if self.lines[row].startswith("%"):
            return (row, 0), "a line cannot begin with '%': quote it"
        found = unfinished(self.lines, self.at[0])
        told = "this does not belong to what is before it: is it indented wrong, or a ':' missing?"
        return found or (self.at, told)

    def behind_quote(self, quote: str) -> tuple[Place, str]:
        """Text behind a closing quote; or the quote was to open, and an earlier one is open."""
        row, column = self.at
        line = self.line(self.at)[:column].rstrip()
        if line.count(quote) % 2:
            for above in range(row - 1, -1, -1):
                if self.lines[above].count(quote) % 2:
                    opened = self.lines[above].rfind(quote)
                    told = f"the {quote} opened here is closed only at line {row + 1}, column "
                    return (above, opened), f"{told}{len(line)}"
        twice = "''" if quote == "'" else '\\"'
        told = f"text behind a closing {quote}: quote the whole value"
        return self.at, f"{told}, and write a {quote} in it as {twice}"

    def template(self) -> tuple[Place, str] | None:
        """A template that is not quoted, on the line where the parser could not go on."""
        row, column = self.at
        found = _TEMPLATE.search(self.line(self.at)[:column])
        if found is None:
            return None
        told = f"a value cannot begin with '{found[1]}': quote it, \"{{{{ … }}}}\""
        return (row, found.start(1)), told

    def item_in_value(self) -> tuple[Place, str]:
        """`- ` where a value begins."""
        return self.at, "a value cannot begin with '- ': quote it, or begin a list on the next line"

    def question(self) -> tuple[Place, str]:
        """`? ` where a value begins."""
        return self.at, "a value cannot begin with '? ': quote it"

    def nothing(self) -> tuple[Place, str] | None:
        """A sign of flow style where a value begins."""
        found = self.rest(self.at)[:1]
        if found not in (",", "]", "}"):
            return None
        return self.at, f"a value cannot begin with '{found}': quote it"


_TOLD: Final[tuple[tuple[str, Callable[[_Mistake], tuple[Place, str] | None]], ...]] = (
    ("'\\t'", _Mistake.tab),
    ("cannot start any token", _Mistake.beginning),
    ("scanning an alias", _Mistake.star),
    ("scanning an anchor", _Mistake.star),
    ("scanning a block scalar", _Mistake.block_text),
    ("unexpected end of stream", _Mistake.quote),
    ("escape", _Mistake.escape),
    ("parsing a flow", _Mistake.flow),
    ("mapping values are not allowed", _Mistake.not_a_key),
    ("could not find expected ':'", _Mistake.no_colon),
    ("expected <block end>", _Mistake.out_of_place),
    ("expected '<document start>'", _Mistake.behind_root),
    ("sequence entries are not allowed", _Mistake.item_in_value),
    ("mapping keys are not allowed", _Mistake.question),
    ("expected the node content", _Mistake.nothing),
)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _first_line(error: YAMLError) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "it cannot be read"


def _unprintable(text: str) -> Place:
    for number, line in enumerate(text.split("\n")):
        for column, character in enumerate(line):
            if not (character.isprintable() or character in "\t\r"):
                return number, column
    return 0, 0
