"""The records of large rooms as one loop has last written them, so that it need not read them anew.

A room of thousands has a record of hundreds of kilobytes, written at each join. Reading it from
JSON takes milliseconds, in which every other room of the loop waits.
"""

from __future__ import annotations

from typing import Final

from workers.record import Record

LARGE_BYTES: Final = 16 * 1024
"""A record of about a hundred people; reading a smaller one takes no time to speak of."""
MOST_BYTES: Final = 4 * 1024 * 1024
"""Of all that are remembered, as JSON. They take some ten times that in memory."""


class RecentRecords:
    """One for each loop. What is remembered is what Redis has, to the byte, or is not taken."""

    def __init__(self) -> None:
        self._records: dict[str, tuple[bytes, Record]] = {}
        """By room key, the longest unused first."""
        self.bytes = 0
        """Of all that are remembered, as JSON."""

    def read(self, room_key: str, stored: bytes) -> Record:
        """The record of a room that Redis keeps as `stored`.

        Raises:
            ValueError, LookupError, TypeError: that is not a record.
        """
        if len(stored) < LARGE_BYTES:
            return Record.from_json(stored)
        text, record = self._records.get(room_key, (b"", None))
        if record is None or text != stored:
            record = Record.from_json(stored)
        self.wrote(room_key, stored, record)
        return record

    def wrote(self, room_key: str, stored: bytes, record: Record) -> None:
        """Remember a record that Redis keeps as `stored` from now on."""
        before, _ = self._records.pop(room_key, (b"", None))
        self.bytes -= len(before)
        if not LARGE_BYTES <= len(stored) <= MOST_BYTES:
            return
        self._records[room_key] = (stored, record)
        self.bytes += len(stored)
        while self.bytes > MOST_BYTES:
            longest_unused = next(iter(self._records))
            self.bytes -= len(self._records.pop(longest_unused)[0])
