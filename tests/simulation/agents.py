"""Agents and those who send them: a job is taken at once, late or never; its agent comes, or not.

A job is offered once, when its dispatch is made. LiveKit lists it up to five seconds later, and
before that neither lists nor ends it: an agent is often in its room before its dispatch says so.
An agent joins by its room's name, so that one whose room has closed opens the name anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.simulation.livekit import Person
from workers.providers.base import Job

if TYPE_CHECKING:
    from random import Random

    from tests.simulation.livekit import LiveKit, Made
    from tests.simulation.world import World

LISTING_SECONDS: Final = 5.0
_SOON: Final = 5.0
"""An agent that ends by itself within 10 s counts as failed."""
_ENDS: Final = ("CLIENT_INITIATED", "CONNECTION_TIMEOUT", "SIGNAL_CLOSE", "JOIN_FAILURE")


@dataclass(frozen=True, slots=True)
class Manners:
    """How agents behave. Odds are from 0 to 1, times in seconds."""

    absent: float
    """Nobody takes the job."""
    lost: float
    """It is taken, and its agent never comes."""
    slow: float
    """Its agent takes up to `slowest` to come."""
    slowest: float
    brief: float
    """It leaves soon after, by itself or because it fails."""
    listed_late: bool
    """Whether jobs are listed late."""


def manners(chance: Random) -> Manners:
    """Draw them."""
    return Manners(
        absent=chance.choice((0.0, 0.0, 0.1)),
        lost=chance.choice((0.0, 0.0, 0.1)),
        slow=chance.choice((0.0, 0.1, 0.4)),
        slowest=chance.choice((2.0, 10.0, 30.0)),
        brief=chance.choice((0.0, 0.0, 0.1, 0.3)),
        listed_late=chance.random() < 0.5,
    )


class Agents:
    """All workers of livekit-agents and the agents they send."""

    def __init__(self, world: World, livekit: LiveKit, manners: Manners) -> None:
        self._world = world
        self._livekit = livekit
        self._manners = manners
        livekit.offered = self.offer
        livekit.deleted = self.terminate

    def offer(self, made: Made) -> None:
        """Offer the job of a new dispatch."""
        world = self._world
        if world.odds(self._manners.absent):
            return
        made.is_launching = True
        world.later(world.chance.uniform(0.02, 0.3), self._take, made)

    def terminate(self, made: Made) -> None:
        """Tell the agent of a deleted dispatch to leave: it hears that only once it is listed."""
        if not made.is_launching:
            self._leave(made)

    def _take(self, made: Made) -> None:
        world, job = self._world, self._livekit.new_id("AJ_")
        made.identity = f"agent-{job}"
        if not world.odds(self._manners.lost):
            most = self._manners.slowest if world.odds(self._manners.slow) else 0.3
            world.later(world.chance.uniform(0.02, most), self._join, made)
        listing = world.chance.uniform(0.0, LISTING_SECONDS - 0.3)
        world.later(listing if self._manners.listed_late else 0.0, self._list, made)

    def _list(self, made: Made) -> None:
        made.jobs = (Job(made.identity, "AW_1", "1", ""),)
        made.is_launching = False
        if made.is_deleted:
            self._leave(made)

    def _join(self, made: Made) -> None:
        world = self._world
        room = self._livekit.open(made.room.name)
        agent = Person(self._livekit.new_id("PA_"), made.identity, "AGENT", made.whole.agent)
        self._livekit.join(room, agent)
        self._livekit.activate(room, agent)
        if world.odds(self._manners.brief):
            world.later(world.chance.uniform(0.1, _SOON), self._fail, made)

    def _fail(self, made: Made) -> None:
        self._leave(made, self._world.chance.choice(_ENDS))

    def _leave(self, made: Made, reason: str = "CLIENT_INITIATED") -> None:
        room = self._livekit.rooms.get(made.room.name)
        if room is not None and made.identity in room.people:
            self._livekit.leave(room, made.identity, reason)
            made.is_over = True
