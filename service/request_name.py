"""The name of the request that is being answered, for every line that it logs."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

_PLAIN: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}\Z")


class RequestName:
    """Made up when it is first asked for, which most webhooks never do.

    Args:
        given: what a proxy calls it; taken over where that is plain.
    """

    __slots__ = ("_text",)

    def __init__(self, given: str) -> None:
        self._text = given if given and _PLAIN.match(given) else ""

    def __str__(self) -> str:
        if not self._text:
            self._text = secrets.token_hex(8)
        return self._text


CURRENT: Final[ContextVar[RequestName | None]] = ContextVar("request", default=None)


def add_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A processor of structlog."""
    if (current := CURRENT.get()) is not None:
        event["request_id"] = str(current)
    return event
