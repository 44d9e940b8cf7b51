"""What the work on a room needs at hand: rules, the due-queue, the providers, chance."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rules.ruleset import Ruleset
    from workers.inbox import DueQueue
    from workers.providers.base import Provider


@dataclass(slots=True)
class Gate:
    """How many rooms may have calls to one server in flight, so that a server that hangs does not
    take every place a worker has.
    """

    most: int
    inside: int = 0
    unclear: int = 0
    """Unclear outcomes in a row."""
    keeps_attributes: bool | None = None
    """Whether the server keeps a dispatch's attributes (1.12 and later do); None: not seen yet."""

    @property
    def full(self) -> bool:
        """Whether another room must wait."""
        return self.inside >= self.most

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
        return float(0.25 * 2 ** min(self.unclear, 4))


@dataclass(frozen=True, slots=True)
class Tools:
    """Shared by all rooms of one worker's loop."""

    queue: DueQueue
    ruleset: Ruleset
    providers: Mapping[str, Provider]
    """By server id."""
    gates: Mapping[str, Gate]
    """By server id."""
    retention: int
    """Seconds history is kept."""
    chance: Callable[[], float] = field(default=lambda: 0.5)
    """A random number from 0 to 1."""

    def spread(self, seconds: float) -> float:
        """A wait of about this long, so that many do not end at once."""
        return seconds * (0.75 + 0.5 * self.chance())
