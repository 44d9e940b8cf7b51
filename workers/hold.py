"""A room that is held: what was claimed of it, and what is still to be written."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workers import keys
from workers.compact import compact
from workers.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workers.metrics import Count


@dataclass(frozen=True, slots=True)
class Document:
    """Something to be kept beside a room: shown to people, not needed to go on."""

    key: str
    value: dict[str, Any]
    at: float
    """Its time among others, Unix seconds."""
    place: str
    """Of it in the index; see workers/places.py."""
    index: str
    """Key of the sorted set that lists documents of its kind, or the beginning of those that list
    them by state and route."""
    by_room: str = ""
    """Key of the list that has it with the others of its room; `""` if none does."""
    state: str = ""
    before: str = ""
    """The state it is listed under so far; `""` if it is new, or has none."""
    route: str = ""

    def args(self) -> list[str | int]:
        """As `commit.lua` takes it."""
        at = f"{self.at * 1000:.3f}"
        where = (self.place, self.by_room, self.index)
        return [self.key, compact(self.value), at, *where, self.state, self.before, self.route]


Note = tuple[str, ...]
"""A Redis command that counts something, and its arguments: carried out with a commit, or never."""


@dataclass(slots=True)
class Gathered:
    """Events that have been decided and ask for nothing, to be written with what comes next.

    Until then they are in the inbox, and decided again if this process dies.
    """

    taken: list[str] = field(default_factory=list)
    """Their ids, in order."""
    documents: list[Document] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)
    is_other: bool = False
    """Whether the record is not as it is stored."""


@dataclass(slots=True)
class Hold:
    """A room under a lease. Whoever has it works on the room alone, until it is fenced."""

    room_key: str
    token: str
    """Whose lease it is. No two leases have the same, even if Redis has lost its last second."""
    tries: int
    """How often a lease has begun on the event at the inbox's head (or on the room's timers, if
    the inbox is empty), this one counted."""
    stored: bytes
    """The record as Redis keeps it, not read yet: a room whose record cannot be read must fail
    alone."""
    entries: Sequence[bytes]
    """Inbox entries in order; empty if the room is due for its timers."""
    expires: float
    """When the lease ends, by `monotonic`, never later than Redis sees it."""
    record: Record = field(default_factory=Record)
    poisoned: str | None = field(default=None)
    """Id of the event being decided; what it raises counts against it."""
    more: bool = False
    """Whether the inbox holds more events than were taken."""
    gathered: Gathered = field(default_factory=Gathered)
    gathers: bool = False
    """Whether events may be put off together: not those among which one may have ended a lease in a
    crash, for each of them must be known by its name."""
    has_tokens: bool = False
    """Whether join tokens with agents may be in use there: see workers/by_token.py."""
    not_before: float | None = field(default=None)
    """When to be due again at the earliest, Unix seconds, whatever the record says."""
    monotonic: Callable[[], float] = field(default=time.monotonic)
    """This process's clock that is never set, seconds."""

    @property
    def server_id(self) -> str:
        """The room's server."""
        return keys.split_room_key(self.room_key)[0]

    @property
    def room(self) -> str:
        """The room's name."""
        return keys.split_room_key(self.room_key)[1]

    def gather(
        self,
        record: Record,
        documents: Sequence[Document],
        *,
        taken: str,
        notes: Sequence[Note] = (),
        counts: Sequence[Count] = (),
    ) -> None:
        """Put off the commit of the event at the inbox's head: the next commit carries it."""
        self.gathered.taken.append(taken)
        self.gathered.documents += documents
        self.gathered.notes += notes
        self.gathered.counts += counts
        self.gathered.is_other = self.gathered.is_other or record is not self.record
        self.record, self.entries = record, self.entries[1:]

    @property
    def left(self) -> float:
        """Seconds of the lease that are left."""
        return self.expires - self.monotonic()
