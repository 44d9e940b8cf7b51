"""A worker's connection to the simulated LiveKit, on which calls take time and fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from rules.event import whole_participant, whole_room
from workers.calls import LATE_SECONDS
from workers.dispatch import SID_ATTRIBUTE
from workers.errors import NotSent, Refused, Unauthorized, Unclear
from workers.providers.base import (
    CALL_SECONDS,
    EXECUTION_SECONDS,
    LOOKUP_SECONDS,
    Listed,
    Order,
    Snapshot,
)
from workers.providers.rooms import RoomLookup

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rules.event import Fields
    from tests.simulation.claimant import Claimant
    from tests.simulation.livekit import LiveKit

T = TypeVar("T")

MISSING_SECONDS: Final = 3.0
"""How long LiveKit looks for a room that is not there before it answers 503."""
_SEND_SECONDS: Final = 1.0
KNOWN_SECONDS: Final = LATE_SECONDS + LOOKUP_SECONDS + CALL_SECONDS + _SEND_SECONDS
"""How old the knowledge may be, at the most, that its session is there, when a call begins: the
look takes as long, and by that much it is late."""


class Line:
    """A `ListingProvider`."""

    project = "devkey"

    def __init__(self, me: Claimant, livekit: LiveKit) -> None:
        self._me = me
        self._world = me.world
        self._livekit = livekit
        self._lookup = RoomLookup(self._list_rooms)

    async def create(self, order: Order) -> Listed:
        """CreateDispatch."""
        world = self._world
        session = order.attributes[SID_ATTRIBUTE]
        over_for = world.loop.time() - self._livekit.ended.get(session, world.loop.time())
        if over_for > KNOWN_SECONDS + max(0.0, world.skew):
            world.violated("a call for a session that has been over for", f"{over_for:.1f} s")
        sid = order.attributes.get("sid", "")
        left = world.arrival.get(("participant_left", sid))
        joined = world.arrival.get(("participant_joined", sid))
        if left is not None and joined is not None and left < joined:
            world.violated("an agent for somebody who is known to have left:", sid)
        claim = (session, order.attributes["rule"], order.metadata)
        if world.hands.get(claim):
            world.violated("sent again, though somebody has ended it by hand:", *claim)
        if world.odds(world.weather.refused):
            world.refused.add(claim)
            raise Refused("the simulation says no")
        return await self._call(
            f"create {order.agent} {order.room} {session}", lambda: self._livekit.create(order)
        )

    async def delete(self, room: str, dispatch_id: str) -> None:
        """DeleteDispatch."""
        await self._call(f"delete {dispatch_id}", lambda: self._livekit.delete(room, dispatch_id))

    async def remove(self, room: str, identity: str) -> None:
        """RemoveParticipant."""
        await self._call(f"remove {identity}", lambda: self._livekit.remove(room, identity))

    async def dispatches(self, room: str) -> Sequence[Listed]:
        """ListDispatch."""
        listed = await self._call(f"list {room}", lambda: self._listed(room))
        if listed is None:
            await self._world.loop.sleep(MISSING_SECONDS)
            raise Unclear("503: no such room")
        return listed

    async def room_sid(self, room: str) -> str | None:
        """ListRooms, shared by all who ask at once."""
        return await self._lookup.sid(room)

    async def snapshot(self, room: str) -> Snapshot:
        """ListRooms and ListParticipants."""
        return await self._call(f"snapshot {room}", lambda: self._snapshot(room))

    async def rooms(self) -> Mapping[str, Fields]:
        """ListRooms, of all."""
        rooms = await self._call("all rooms", lambda: list(self._livekit.rooms.values()))
        return {room.name: whole_room(room.to_json()) for room in rooms}

    async def people(self, room: Fields) -> Snapshot:
        """ListParticipants."""
        return await self.snapshot(str(room["name"]))

    async def aclose(self) -> None:
        """Close nothing."""

    async def _list_rooms(self, names: Sequence[str]) -> Mapping[str, str]:
        asked = dict.fromkeys(names)
        return await self._call(f"rooms {','.join(names)}", lambda: self._livekit.sids(asked))

    def _listed(self, name: str) -> list[Listed] | None:
        room = self._livekit.rooms.get(name)
        return None if room is None else [made.listed for made in room.dispatches.values()]

    def _snapshot(self, name: str) -> Snapshot:
        room = self._livekit.rooms.get(name)
        if room is None:
            return Snapshot(None, ())
        active = [p.to_json() for p in room.people.values() if p.active]
        return Snapshot(
            whole_room(room.to_json()),
            tuple(whole_participant(p) for p in active),
            frozenset(p.sid for p in room.people.values() if not p.active),
        )

    async def _call(self, what: str, work: Callable[[], T]) -> T:
        """Make a call: whatever can become of it."""
        world, chance = self._world, self._world.chance
        if self._me.in_trouble:
            await self._me.step()
        weather, began = world.weather, world.loop.time()
        if world.told is not None:
            world.note(self._me.name, "calls", what)
        there = chance.uniform(0.001, 0.04)
        if world.odds(weather.not_sent):
            raise NotSent("connection refused")
        if world.odds(weather.unauthorized):
            await world.loop.sleep(there)
            raise Unauthorized("401")
        if world.odds(weather.unclear_before):
            await world.loop.sleep(chance.uniform(0.0, CALL_SECONDS))
            raise Unclear("503, and nothing was done")
        if world.odds(weather.slow):
            world.later(chance.uniform(0.0, EXECUTION_SECONDS), self._do_late, what, work)
            await world.loop.sleep(CALL_SECONDS)
            raise Unclear("no answer in time")
        await world.loop.sleep(there)
        answer = work()  # though whoever asked may have died meanwhile
        if world.odds(weather.unclear_after):
            await world.loop.sleep(chance.uniform(0.0, CALL_SECONDS - there))
            raise Unclear("503, and it was done")
        if self._me.in_trouble:
            await self._me.step()
        if world.loop.time() - began > CALL_SECONDS and chance.random() < 0.5:
            raise Unclear("no answer in time, for its caller stood still")
        return answer

    def _do_late(self, what: str, work: Callable[[], object]) -> None:
        self._world.note(self._me.name, "is done late:", what)
        try:
            work()
        except Refused as error:
            self._world.note(self._me.name, "is refused late:", error)
