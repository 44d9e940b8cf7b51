"""One simulation: everything that happens follows from its seed."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

import structlog
import structlog.testing

from tests.simulation import invariants
from tests.simulation.agents import Agents, manners
from tests.simulation.claimant import MOST_DEATHS, Claimant
from tests.simulation.livekit import LiveKit
from tests.simulation.loop import SimulatedLoop
from tests.simulation.ordering import Ordering
from tests.simulation.reconciling import reconcile
from tests.simulation.rulebook import rulebook
from tests.simulation.traffic import ROOMS, Traffic
from tests.simulation.weather import weather
from tests.simulation.webhooks import Webhooks
from tests.simulation.world import EPOCH, World

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from tests.simulation.loop import Handle
    from tests.simulation.store import Store

MOST_SECONDS: Final = 3000.0
LOOK_SECONDS: Final = 0.25
"""How long a lost wake-up may cost: so often a loop looks by itself."""
AWAY_SECONDS: Final = 300.0
_AWAY: Final = 0.06
_SKEWS: Final = (0.0, 0.0, 0.0, -3.0, 3.0)


def play(
    seed: int,
    store: Store,
    told: Callable[[str], None] | None = None,
    *,
    has_orders: bool = False,
) -> list[str]:
    """Play a seed; `has_orders` if somebody gives orders by hand, too.

    Returns:
        What was violated, in the order in which it was seen.
    """
    chance = Random(seed)
    store.reset()
    loop = SimulatedLoop(chance, most_seconds=MOST_SECONDS)
    world = World(chance, loop, store, weather(chance), chance.choice(_SKEWS), told)
    _listen(world)
    try:
        simulation = Simulation(world)
        ordering = Ordering(world, simulation.livekit, simulation.webhooks)
        if has_orders:
            ordering.begin(simulation.last)
        loop.run()
        ordering.check()
        invariants.check(world, simulation.livekit, simulation.book.promises)
    finally:
        world.told = None
        loop.end()
    return world.violations


class Simulation:
    """Everybody who plays a part."""

    def __init__(self, world: World) -> None:
        chance = world.chance
        self.world = world
        self.book = rulebook(chance)
        self.webhooks = Webhooks(world)
        self.livekit = LiveKit(world, self.webhooks.send, departure=chance.choice((1.0, 20.0)))
        Agents(world, self.livekit, manners(chance))
        self._claimants: list[Claimant] = []
        self._alarm: Handle | None = None
        world.ring = self._ring
        world.store.moved = self._moved
        world.died = self._died
        world.note("weather:", world.weather, "skew:", world.skew)
        for _ in range(chance.choice((1, 2, 2, 3))):
            self._start()
        last = self.last = Traffic(world, self.livekit).begin()
        is_away = chance.random() < _AWAY
        gone_at = chance.uniform(0.0, last)
        calm = last + chance.uniform(0.0, 40.0)
        if is_away:
            world.later(gone_at, self._go_away, gone_at + AWAY_SECONDS)
            calm = max(calm, gone_at + AWAY_SECONDS)
        world.later(calm, self._clear_up)
        if world.weather.lost or is_away:
            self._reconcile(calm)

    def _start(self) -> None:
        if self.world.is_away:
            self.world.later(self.world.back_at - self.world.loop.time(), self._start)
            return
        name = f"w{len(self._claimants) + 1}"
        self.world.note(name, "starts")
        self._claimants.append(Claimant(self.world, self.livekit, name, self.book.rules))

    def _died(self) -> None:
        world = self.world
        if sum(claimant.dead for claimant in self._claimants) == MOST_DEATHS:
            world.weather.crash = 0.0
        world.later(world.chance.uniform(0.1, 20.0), self._start)

    def _go_away(self, back_at: float) -> None:
        """The whole service is switched off, calls go on, and LiveKit gives its webhooks up."""
        self.world.note("the service is away")
        self.world.back_at = back_at
        for claimant in self._claimants:
            if not claimant.dead:
                claimant.die()

    def _reconcile(self, calm: float) -> None:
        """Have rooms looked at, once or twice while faults last and when they are over: by
        passes over all of them, or because an operator asks for it.
        """
        self.world.is_looked_at = True
        is_by_hand = self.world.chance.random() < 0.3
        early = (
            self.world.chance.uniform(0.0, calm) for _ in range(self.world.chance.randint(0, 2))
        )
        for at in (*early, calm + 5.0, calm + 40.0):
            if is_by_hand:
                for name in ROOMS:
                    self.world.later(at, self.webhooks.look, name)
            else:
                self.world.later(at, self._pass)

    def _pass(self) -> None:
        """Have whoever is awake compare all rooms."""
        awake = [claimant for claimant in self._claimants if claimant.awake]
        if not awake:
            self.world.later(5.0, self._pass)
            return
        who = self.world.chance.choice(awake)
        self.world.loop.create_task(reconcile(who, self.webhooks.look))

    def _clear_up(self) -> None:
        self.world.note("the weather clears up")
        self.world.weather.clear_up()

    def _moved(self) -> None:
        """See to it that somebody looks when the first room is due."""
        world, first = self.world, self.world.store.first_due
        if first is None:
            return
        at = max(first + 0.001 - EPOCH, world.loop.time())
        if self._alarm is None or self._alarm.when() > at + LOOK_SECONDS:
            if self._alarm is not None:
                self._alarm.cancel()
            late = world.chance.uniform(0.0, LOOK_SECONDS)
            self._alarm = world.loop.call_at(at + late, self._look)

    def _look(self) -> None:
        self._alarm = None
        world, first = self.world, self.world.store.first_due
        if first is not None and first <= world.now():
            self._ring()
            self._alarm = world.loop.call_later(LOOK_SECONDS, self._look)
        else:
            self._moved()

    def _ring(self) -> None:
        awake = [claimant for claimant in self._claimants if claimant.awake]
        if awake:
            self.world.chance.choice(awake).drain.stir()
            for claimant in awake:
                if self.world.chance.random() < 0.3:
                    claimant.drain.stir()


def _listen(world: World) -> None:
    """Hear what the service logs: an error is a violation, unless faults explain it."""

    def heard(_: object, method: str, event: MutableMapping[str, Any]) -> Any:
        world.note("log:", *(f"{key}={value}" for key, value in event.items()))
        if event["event"] == "event_put_aside":
            world.put_aside.add(event["room"])
        elif method in ("error", "exception"):
            cause = str(event.get("exception", "")).rpartition("\n")[2]
            world.violated("logged:", event["event"], cause)
        raise structlog.DropEvent

    structlog.configure(
        processors=[structlog.processors.format_exc_info, heard],
        wrapper_class=structlog.make_filtering_bound_logger(40 if world.told is None else 0),
        logger_factory=structlog.testing.ReturnLoggerFactory(),  # quickly made: for each line anew
    )
