"""Events as they are given to commands: JSON in a file, on standard input, or in the argument."""

from __future__ import annotations

import errno
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from service.cli.commands import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOWN: Final = 120
"""Characters of an argument that are shown."""


@dataclass(frozen=True, slots=True)
class Given:
    """An event somebody gave us."""

    body: dict[str, Any]
    at: float | None
    """When it came, Unix seconds; None if it does not say."""
    raw: bytes | None = None
    """The very bytes of a recorded delivery."""


def read_given(argument: str) -> Given:
    """Read one event: a file's path, `-`, or the JSON itself.

    Raises:
        Failure: it cannot be read or is no event.
    """
    if argument.lstrip().startswith("{"):
        return _event(argument, "the event")
    where = "standard input" if argument == "-" else argument
    if argument != "-" and not _may_be_read(argument):
        shown = argument if len(argument) <= _SHOWN else f"{argument[:_SHOWN]}…"
        raise Failure(f"{shown!r} is neither a file nor a JSON object", 2)
    return _event(read_text(argument), where)


def read_lines(path: str) -> Iterator[Given]:
    """Read a file of one event a line; empty lines are passed over.

    Raises:
        Failure: it cannot be read, or a line is no event.
    """
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            yield _event(line, f"{path}:{number}")


def read_text(path: str) -> str:
    """A file's text, or standard input's for `-`.

    Raises:
        Failure: it cannot be read.
    """
    try:
        if path == "-":
            return sys.stdin.read()
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", 2) from None
    except ValueError:
        raise Failure(f"{path}: not UTF-8 text", 2) from None


def read_object(text: str, where: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        Failure: it is not one; the message says where.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise Failure(f"{where}:{error.lineno}:{error.colno}: {error.msg}", 2) from None
    except (ValueError, RecursionError) as error:
        raise Failure(f"{where}: {error}", 2) from None
    if not isinstance(value, dict):
        raise Failure(f"{where}: a JSON object is needed", 2)
    return value


def _may_be_read(path: str) -> bool:
    """Whether it names a file, or a pipe such as `<(…)`; JSON may be longer than a name can be."""
    try:
        return Path(path).exists() and not Path(path).is_dir()
    except OSError as error:
        return error.errno != errno.ENAMETOOLONG  # reading tells what is wrong


def _event(text: str, where: str) -> Given:
    found = read_object(text, where)
    if isinstance(found.get("body"), str):  # a recorded delivery
        raw: str = found["body"]
        return Given(read_object(raw, where), _seconds(found.get("at")), raw.encode())
    body = found["body"] if isinstance(found.get("body"), dict) else found
    if not isinstance(body.get("event"), str):
        raise Failure(f"{where}: an event needs its name in 'event', such as participant_joined", 2)
    created = body.get("created_at", body.get("createdAt"))
    return Given(body, _seconds(found.get("at", created)))


def _seconds(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]  # whatever it is, it may be a number
    except (TypeError, ValueError):
        return None
