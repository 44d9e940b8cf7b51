"""`dispatcher worker` that kills or stops itself between two effects.

For a room named `crash-<n>` it dies at the n-th point of the work on it, once: there is one before
each write to Redis and each call to a provider, and so one after each. `crash-<effect>` is the
first point before that effect, such as `crash-create`; for a room named `stop-…` it does not die
there, it stands still until somebody sends SIGCONT. `CRASHED` names the folder in which it
remembers where that was.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.cli import main
from workers.inbox import DueQueue
from workers.providers.livekit import LiveKit
from workers.providers.videosdk import VideoSdk

if TYPE_CHECKING:
    from workers.hold import Hold

CRASHED = Path(os.environ["CRASHED"])
SIGNALS = {"crash": signal.SIGKILL, "stop": signal.SIGSTOP}
CALLS = ("create", "delete", "remove", "dispatches", "room_sid", "snapshot")
_points: Counter[str] = Counter()

Effect = Callable[..., Awaitable[Any]]


def point(room: str, what: str) -> None:
    """Die or stop here, if this is the point of this room."""
    word, _, where = room.partition("-")
    if word not in SIGNALS:
        return
    here, _points[room] = _points[room], _points[room] + 1
    was_here = CRASHED / room
    if where in (str(here), what) and not was_here.exists():
        was_here.write_text(what)
        # To this thread: sent to the process, it may go on for a moment.
        signal.pthread_kill(threading.get_ident(), SIGNALS[word])


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
for provider in (LiveKit, VideoSdk):
    for call in CALLS:
        if effect := getattr(provider, call, None):
            setattr(provider, call, between(lambda *a: _room_of_call(*a[:2]), call, effect))

main(["worker"])
