"""What the work needs of a provider, in the provider's terms: rooms, dispatches, jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rules.event import Fields


@dataclass(frozen=True, slots=True)
class Order:
    """A dispatch to be created."""

    room: str
    agent: str
    deployment: str
    metadata: str
    attributes: Mapping[str, str]
    restart_policy: str
    version: str = ""
    """Of the agent, where the provider knows versions; `""` is the one in force."""


@dataclass(frozen=True, slots=True)
class Job:
    """One agent's work on a dispatch, as of when it was assigned."""

    identity: str
    """The identity the agent joins with."""
    worker_id: str
    status: str
    error: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A dispatch as the provider knows it. `created_at` is Unix seconds."""

    id: str
    agent: str
    deployment: str
    metadata: str
    attributes: Mapping[str, str]
    created_at: float
    jobs: tuple[Job, ...] = field(default=())


def identities(listed: Iterable[Listed]) -> set[str]:
    """What the agents of these dispatches join as, as far as their jobs have told."""
    return {job.identity for d in listed for job in d.jobs}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A room as a listing shows it, in the events' own names (rules/event.py)."""

    room: Fields | None
    """None: there is no room of that name."""
    participants: tuple[Fields, ...]
    """Those that are ACTIVE; others may never become it."""
    joining: frozenset[str] = frozenset()
    """Sids of those others."""


class Provider(Protocol):
    """Sends agents, and tells who is in a room.

    `project` is the API key it is called with.

    Each request it makes is over within `CALL_SECONDS`, and it raises only `ProviderError`.
    `room_sid` may wait for a listing that is under way, and `snapshot` makes two requests: they
    take twice as long. Where a provider answers page by page, all pages are one request.
    """

    project: str

    async def create(self, order: Order) -> Listed:
        """Create a dispatch.

        Raises:
            NotSent, Unauthorized, Refused, NotFound, NoAgent, Unclear: see workers/errors.py.
        """

    async def remove(self, room: str, identity: str) -> None:
        """Remove an agent from a room.

        Raises:
            NotFound: it was not there. The others as `create`.
        """

    async def room_sid(self, room: str) -> str | None:
        """Sid of the session a room name has now; None if it has none."""

    async def snapshot(self, room: str) -> Snapshot:
        """The room and who is in it."""

    async def rooms(self) -> Mapping[str, Fields]:
        """Every room there is, by its name."""

    async def people(self, room: Fields) -> Snapshot:
        """Who is in a room that was just listed. One that has ended meanwhile has nobody."""

    async def aclose(self) -> None:
        """Close what is open."""


class ListingProvider(Provider, Protocol):
    """One that keeps the dispatches it was given: they can be listed and deleted."""

    async def delete(self, room: str, dispatch_id: str) -> None:
        """Delete a dispatch. Its agent may stay if it is still on its way: `remove` it then.

        Raises:
            NotFound: it was not there. The others as `create`.
        """

    async def dispatches(self, room: str) -> Sequence[Listed]:
        """List a room's dispatches. The room must exist: ask `room_sid` first."""


CALL_SECONDS = 5.0
"""The longest one call may take."""
LOOKUP_SECONDS = 2 * CALL_SECONDS
"""The longest that `room_sid` or `snapshot` may take."""
EXECUTION_SECONDS = 7.0
"""How long after a Create began the provider may still be doing it (LiveKit: two inner calls of
3 s each)."""
