"""The real scripts on a real Valkey, asked without waiting, at a time that is handed in.

A simulation lasts milliseconds and plays minutes, so a script's `redis.call('TIME')` is replaced
by a read of two more keys, which carry the simulated time. Each script also tells when the first
room is due after it, so that nobody needs to ask again before that.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final, cast

import hiredis
from redis.exceptions import ResponseError

from workers import keys as catalogue
from workers import scripts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workers.scripts import Arg, Script

_TIME: Final = "redis.call('TIME')"
_HANDED_IN: Final = "{KEYS[#KEYS - 1], KEYS[#KEYS]}"
_WITH_FIRST_DUE: Final = """
local function script()
%s
end
local answer = script()
return {answer, redis.call('ZRANGE', '%s', 0, 0, 'WITHSCORES')[2] or ''}
"""
_AT_REST: Final = """
local found = {redis.call('ZRANGE', KEYS[1], 0, -1), redis.call('KEYS', ARGV[1] .. '*'), {}, {}}
for _, key in ipairs(redis.call('KEYS', ARGV[2] .. '*')) do
  found[3][#found[3] + 1] = string.sub(key, #ARGV[2] + 1)
  found[4][#found[4] + 1] = redis.call('HGET', key, 'record') or ''
end
return found
"""


def as_it_is(name: str, text: str) -> str:
    """The text of a script, unchanged."""
    return text


_NOTICES = """
local found = {redis.call('ZRANGE', KEYS[1], 0, -1), {}, {}}
for _, id in ipairs(found[1]) do
  found[2][#found[2] + 1] = redis.call('HGET', ARGV[1] .. id, 'body') or ''
end
for _, key in ipairs(redis.call('KEYS', ARGV[2] .. '*')) do
  found[3][#found[3] + 1] = redis.call('GET', key)
end
return found
"""


class Store:
    """A connection to an otherwise unused Valkey."""

    def __init__(self, path: str, change: Callable[[str, str], str] = as_it_is) -> None:
        """Connect.

        Args:
            path: of its socket.
            change: makes another text of a script from its name and text.
        """
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._reader = hiredis.Reader()
        self._change = change
        self._shas: dict[str, bytes] = {}
        self.first_due: float | None = None
        """When the first room is due, Unix seconds."""
        self.moved: Callable[[], None] = lambda: None
        """Called when that may have changed."""

    def reset(self) -> None:
        """Forget everything."""
        self.ask("FLUSHDB")
        self.first_due = None

    def run(self, script: Script, keys: Sequence[str], args: Sequence[Arg], now: float) -> Any:
        """Run a script at a time in Unix seconds."""
        sha = self._shas.get(script.name)
        if sha is None:
            sha = self._shas[script.name] = self._loaded(script)
        micros = int(now * 1_000_000)
        time = (micros // 1_000_000, micros % 1_000_000)
        answer, first = self.ask("EVALSHA", sha, len(keys) + 2, *keys, *time, *args)
        self.first_due = float(first) / 1000 if first else None
        self.moved()
        return answer

    def at_rest(self) -> tuple[list[bytes], list[bytes], dict[str, bytes]]:
        """The rooms that are due, the inboxes that hold something, and the records by room key."""
        due, inboxes, rooms, records = self.ask(
            "EVAL", _AT_REST, 1, catalogue.DUE, catalogue.INBOX, catalogue.ROOM
        )
        return due, inboxes, dict(zip((r.decode() for r in rooms), records, strict=True))

    def notices(self) -> tuple[dict[str, bytes], list[bytes]]:
        """What others are to be told, by its id; and the dispatches that history keeps."""
        ids, bodies, dispatches = self.ask(
            "EVAL", _NOTICES, 1, catalogue.NOTICES, catalogue.NOTICE, catalogue.DISPATCH
        )
        return dict(zip((each.decode() for each in ids), bodies, strict=True)), dispatches

    def ask(self, *command: Arg) -> Any:
        """Send a command and read its answer."""
        self._socket.sendall(hiredis.pack_command(cast("Any", command)))
        while (answer := self._reader.gets()) is False:
            self._reader.feed(self._socket.recv(1 << 12))
        if isinstance(answer, hiredis.HiredisError):
            raise ResponseError(str(answer))
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _loaded(self, script: Script) -> bytes:
        text = self._change(script.name, script.text).replace(_TIME, _HANDED_IN)
        sha: bytes = self.ask("SCRIPT", "LOAD", _WITH_FIRST_DUE % (text, catalogue.DUE))
        return sha


class Door:
    """The store as the web process' client: `Intake` runs its script through it."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def evalsha(self, sha: str, count: int, *more: Arg) -> Any:
        """Run the script of this digest."""
        assert sha == scripts.ACCEPT.sha
        named = [str(key) for key in more[:count]]
        return self._store.run(scripts.ACCEPT, named, more[count:], self._clock())
