"""Real participants, by the `livekit` client, on a loop in a thread of their own."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar

from livekit import api

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping
    from concurrent.futures import Future

    from livekit import rtc

T = TypeVar("T")


@dataclass
class Participant:
    """Somebody in a room of the real server."""

    room: str
    identity: str
    sid: str
    _room: rtc.Room
    _people: RealPeople

    def leave(self) -> None:
        """Disconnect."""
        self._people.wait(self._room.disconnect())

    def publish_microphone(self) -> str:
        """Publish an audio track; its sid."""
        return self._people.wait(_publish(self._room))

    def unpublish(self, sid: str) -> None:
        """Take a track away again."""
        self._people.wait(self._room.local_participant.unpublish_track(sid))


@dataclass
class RealPeople:
    """Lets people join a server; whoever is still there at the end leaves."""

    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _joined: list[Participant] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for participant in self._joined:
            participant.leave()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns, run on the people's loop."""
        future: Future[T] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return future.result(30)

    def join(self, url: str, token: str) -> Participant:
        """Join with a token."""
        participant = self.wait(self._connect(url, token))
        self._joined.append(participant)
        return participant

    async def _connect(self, url: str, token: str) -> Participant:
        from livekit import rtc  # noqa: PLC0415 - a native library

        room = rtc.Room()
        await room.connect(url.replace("http", "ws", 1), token)
        local = room.local_participant
        return Participant(room.name, local.identity, local.sid, room, self)


def join_token(
    key: str,
    secret: str,
    room: str,
    identity: str,
    *,
    kind: str = "standard",
    name: str = "",
    metadata: str = "",
    attributes: dict[str, str] | None = None,
    room_config: api.RoomConfiguration | None = None,
    grants: Mapping[str, Any] | None = None,
) -> str:
    """A token with which somebody joins a room."""
    token = (
        api.AccessToken(key, secret)
        .with_identity(identity)
        .with_name(name)
        .with_kind(kind.lower())
        .with_metadata(metadata)
        .with_grants(api.VideoGrants(room_join=True, room=room, **(grants or {})))
        .with_attributes(attributes or {})
    )
    if room_config is not None:
        token = token.with_room_config(room_config)
    return token.to_jwt()


async def _publish(room: rtc.Room) -> str:
    from livekit import rtc  # noqa: PLC0415 - a native library

    track = rtc.LocalAudioTrack.create_audio_track("mic", rtc.AudioSource(48000, 1))
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    return (await room.local_participant.publish_track(track, options)).sid
