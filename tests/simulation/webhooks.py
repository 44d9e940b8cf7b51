"""Webhooks on their way: those of a room one after the other, mostly; repeated, late, overtaken,
and some lost for good, as LiveKit gives one up after five attempts.

Here too comes in what whoever reconciles asks for: looks at rooms.
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any, Final, cast

from rules.event import read_event
from tests.simulation.store import Door
from tests.simulation.world import SERVER
from workers import entries
from workers.entries import LOOK
from workers.intake import Intake

if TYPE_CHECKING:
    import redis

    from tests.simulation.world import World
    from workers.entries import Offer

_PAUSES: Final = (1.0, 3.0, 7.0, 15.0)
"""Seconds before LiveKit's second attempt, and its next ones."""


class Webhooks:
    """The deliveries of a server."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._intake = _Intake(cast("redis.Redis", Door(world.store, world.now)))
        self._intake.world = world
        self._looks = 0
        self._waiting: dict[str, deque[dict[str, Any]]] = {}

    def send(self, room: str, body: dict[str, Any]) -> None:
        """Send an event to the service."""
        world = self._world
        if world.odds(world.weather.lost):
            self._lose(body)
            return
        if world.odds(world.weather.astray):
            if body["event"] == "participant_left":
                world.overtaken[body["participant"]["identity"]] = body["id"]
            world.later(world.chance.uniform(0.1, 15.0), self._attempt, None, body, 0)
            return
        queue = self._waiting.setdefault(room, deque())
        queue.append(body)
        if len(queue) == 1:
            self._next(room)

    def accept(self, offer: Offer) -> str:
        """Put another entry into an inbox."""
        return self._intake.offer(offer)

    def look(self, room: str) -> None:
        """Have a room looked at."""
        if self._world.is_away:
            return
        self._looks += 1
        look_id = f"lkd.look.{self._looks}"
        body = json.dumps({"event": LOOK, "id": look_id, "room": {"name": room}})
        self._intake.offer(entries._offer(SERVER, room, look_id, body))
        self._world.note("reconciling:", room, look_id)
        self._world.accepted[f"{SERVER}:{room}"].append(look_id)

    def _lose(self, body: dict[str, Any]) -> None:
        self._world.note("webhook lost:", body["id"], body["event"])
        self._world.unheard.add(body.get("participant", {}).get("identity", ""))

    def _next(self, room: str) -> None:
        world = self._world
        queue = self._waiting[room]
        if not queue:
            return
        most = 10.0 if world.odds(world.weather.late) else 0.05
        world.later(world.chance.uniform(0.002, most), self._attempt, room, queue[0], 0)

    def _attempt(self, room: str | None, body: dict[str, Any], number: int) -> None:
        world = self._world
        is_last = number == len(_PAUSES)
        refused = world.is_away or (not is_last and world.odds(world.weather.offered_again))
        if not refused:
            self._deliver(body)
        elif is_last:
            self._lose(body)
        if not is_last and (refused or world.odds(world.weather.repeated)):
            world.later(_PAUSES[number], self._attempt, room, body, number + 1)
        elif room is not None:
            self._waiting[room].popleft()
            self._next(room)

    def _deliver(self, body: dict[str, Any]) -> None:
        world = self._world
        event = read_event(body, project="devkey")
        answer = self._intake.accept(SERVER, event)
        world.note("webhook:", event.id, event.name, answer)
        if answer == "accepted":
            accepted = world.accepted[f"{SERVER}:{event.room_name}"]
            accepted.append(event.id)
            sid = str((event.participant or {}).get("sid", ""))
            world.arrival.setdefault((event.name, sid), len(accepted))


class _Intake(Intake):
    """Wakes the simulated workers; every other wake-up is lost, which never may cost an event."""

    world: World

    def _wake(self) -> None:
        if self.world.odds(0.5):
            self.world.ring()
