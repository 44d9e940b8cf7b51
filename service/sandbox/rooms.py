"""The rooms of the server: who is in them, who was dispatched to them, when they close."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from livekit.protocol.agent_dispatch import AgentDispatch, AgentDispatchState, RoomAgentDispatch
from livekit.protocol.models import Codec, DisconnectReason, ParticipantInfo, Room, TrackInfo
from livekit.protocol.webhook import WebhookEvent

from service.sandbox.names import nanoseconds, new_id, new_turn_password

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_CODECS: Final = (
    "audio/PCMU",
    "audio/PCMA",
    "audio/opus",
    "audio/red",
    "video/VP8",
    "video/H264",
    "video/VP9",
    "video/AV1",
    "video/H265",
    "video/rtx",
)
_ENABLED: Final = tuple(Codec(mime=mime) for mime in _CODECS)
_DEPENDENT: Final = frozenset({ParticipantInfo.AGENT, ParticipantInfo.EGRESS})
"""Kinds that do not keep a room open and are not counted in it."""
_COUNT_EVERY: Final = 5.0
"""Seconds: how stale `num_participants` may be, which is why it is absent or wrong so often."""


@dataclass(slots=True, eq=False)
class OpenRoom:
    """One life of a room name."""

    info: Room
    participants: dict[str, ParticipantInfo] = field(default_factory=dict)
    """By identity."""
    dispatches: dict[str, AgentDispatch] = field(default_factory=dict)
    """By id, in the order they were made."""
    was_joined: bool = False
    left_at: int = 0
    """When anybody last left, an agent included, Unix seconds."""
    counted_at: float = 0.0

    @property
    def name(self) -> str:
        """The room's name."""
        return self.info.name

    def count(self, now: float) -> None:
        """Refresh the counts, no more often than the real server does."""
        if now - self.counted_at < _COUNT_EVERY:
            return
        present = self.participants.values()
        self.info.num_participants = sum(p.kind not in _DEPENDENT for p in present)
        self.info.num_publishers = sum(p.is_publisher for p in present)
        self.counted_at = now


class Rooms:
    """All open rooms, and what happens to them."""

    def __init__(self, notify: Callable[[WebhookEvent], None], clock: Callable[[], float]) -> None:
        self.open: dict[str, OpenRoom] = {}
        self.on_dispatch: Callable[[OpenRoom, AgentDispatch], None] = lambda _room, _dispatch: None
        """Told of each new dispatch."""
        self._notify = notify
        self._clock = clock

    def create(self, wanted: Room, agents: Iterable[RoomAgentDispatch] | None = None) -> OpenRoom:
        """Open a room, or find it open: then nothing of what was wanted is applied.

        A room for which no agents are named gets one dispatch of the nameless agent, which is how
        the server starts workers that have no name.
        """
        if wanted.name in self.open:
            return self.open[wanted.name]
        now = self._clock()
        info = Room(
            sid=new_id("RM_"),
            name=wanted.name,
            empty_timeout=wanted.empty_timeout or 300,
            departure_timeout=wanted.departure_timeout or 20,
            max_participants=wanted.max_participants,
            creation_time=int(now),
            creation_time_ms=int(now * 1000),
            turn_password=new_turn_password(),
            enabled_codecs=_ENABLED,
            metadata=wanted.metadata,
        )
        room = self.open[info.name] = OpenRoom(info, counted_at=now)
        self._tell("room_started", room)
        for agent in (RoomAgentDispatch(),) if agents is None else agents:
            self.dispatch(
                room,
                AgentDispatch(
                    agent_name=agent.agent_name,
                    metadata=agent.metadata,
                    restart_policy=agent.restart_policy,
                    deployment=agent.deployment,
                    attributes=agent.attributes,
                ),
            )
        return room

    def dispatch(self, room: OpenRoom, wanted: AgentDispatch) -> AgentDispatch:
        """Add a dispatch; its job is offered now and never again."""
        made = AgentDispatch()
        made.CopyFrom(wanted)
        made.id = new_id("AD_")
        made.room = room.name
        made.state.CopyFrom(AgentDispatchState(created_at=nanoseconds(self._clock())))
        room.dispatches[made.id] = made
        self.on_dispatch(room, made)
        return made

    def join(self, room: OpenRoom, participant: ParticipantInfo, *, active: bool = True) -> None:
        """Let somebody in; who has the same identity is thrown out first.

        With `active` false it stays JOINED, as a client that never gets its media through: such a
        one is listed, but no webhook tells of it.
        """
        if participant.identity in room.participants:
            self.leave(room, participant.identity, DisconnectReason.DUPLICATE_IDENTITY)
        now = self._clock()
        participant.sid = new_id("PA_")
        participant.state = ParticipantInfo.JOINED
        participant.joined_at = int(now)
        participant.joined_at_ms = int(now * 1000)
        participant.version = 1
        room.participants[participant.identity] = participant
        if participant.kind not in _DEPENDENT:
            room.was_joined = True
        if active:
            self.activate(room, participant)

    def activate(self, room: OpenRoom, participant: ParticipantInfo) -> None:
        """Its media is through: only now it counts as joined."""
        participant.state = ParticipantInfo.ACTIVE
        participant.version += 1
        self._tell("participant_joined", room, participant)

    def leave(
        self,
        room: OpenRoom,
        identity: str,
        reason: DisconnectReason = DisconnectReason.CLIENT_INITIATED,
    ) -> ParticipantInfo:
        """Let somebody out.

        Raises:
            KeyError: nobody there has this identity.
        """
        participant = room.participants[identity]
        for track in list(participant.tracks):
            self.unpublish(room, participant, track)
        del room.participants[identity]
        was_active = participant.state == ParticipantInfo.ACTIVE
        participant.state = ParticipantInfo.DISCONNECTED
        participant.disconnect_reason = reason
        participant.version += 1
        room.left_at = int(self._clock())
        event = "participant_left" if was_active else "participant_connection_aborted"
        self._tell(event, room, participant)
        return participant

    def publish(self, room: OpenRoom, participant: ParticipantInfo, track: TrackInfo) -> None:
        """Somebody publishes a track."""
        participant.tracks.append(track)
        participant.is_publisher = True
        participant.version += 1
        self._tell_of_track("track_published", room, participant, track)

    def unpublish(self, room: OpenRoom, participant: ParticipantInfo, track: TrackInfo) -> None:
        """Somebody takes a track away, or leaves with it."""
        participant.version += 1
        self._tell_of_track("track_unpublished", room, participant, track)
        participant.tracks.remove(track)

    def close(self, room: OpenRoom, reason: DisconnectReason) -> None:
        """Everybody leaves, then the room is finished and its dispatches with it."""
        for identity in list(room.participants):
            self.leave(room, identity, reason)
        del self.open[room.name]
        self._tell("room_finished", room)

    def sweep(self, now: float) -> None:
        """What the server does every second: refresh the counts, close the idle rooms."""
        for room in list(self.open.values()):
            room.count(now)
            if any(p.kind not in _DEPENDENT for p in room.participants.values()):
                continue
            if room.was_joined and room.left_at:
                idle, allowed = now - room.left_at, room.info.departure_timeout
            else:
                idle, allowed = now - room.info.creation_time, room.info.empty_timeout
            if int(idle) >= allowed:
                self.close(room, DisconnectReason.ROOM_CLOSED)

    def _tell(self, event: str, room: OpenRoom, participant: ParticipantInfo | None = None) -> None:
        self._notify(WebhookEvent(event=event, room=room.info, participant=participant))

    def _tell_of_track(
        self, event: str, room: OpenRoom, participant: ParticipantInfo, track: TrackInfo
    ) -> None:
        """Such events carry the room and the participant by name and sid only."""
        self._notify(
            WebhookEvent(
                event=event,
                room=Room(sid=room.info.sid, name=room.name),
                participant=ParticipantInfo(sid=participant.sid, identity=participant.identity),
                track=track,
            )
        )
