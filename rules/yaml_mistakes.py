"""What is wrong with a text that is not YAML, and where."""

from __future__ import annotations

from ruamel.yaml.error import MarkedYAMLError, YAMLError


def mistake(error: YAMLError, text: str) -> tuple[int, int, str]:
    """A mistake's line and column, which count from 1, and what it is."""
    if not isinstance(error, MarkedYAMLError):
        return *_unprintable(text), _first_line(error)
    at = error.problem_mark or error.context_mark
    return (at.line + 1, at.column + 1, _said(error)) if at else (1, 1, _said(error))


def _said(error: MarkedYAMLError) -> str:
    parts = [part for part in (error.context, error.problem) if part]
    if "'\\t'" in str(error.problem):
        return "a tab: YAML is indented with spaces"
    if "alias" in str(error.context):
        parts.append("quote a text that begins with '*'")
    return ", ".join(parts) or "it cannot be read"


def _first_line(error: YAMLError) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "it cannot be read"


def _unprintable(text: str) -> tuple[int, int]:
    for number, line in enumerate(text.split("\n"), start=1):
        for column, character in enumerate(line, start=1):
            if not (character.isprintable() or character in "\t\r"):
                return number, column
    return 1, 1
