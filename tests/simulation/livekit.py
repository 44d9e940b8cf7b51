"""A LiveKit server as far as dispatches meet it: rooms, who is in them, dispatches and their jobs.

It does what it is asked at once; that calls take time and fail is the network's part, and agents
have a module of their own. Its ways are those of the sandbox (service/sandbox), which the contract
tests hold to the real server.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from workers.dispatch import ID_ATTRIBUTE, SID_ATTRIBUTE
from workers.errors import NotFound
from workers.providers.base import Job, Listed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.simulation.world import World
    from workers.providers.base import Order

EMPTY_SECONDS: Final = 300.0


@dataclass(slots=True, eq=False)
class Person:
    """A participant: a human, or an agent."""

    sid: str
    identity: str
    kind: str = "STANDARD"
    agent: str = ""
    """The name an agent was dispatched by."""
    joined_at: float = 0.0
    active: bool = False

    def to_json(self, **more: object) -> dict[str, Any]:
        """As webhooks and listings give it."""
        body: dict[str, Any] = {
            "sid": self.sid,
            "identity": self.identity,
            "state": "ACTIVE",
            "joinedAt": str(int(self.joined_at)),
            "joinedAtMs": str(int(self.joined_at * 1000)),
            **more,
        }
        if self.kind != "STANDARD":
            body |= {"kind": self.kind, "attributes": {"lk.agent_name": self.agent}}
        return body


@dataclass(slots=True, eq=False)
class Made:
    """A dispatch. `whole` begins with everything but its jobs."""

    whole: Listed
    room: Room
    identity: str = ""
    """Of its agent, once a worker has taken the job."""
    jobs: tuple[Job, ...] = ()
    """As listed: later than the job was taken."""
    is_launching: bool = False
    """Whether its job was taken, or may be, and is not listed yet."""
    is_by_hand: bool = False
    """Whether somebody has deleted it, or removed its agent."""
    is_over: bool = False
    """Whether its agent has come and gone, or its worker has died with it."""

    @property
    def listed(self) -> Listed:
        """As ListDispatch shows it."""
        return replace(self.whole, jobs=self.jobs) if self.jobs else self.whole

    @property
    def ours(self) -> str:
        """Our id of it; `""` if somebody else made it."""
        return self.whole.attributes.get(ID_ATTRIBUTE, "")

    @property
    def meant_for(self) -> str:
        """The session it was made for."""
        return self.whole.attributes.get(SID_ATTRIBUTE, "")

    @property
    def claim(self) -> tuple[str, str]:
        """The rule that sent it, and for whom."""
        return self.whole.attributes.get("rule", ""), self.whole.metadata

    @property
    def is_deleted(self) -> bool:
        """Whether its room has forgotten it, or has gone."""
        return self.room.dispatches.get(self.whole.id) is not self or self.room.closed


@dataclass(slots=True, eq=False)
class Room:
    """One life of a room name."""

    sid: str
    name: str
    created_at: float
    people: dict[str, Person] = field(default_factory=dict)
    """By identity."""
    dispatches: dict[str, Made] = field(default_factory=dict)
    was_joined: bool = False
    left_at: float = 0.0
    closed: bool = False

    @property
    def humans(self) -> list[Person]:
        """The humans in it."""
        return [p for p in self.people.values() if p.kind == "STANDARD"]

    def to_json(self) -> dict[str, Any]:
        """As webhooks and listings give it."""
        created = self.created_at
        return {
            "sid": self.sid,
            "name": self.name,
            "creationTime": str(int(created)),
            "creationTimeMs": str(int(created * 1000)),
        }


class LiveKit:
    """The server."""

    def __init__(
        self, world: World, tell: Callable[[str, dict[str, Any]], None], departure: float
    ) -> None:
        self._world = world
        self._tell = tell
        self._departure = departure
        self._ids = 0
        self.rooms: dict[str, Room] = {}
        """Those that are open, by name."""
        self.made: list[Made] = []
        """Every dispatch there has ever been."""
        self.ended: dict[str, float] = {}
        """When sessions ended, simulated seconds, by sid."""
        self.offered: Callable[[Made], None] = lambda _: None
        """Told of each new dispatch."""
        self.deleted: Callable[[Made], None] = lambda _: None

    def new_id(self, prefix: str) -> str:
        """An id that nothing else has."""
        self._ids += 1
        return f"{prefix}{self._ids}"

    def open(self, name: str) -> Room:
        """Open a room, or find it open."""
        if name in self.rooms:
            return self.rooms[name]
        room = Room(self.new_id("RM_"), name, self._world.their_now())
        self.rooms[name] = room
        self._event("room_started", room)
        self._world.later(EMPTY_SECONDS, self._close_if_idle, room)
        return room

    def join(self, room: Room, person: Person) -> None:
        """Let somebody in; who has the same identity is thrown out first."""
        if person.identity in room.people:
            self.leave(room, person.identity, "DUPLICATE_IDENTITY")
        room.people[person.identity] = person
        room.was_joined = room.was_joined or person.kind == "STANDARD"

    def activate(self, room: Room, person: Person) -> None:
        """Its media is through: only now it counts as joined."""
        if room.people.get(person.identity) is person and not room.closed:
            person.active, person.joined_at = True, self._world.their_now()
            self._event("participant_joined", room, person.to_json())

    def leave(self, room: Room, identity: str, reason: str = "CLIENT_INITIATED") -> None:
        """Let somebody out."""
        person = room.people.pop(identity)
        room.left_at = self._world.loop.time()
        name = "participant_left" if person.active else "participant_connection_aborted"
        self._event(name, room, person.to_json(state="DISCONNECTED", disconnectReason=reason))
        if not room.humans:
            self._world.later(self._departure, self._close_if_idle, room)

    def close(self, room: Room) -> None:
        """Everybody leaves, and its dispatches vanish with it."""
        for identity in list(room.people):
            self.leave(room, identity, "ROOM_CLOSED")
        del self.rooms[room.name]
        room.closed = True
        self.ended[room.sid] = self._world.loop.time()
        self._event("room_finished", room)

    def create(self, order: Order) -> Listed:
        """CreateDispatch: not idempotent, and opens the room if there is none."""
        room = self.open(order.room)
        whole = Listed(
            id=self.new_id("AD_"),
            agent=order.agent,
            deployment=order.deployment,
            metadata=order.metadata,
            attributes=dict(order.attributes),
            created_at=self._world.their_now(),
        )
        made = room.dispatches[whole.id] = Made(whole, room)
        self.made.append(made)
        self.offered(made)
        return whole

    def delete(self, name: str, dispatch_id: str) -> None:
        """DeleteDispatch."""
        room = self.rooms.get(name)
        if room is None or dispatch_id not in room.dispatches:
            raise NotFound("no such dispatch")
        made = room.dispatches.pop(dispatch_id)
        if not made.ours:
            self._world.violated("somebody else's dispatch was deleted:", dispatch_id)
        self.deleted(made)

    def remove(self, name: str, identity: str) -> None:
        """RemoveParticipant."""
        room = self.rooms.get(name)
        if room is None or identity not in room.people:
            raise NotFound("no such participant")
        if room.people[identity].kind != "AGENT":
            self._world.violated("a human was removed:", identity)
        for made in room.dispatches.values():
            if made.identity == identity:
                made.is_over = True  # its dispatch stays
                if not made.ours:
                    self._world.violated("somebody else's agent was removed:", identity)
        self.leave(room, identity, "PARTICIPANT_REMOVED")

    def sids(self, names: Mapping[str, None]) -> dict[str, str]:
        """ListRooms."""
        return {name: self.rooms[name].sid for name in names if name in self.rooms}

    def _close_if_idle(self, room: Room) -> None:
        if room.closed or room.humans:
            return
        now = self._world.loop.time()
        if room.was_joined:
            due = room.left_at + self._departure
        else:
            due = room.created_at - self._world.their_now() + now + EMPTY_SECONDS
        if now >= due - 0.001:
            self.close(room)

    def _event(self, name: str, room: Room, participant: dict[str, Any] | None = None) -> None:
        body: dict[str, Any] = {
            "event": name,
            "id": self.new_id("EV_"),
            "createdAt": str(int(self._world.their_now())),
            "room": room.to_json(),
        }
        if participant is not None:
            body["participant"] = participant
        who = participant["identity"] if participant is not None else ""
        self._world.note("livekit:", name, room.name, room.sid, who, body["id"])
        self._tell(room.name, body)
