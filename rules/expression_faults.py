"""What is wrong with an expression, in the words of the rule language instead of CEL's."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from rules.expression_types import groups
from rules.names import CONDITION_NAMES
from rules.problems import nearest, quoted

_ERRORS: Final = re.compile(
    r"^(?:[A-Z_]+: )?ERROR: <input>:(\d+):(\d+): (.*?)(?: \[[A-Z_]+\])?$", re.MULTILINE
)
_CODES: Final = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$")
_NO_FIELD: Final = re.compile(r"undefined field '(\w+)' not found in struct '(\w+)'")
_NO_NAME: Final = re.compile(r"undeclared reference to '([\w.]+)'")
_NO_OVERLOAD: Final = re.compile(
    r"found no matching overload for '(.+?)' applied to '\((.*)\)'"
    r"|No matching overloads found : (.+?)\((.*)\)"
)
_ABSENT: Final = re.compile(r"No value with name \"(\w+)\"|Key not found in map : \"?([^\"]+)")
_READ: Final = 1000
_SHOWN: Final = 200
"""Characters of what CEL says."""
_TYPE_WORDS: Final = {
    "string": "text",
    "double": "a fraction",
    "int": "a whole number",
    "int64": "a whole number",
    "bool": "true or false",
}
_TYPES: Final = re.compile(rf"\b({'|'.join(_TYPE_WORDS)})\b", re.IGNORECASE)
_FUNCTIONS: Final = (
    *("has", "size", "matches", "contains", "startsWith", "endsWith", "exists", "all"),
    *("exists_one", "filter", "map", "int", "double", "string", "timestamp", "duration"),
)


class Fault(NamedTuple):
    """Something wrong in an expression; line and column count from 1 within it."""

    line: int
    column: int
    message: str


class ExpressionError(Exception):
    """An expression that a rule cannot use."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults


def faults(error: str) -> tuple[Fault, ...]:
    """All that CEL says is wrong with an expression it does not compile."""
    found = tuple(
        Fault(int(line), int(column), _clear(message))
        for line, column, message in _ERRORS.findall(error)
    )
    return found or (Fault(1, 1, failure(error)),)


def failure(error: str) -> str:
    """What CEL says of an evaluation that came to no value."""
    lines = error.splitlines() or ["it has no value"]
    text = _CODES.sub("", lines[0][:_READ])
    if absent := _ABSENT.search(text):
        return f"{quoted(absent[1] or absent[2])} is absent"
    return _shortened(_unfit(text) or text)


def _shortened(text: str) -> str:
    """What CEL says may repeat what a participant wrote."""
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def type_words(words: str) -> str:
    """CEL's types in the words of the rule language."""
    return _TYPES.sub(lambda found: _TYPE_WORDS[found[0].lower()], words)


def _clear(message: str) -> str:
    if field := _NO_FIELD.search(message):
        key, group = field.groups()
        above = group if group in CONDITION_NAMES.fields else group.replace("_", ".")
        return f"unknown field '{above}.{key}'{nearest(key, groups()[group].fields, above)}"
    if name := _NO_NAME.search(message):
        word = name[1].partition(".")[0]
        return f"unknown name '{word}'{nearest(word, (*CONDITION_NAMES.fields, *_FUNCTIONS))}"
    if message.startswith("Syntax error"):
        told = message.removeprefix("Syntax error: ").partition(" expecting ")[0]
        ends = "<EOF>" in told
        return f"not an expression: {'it ends too early' if ends else told}"
    return _unfit(message) or message


def _unfit(message: str) -> str | None:
    found = _NO_OVERLOAD.search(message)
    if found is None:
        return None
    operation, operands = (part for part in found.groups() if part is not None)
    name = operation.strip("_") if operation.startswith("_") else operation
    return f"'{name}' does not go with ({type_words(operands)})"
