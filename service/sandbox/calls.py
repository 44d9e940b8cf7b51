"""What was asked of the server, when, and what became of it."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import Message

from service.sandbox.protojson import plain

_REMEMBERED: Final = 50_000


@dataclass(slots=True)
class Call:
    """One call of the API."""

    method: str
    """Such as `CreateDispatch`."""
    room: str
    asked: Message | dict[str, Any]
    """The request as it came."""
    at: float
    """When it came, Unix seconds."""
    seconds: float | None = None
    """How long it took; None while it is under way, or hangs."""
    status: int | None = None
    """The HTTP status; None if there was no answer."""
    fault: str | None = None
    """Name of the fault it met."""
    worked: bool = False
    """Whether it was carried out."""
    caller: str | None = None
    """The address it came from, where that is known."""

    @property
    def request(self) -> dict[str, Any]:
        """The request as JSON; LiveKit's in its snake_case, zero values left out."""
        return plain(self.asked) if isinstance(self.asked, Message) else self.asked

    def to_json(self) -> dict[str, Any]:
        """As the control API shows it."""
        shown = {name: getattr(self, name) for name in self.__slots__ if name != "asked"}
        return {**shown, "request": self.request}


@dataclass(slots=True)
class Calls:
    """The log of calls, oldest first; the counts outlive what the log forgets."""

    log: deque[Call] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, call: Call) -> None:
        """Note a call that has just come."""
        self.log.append(call)
        self.counts[call.method] += 1

    def of(self, method: str | None = None, room: str | None = None) -> list[Call]:
        """The calls of a method, of a room, of both, or all of them."""
        return [
            call
            for call in list(self.log)
            if (method is None or call.method == method) and (room is None or call.room == room)
        ]

    def clear(self) -> None:
        """Forget them."""
        self.log.clear()
        self.counts.clear()
