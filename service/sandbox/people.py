"""What a test can make happen in the rooms: people come, speak, change and go."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, cast

from google.protobuf.json_format import ParseDict
from livekit.protocol.models import (
    DisconnectReason,
    ParticipantInfo,
    ParticipantPermission,
    Room,
    SimulcastCodecInfo,
    TimedVersion,
    TrackInfo,
    TrackSource,
    TrackType,
)
from livekit.protocol.room import RoomConfiguration
from livekit.protocol.webhook import WebhookEvent

from service.sandbox.agents import participant
from service.sandbox.loop import LoopBound, on_loop
from service.sandbox.names import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from livekit.protocol.agent_dispatch import RoomAgentDispatch

    from service.sandbox.rooms import OpenRoom, Rooms

_VIDEO = frozenset({"CAMERA", "SCREEN_SHARE"})


class People(LoopBound):
    """Rooms and their people, seen from outside. A room or an identity not there is a KeyError."""

    def __init__(
        self,
        rooms: Rooms,
        notify: Callable[[WebhookEvent], None],
        clock: Callable[[], float],
    ) -> None:
        self.rooms = rooms
        self._notify = notify
        self._clock = clock

    @on_loop
    def create_room(
        self,
        name: str,
        *,
        metadata: str = "",
        empty_timeout: int = 0,
        departure_timeout: int = 0,
        agents: list[RoomAgentDispatch] | None = None,
    ) -> Room:
        """Open a room, or find it open. Time-outs are seconds, 0 the server's default."""
        wanted = Room(
            name=name,
            metadata=metadata,
            empty_timeout=empty_timeout,
            departure_timeout=departure_timeout,
        )
        return self.rooms.create(wanted, agents).info

    @on_loop
    def delete_room(self, name: str) -> None:
        """Close a room as DeleteRoom does."""
        self.rooms.close(self._room(name), DisconnectReason.ROOM_DELETED)

    @on_loop
    def update_room(self, name: str, *, metadata: str) -> None:
        """Change a room's metadata, of which no webhook tells."""
        self._room(name).info.metadata = metadata

    @on_loop
    def join(
        self,
        room: str,
        identity: str,
        *,
        kind: str = "STANDARD",
        name: str = "",
        metadata: str = "",
        attributes: Mapping[str, str] | None = None,
        hidden: bool = False,
        active: bool = True,
        room_metadata: str = "",
    ) -> ParticipantInfo:
        """Let somebody join, into a new room if need be; `room_metadata` is for a new one only.

        With `active` false its media never gets through: it is listed as JOINED, no webhook tells
        of it, and its leaving is a `participant_connection_aborted`.
        """
        joining = participant(
            identity, kind=kind, name=name, metadata=metadata, attributes=attributes, hidden=hidden
        )
        opened = self.rooms.create(Room(name=room, metadata=room_metadata))
        self.rooms.join(opened, joining, active=active)
        return joining

    @on_loop
    def join_with(self, claims: Mapping[str, Any]) -> ParticipantInfo:
        """Let the bearer of a join token in; its room configuration counts for a new room only."""
        given = ParseDict(claims.get("roomConfig") or {}, RoomConfiguration())
        wanted = Room(
            name=claims["video"]["room"],
            empty_timeout=given.empty_timeout,
            departure_timeout=given.departure_timeout,
            metadata=given.metadata,
        )
        opened = self.rooms.create(wanted, given.agents or None)
        joining = participant(
            claims["sub"],
            kind=str(claims.get("kind") or "standard").upper(),
            name=claims.get("name", ""),
            metadata=claims.get("metadata", ""),
            attributes=claims.get("attributes"),
        )
        _grant(joining.permission, claims["video"])
        self.rooms.join(opened, joining)
        return joining

    @on_loop
    def update_participant(
        self,
        room: str,
        identity: str,
        *,
        metadata: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        """Change somebody's metadata or some attributes, of which no webhook tells."""
        present = self._room(room).participants[identity]
        if metadata is not None:
            present.metadata = metadata
        present.attributes.update(attributes or {})
        present.version += 1

    @on_loop
    def leave(self, room: str, identity: str, reason: str = "CLIENT_INITIATED") -> None:
        """Let somebody leave, for a `DisconnectReason` of the protocol."""
        self.rooms.leave(self._room(room), identity, _reason(reason))

    @on_loop
    def publish(
        self, room: str, identity: str, *, source: str = "MICROPHONE", name: str = ""
    ) -> TrackInfo:
        """Let somebody publish a track of a `TrackSource` of the protocol."""
        opened = self._room(room)
        present, track = opened.participants[identity], _track(source, name, self._clock())
        self.rooms.publish(opened, present, track)
        return track

    @on_loop
    def unpublish(self, room: str, identity: str, sid: str) -> None:
        """Let somebody take a track away again."""
        opened = self._room(room)
        present = opened.participants[identity]
        track = {track.sid: track for track in present.tracks}[sid]
        self.rooms.unpublish(opened, present, track)

    @on_loop
    def send(self, event: Mapping[str, Any]) -> None:
        """Send a webhook of one's own making, in the protocol's JSON: an egress's, say."""
        text = json.loads(json.dumps(dict(event)))
        self._notify(ParseDict(text, WebhookEvent(), ignore_unknown_fields=True))

    def _room(self, name: str) -> OpenRoom:
        return self.rooms.open[name]


def _grant(permission: ParticipantPermission, video: Mapping[str, Any]) -> None:
    """What a token grants, as the real server derives it: `VideoGrant.ToPermission`."""
    permission.can_publish = video.get("canPublish", True)
    permission.can_publish_data = video.get("canPublishData", permission.can_publish)
    named = [source.upper() for source in video.get("canPublishSources") or ()]
    permission.can_publish_sources.extend(cast("TrackSource", TrackSource.Value(n)) for n in named)
    permission.can_subscribe = video.get("canSubscribe", True)
    permission.can_subscribe_metrics = video.get("canSubscribeMetrics", False)
    permission.hidden = video.get("hidden", False)
    if "canUpdateOwnMetadata" in video:
        permission.can_update_metadata = video["canUpdateOwnMetadata"]


def _reason(name: str) -> DisconnectReason:
    return cast("DisconnectReason", DisconnectReason.Value(name))


def _track(source: str, name: str, now: float) -> TrackInfo:
    is_video = source in _VIDEO
    mime = "video/VP8" if is_video else "audio/red"
    track = TrackInfo(
        sid=new_id("TR_V" if is_video else "TR_A"),
        type=TrackType.VIDEO if is_video else TrackType.AUDIO,
        name=name or source.lower(),
        source=source,
        mime_type=mime,
        mid="7",
        codecs=[
            SimulcastCodecInfo(
                mime_type=mime,
                mid="7",
                cid=str(uuid.uuid4()),
                video_layer_mode="ONE_SPATIAL_LAYER_PER_STREAM",
            )
        ],
        stream="screenshare" if source.startswith("SCREEN") else "camera",
        version=TimedVersion(unix_micro=int(now * 1_000_000)),
        backup_codec_policy="SIMULCAST",
    )
    if is_video:
        track.width, track.height, track.simulcast = 1280, 720, True
    return track
