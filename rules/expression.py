"""`if`: an expression in CEL, the Common Expression Language, over the names of conditions.

Types are checked when a file is loaded. What an event does not carry, or carries in another type
than is asked for, is no match: CEL has no other way to say so than an error.

Source: https://cel.dev, by Google's own implementation, which bounds loops and whose regular
expressions are RE2's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from cel_expr_python import cel

from rules.expression_faults import ExpressionError, Fault, failure, faults, type_words
from rules.expression_types import checking_environment, evaluating_environment
from rules.expression_values import TooMuchError, given
from rules.names import CONDITION_NAMES
from rules.problems import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_SOURCE: Final = 16 * 1024
"""Characters an expression may have."""

_TEXT: Final = (
    r"""[rRbB]{0,2}(?:'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")"""
)
_TEXTS: Final = re.compile(_TEXT, re.DOTALL)
_BUILDS: Final = re.compile(r"\.\s*(?:map|filter)\s*\(")
_PATTERNS: Final = re.compile(rf"\.matches\(\s*({_TEXT})\s*\)", re.DOTALL)
_WORDS: Final = re.compile(r"(?<![\w)\]]\.)(?<!\w)[A-Za-z_]\w*")
_PATHS: Final = re.compile(r"(?<![.\w])[a-z_]+(?:\.[A-Za-z_]\w*)*\b(?!\()")
_SHOWN_VALUES: Final = 4


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression, compiled."""

    source: str
    names: frozenset[str]
    """Names of conditions it reads, such as `room`."""
    builds: bool
    """Whether it makes lists, by `map` or `filter`."""
    compiled: cel.Expression

    def refusal(self, facts: Mapping[str, Any]) -> str | None:
        """Why it does not hold, in words; None if it does."""
        try:
            data = given(self.names, facts, builds=self.builds)
            answer = self.compiled.eval(data=data)
            value, is_error = answer.value(), answer.type() == cel.Type.ERROR
        except TooMuchError as error:
            return str(error)
        except (RuntimeError, ValueError, TypeError, OverflowError) as error:
            value, is_error = str(error), True
        if is_error:
            return failure(value)
        if isinstance(value, bool):
            return None if value else self._falsehood(data)
        return f"it is {quoted(value)}, neither true nor false"

    def _falsehood(self, data: Mapping[str, Any]) -> str:
        """That it is false, and what was there of what it reads."""
        paths = dict.fromkeys(_PATHS.findall(_without_texts(self.source)))
        found = {path: _at(path, data) for path in paths}
        shown = [f"{path} is {quoted(value)}" for path, value in found.items() if value is not None]
        return ": ".join(filter(None, ("it is false", ", ".join(shown[:_SHOWN_VALUES]))))


@lru_cache(maxsize=4096)
def compile_expression(source: str) -> Expression:
    """Compile an expression and check its names and types.

    Raises:
        ExpressionError: it cannot be, and says all that is wrong.
    """
    if len(source) > MAX_SOURCE:
        told = f"an expression of {len(source):,} characters: {MAX_SOURCE:,} are allowed"
        raise ExpressionError(Fault(1, 1, told))
    try:
        answers = checking_environment().compile(source).return_type().name()
        compiled = evaluating_environment().compile(source)
    except (RuntimeError, ValueError) as error:
        raise ExpressionError(*faults(str(error))) from error
    if answers not in ("BOOL", "DYN"):
        told = f"it must be true or false, and this is {type_words(answers)}"
        raise ExpressionError(Fault(1, 1, told))
    _check_patterns(source)
    bare = _without_texts(source)
    names = frozenset(_WORDS.findall(bare)) & CONDITION_NAMES.fields.keys()
    return Expression(source, names, _BUILDS.search(bare) is not None, compiled)


def _without_texts(source: str) -> str:
    return _TEXTS.sub("''", source)


def _check_patterns(source: str) -> None:
    """Find regular expressions that RE2 refuses: CEL looks at them only when it evaluates."""
    for literal in _PATTERNS.findall(source):
        asked = evaluating_environment().compile(f"''.matches({literal})").eval(data={})
        if asked.type() == cel.Type.ERROR:
            raise ExpressionError(Fault(1, 1, failure(asked.value())))


def _at(path: str, data: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    value: Any = data
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return None if isinstance(value, dict) else value
