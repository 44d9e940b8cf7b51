"""Who comes and goes: a few callers in a room or two, whose names are used again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.simulation import hands
from tests.simulation.livekit import Person
from workers.providers.base import Order

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.livekit import LiveKit
    from tests.simulation.world import World

CALLERS: Final = ("ana", "bo", "cy")
ROOMS: Final = ("r1", "r2")
_ACTIONS: Final = (1, 2, 2, 3, 3, 4, 5, 8)
_PAUSES: Final = (0.3, 2.0, 8.0, 25.0)


class Traffic:
    """The callers of a simulation."""

    def __init__(self, world: World, livekit: LiveKit) -> None:
        self._world = world
        self._livekit = livekit
        self._hands = world.chance.choice((0, 0, 4))

    def begin(self) -> float:
        """Plan all of it; returns when the last of it happens."""
        chance = self._world.chance
        names = ROOMS[: 1 + (chance.random() < 0.3)]
        at, longest = 0.0, chance.choice(_PAUSES)
        for number in range(chance.choice(_ACTIONS)):
            self._world.later(at, self._action(number), chance.choice(names))
            at += chance.uniform(0.0, longest if chance.random() < 0.5 else 0.3)
        return at

    def _action(self, number: int) -> Callable[[str], None]:
        if number == 0:
            return self._join
        (action,) = self._world.chance.choices(
            (self._join, self._leave, self._close, self._send_elsewhere, self._by_hand),
            (10, 5, 2, 2, self._hands),
        )
        return action

    def _join(self, name: str) -> None:
        world = self._world
        room = self._livekit.open(name)
        person = Person(self._livekit.new_id("PA_"), world.chance.choice(CALLERS))
        self._livekit.join(room, person)
        world.later(world.chance.uniform(0.0, 0.3), self._livekit.activate, room, person)

    def _leave(self, name: str) -> None:
        room = self._livekit.rooms.get(name)
        if room is not None and room.humans:
            self._livekit.leave(room, self._world.chance.choice(room.humans).identity)

    def _close(self, name: str) -> None:
        if name in self._livekit.rooms:
            self._livekit.close(self._livekit.rooms[name])

    def _send_elsewhere(self, name: str) -> None:
        """Somebody else has the same agent dispatched: that is none of our business."""
        if name in self._livekit.rooms:
            self._livekit.create(Order(name, "greeter", "", "", {"whose": "others"}, "on_failure"))

    def _by_hand(self, name: str) -> None:
        """Somebody deletes a dispatch of ours, or removes its agent: they will have a reason."""
        room, chance = self._livekit.rooms.get(name), self._world.chance
        ours = [made for made in room.dispatches.values() if made.ours] if room is not None else []
        if room is None or not ours:
            return
        made = chance.choice(ours)
        if chance.random() < 0.5:
            hands.delete(self._world, self._livekit, made)
        elif made.identity in room.people:
            hands.remove(self._world, self._livekit, made)
