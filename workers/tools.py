"""What the work on a room needs at hand: rules, the due-queue, the providers, chance."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from rules.decision import Provider as Name
from workers.clock import Ahead
from workers.presence import AtWork

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping

    from rules.ruleset import Ruleset
    from workers.inbox import DueQueue
    from workers.providers.base import ListingProvider, Provider
    from workers.receivers import Topic
    from workers.rules_in_force import RulesInForce
    from workers.traces import Traces


log = structlog.get_logger(__name__)


LONGEST_REST_SECONDS: Final = 30.0
"""A caller waits; whatever a server asks for, it is asked again by then."""


CANCEL_SECONDS: Final = 1.0
"""Between two times that a task is told to end."""


FIRST_AGAIN_SECONDS: Final = 0.5
MOST_AGAIN_SECONDS: Final = 30.0
"""Between an errand's failure and its next beginning; one that ran for longer had begun well."""


@dataclass(slots=True)
class Gate:
    """How many rooms may have calls to one server in flight, so that a server that hangs does not
    take every place a worker has.
    """

    most: int
    inside: int = 0
    unclear: int = 0
    """Unclear outcomes in a row."""
    ahead: Ahead = field(default_factory=Ahead)
    monotonic: Callable[[], float] = time.monotonic
    rests_until: float = float("-inf")
    """Until when it has asked to be left alone, by `monotonic`."""
    keeps_attributes: bool | None = None
    """Whether the server keeps a dispatch's attributes (1.12 and later do); None: not seen yet."""

    @property
    def full(self) -> bool:
        """Whether another room must wait: for a place, or since the server wants to rest."""
        return self.inside >= self.most or self.monotonic() < self.rests_until

    def rest(self, seconds: float) -> None:
        """The server has said when to come again (`Retry-After`)."""
        self.rests_until = self.monotonic() + min(seconds, LONGEST_REST_SECONDS)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be inside for as long as the block lasts. Whoever enters has asked `full` first."""
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1

    @property
    def patience(self) -> float:
        """Seconds a room waits before it asks again."""
        rest = self.rests_until - self.monotonic()
        return max(float(0.25 * 2 ** min(self.unclear, 4)), rest)


async def ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until they are over: one that waits in a library may miss being told once."""
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=CANCEL_SECONDS)


class Errands:
    """Tasks that belong to no room; they end with the loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, errand: Coroutine[None, None, None]) -> None:
        """Let it run beside everything else."""
        task = asyncio.create_task(errand)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def keep(self, name: str, errand: Callable[[], Coroutine[None, None, None]]) -> None:
        """Let one run that never ends, and begin it anew when it has failed.

        Args:
            name: what the log calls it.
            errand: begins it.
        """
        self.start(self._kept(name, errand))

    async def _kept(self, name: str, errand: Callable[[], Coroutine[None, None, None]]) -> None:
        wait = FIRST_AGAIN_SECONDS
        while True:
            began = time.monotonic()
            try:
                return await errand()
            except Exception:
                if time.monotonic() - began > MOST_AGAIN_SECONDS:
                    wait = FIRST_AGAIN_SECONDS
                log.exception("errand_failed", errand=name, again_in=wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, MOST_AGAIN_SECONDS)

    async def aclose(self) -> None:
        """End those that still run."""
        await ended(self._tasks)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("errand_failed", exc_info=task.exception())


@dataclass(frozen=True, slots=True)
class Tools:
    """Shared by all rooms of one worker's loop."""

    queue: DueQueue
    rules: RulesInForce
    providers: Mapping[str, ListingProvider]
    """The LiveKit servers, by server id."""
    gates: Mapping[str, Gate]
    """By server id."""
    restarts_ours: frozenset[str] = frozenset()
    """Ids of the servers on which we send an agent again that has failed; elsewhere the server acts
    on `restart_policy` itself."""
    traces: Traces | None = None
    """Where traces go; None: nowhere."""
    dry_run: bool = False
    """Whether no agent is to be sent."""
    videosdk: Mapping[str, Provider] = field(default_factory=dict)
    """VideoSDK's account, by its id; empty where none is configured."""
    errands: Errands = field(default_factory=Errands)
    topics: frozenset[Topic] | None = None
    """What others are told of; None: nobody is to be told."""
    chance: Callable[[], float] = field(default=lambda: 0.5)
    """A random number from 0 to 1."""

    @property
    def whose(self) -> frozenset[Name]:
        """The providers whose agents can be sent."""
        if not self.videosdk:
            return frozenset({Name.LIVEKIT})
        return frozenset({Name.VIDEOSDK, Name.LIVEKIT} if self.providers else {Name.VIDEOSDK})

    @property
    def places(self) -> Mapping[str, Provider]:
        """Everything that tells of rooms, by id."""
        return {**self.providers, **self.videosdk}

    def place(self, server_id: str) -> Provider:
        """One of them."""
        return self.providers.get(server_id) or self.videosdk[server_id]

    def server_of(self, provider: str, here: str) -> str | None:
        """Id of the server that agents of a provider are sent with, from a room on the server
        `here`; None if there is none.
        """
        if provider == Name.VIDEOSDK:
            return next(iter(self.videosdk), None)
        return here if here in self.providers else next(iter(self.providers), None)

    @property
    def mark(self) -> str:
        """What a loop tells of itself: see `presence.AtWork`."""
        return AtWork(self.ruleset.hash, self.dry_run).mark

    @property
    def ruleset(self) -> Ruleset:
        """The rules in force now: another set at any moment, so ask once for each event."""
        ruleset = self.rules.now.ruleset
        if ruleset is None:
            msg = "a process without rules claims no room"
            raise RuntimeError(msg)
        return ruleset

    def spread(self, seconds: float) -> float:
        """A wait of about this long, so that many do not end at once."""
        return seconds * (0.75 + 0.5 * self.chance())
