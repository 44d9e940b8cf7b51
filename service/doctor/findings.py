"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and may not always."""
    FAILED = "failed"
    """It does not work, or loses something."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    """What was looked at, in a few words that stay the same."""
    status: Status
    found: str
    todo: str = ""
    """What to do; `""` where nothing is to be done."""


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, Status.OK, found)


def warning(check: str, found: str, todo: str) -> Finding:
    """It works, and may not always."""
    return Finding(check, Status.WARNING, found, todo)


def failed(check: str, found: str, todo: str) -> Finding:
    """It does not work."""
    return Finding(check, Status.FAILED, found, todo)
