"""`dispatcher worker` that kills itself between two effects.

For a room named `crash-<n>` it dies at the n-th point of the work on it, once: there is one before
each write to Redis and each call to LiveKit, and so one after each. `CRASHED` names the folder in
which it remembers where it has died.
"""

from __future__ import annotations

import functools
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from service.cli import main
from workers.inbox import DueQueue, Hold
from workers.providers.livekit import LiveKit

CRASHED = Path(os.environ["CRASHED"])
CALLS = ("create", "delete", "remove", "dispatches", "room_sid", "snapshot")
_points: Counter[str] = Counter()

Effect = Callable[..., Awaitable[Any]]


def point(room: str, what: str) -> None:
    """Die here, if this is the point of this room."""
    word, _, number = room.partition("-")
    if word != "crash":
        return
    here, _points[room] = _points[room], _points[room] + 1
    died = CRASHED / room
    if here == int(number) and not died.exists():
        died.write_text(what)
        os.kill(os.getpid(), signal.SIGKILL)


def between(room_of: Callable[..., str], name: str, effect: Effect) -> Effect:
    """An effect with a point before it."""

    @functools.wraps(effect)
    async def walked(*args: Any, **more: Any) -> Any:
        point(room_of(*args), name)
        return await effect(*args, **more)

    return walked


def _room_of_call(_: object, about: Any) -> str:
    return getattr(about, "room", about)


def _room_of_hold(_: object, hold: Hold, *__: object) -> str:
    return hold.room


DueQueue.commit = between(_room_of_hold, "commit", DueQueue.commit)  # type: ignore[method-assign]
for call in CALLS:
    setattr(LiveKit, call, between(lambda *a: _room_of_call(*a[:2]), call, getattr(LiveKit, call)))

main(["worker"])
