"""Where lines of the log go: a stream whose writing never fails.

A full disk, a reader that has gone (`2>&1 | head`) or a closed terminal must stop no work. What
cannot be written is lost, and the next line is tried again.
"""

from __future__ import annotations

import io
import os
import threading
from contextlib import suppress
from typing import TextIO


class LogStream(io.TextIOBase):
    """Writes whole lines to a stream, or loses them. For any number of threads.

    A stream that has a file is written past its buffer: what stays in there, Python would try to
    write at the end of the process, and have it end with status 120.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._has_file = _has_file(stream)
        self._lock = threading.Lock()
        self._is_torn = False
        """Whether the last line was cut short: the next one begins below it."""

    def isatty(self) -> bool:
        """Whether somebody reads it live."""
        return self._stream.isatty()

    def write(self, text: str) -> int:
        """Write lines, if that is possible; their length."""
        with self._lock, suppress(OSError, ValueError):  # ValueError: it was closed
            if self._has_file:
                self._put(text.encode(self._stream.encoding, "backslashreplace"))
            else:
                self._stream.write(text)
                self._stream.flush()
        return len(text)

    def _put(self, rest: bytes) -> None:
        if self._is_torn:
            rest = b"\n" + rest
        while rest:
            written = os.write(self._stream.fileno(), rest)
            rest = rest[written:]
            self._is_torn = bool(rest)


def _has_file(stream: TextIO) -> bool:
    try:
        stream.fileno()
    except (OSError, ValueError):
        return False
    return True
