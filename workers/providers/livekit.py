"""LiveKit's AgentDispatchService and RoomService, through livekit-api.

livekit-api has no working time-out of its own (its calls pass `timeout=None` over the session's),
repeats calls against other regions unless told not to, and raises aiohttp's errors beside its own;
all of that ends here.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Final, TypeVar

import jwt
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from livekit.api import LiveKitAPI, TwirpError
from livekit.api.twirp_client import TwirpClient
from livekit.protocol.agent_dispatch import AgentDispatch, CreateAgentDispatchRequest
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.room import (
    ListParticipantsRequest,
    ListRoomsRequest,
    RoomParticipantIdentity,
)

from rules.event import whole_participant, whole_room
from workers.errors import NotFound, ProviderError, Refused, Unauthorized, Unclear
from workers.providers.base import CALL_SECONDS, Job, Listed, Order, Snapshot
from workers.providers.rooms import RoomLookup
from workers.providers.wire import LONGEST_WORDS, UNCLEAR_STATUS, open_session, told_as_ours

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from rules.event import Fields
    from workers.providers.wire import Called
    from workers.servers import Server

T = TypeVar("T")

_NANOSECONDS: Final = 1_000_000_000
_RESTART_POLICY: Final = {
    "on_failure": "JRP_ON_FAILURE",
    "never": "JRP_NEVER",
    "always": "JRP_ON_FAILURE",  # LiveKit knows no `always`
}
_TWIRP: Final = re.compile(r"/twirp/[\w.]+/(\w+)$")
_TOKEN_SECONDS: Final = 600
"""Room for clocks that differ."""


class LiveKit:
    """One LiveKit server. Made on the loop that uses it."""

    def __init__(
        self,
        server: Server,
        *,
        calls: int,
        rest: Callable[[float], None] = lambda _: None,
        called: Called = lambda *_: None,
    ) -> None:
        """Make it.

        Args:
            server: which one.
            calls: the most that may be in flight.
            rest: told how many seconds the server wants to be left alone (`Retry-After`).
            called: told of each call that is over: its method, its status, seconds.
        """
        self._session = open_session(calls, rest, called, _method)
        self._api = LiveKitAPI(
            server.url,
            server.api_key,
            server.api_secret,
            session=self._session,
            failover=False,
        )
        self._twirp = TwirpClient(self._session, server.url, "livekit", failover=False)
        self._secret = server.api_secret
        self._rooms = RoomLookup(self._room_sids)
        self.project = server.api_key

    async def create(self, order: Order) -> Listed:
        """Create a dispatch. LiveKit makes the room if there is none of that name."""
        request = CreateAgentDispatchRequest(
            agent_name=order.agent,
            room=order.room,
            metadata=order.metadata,
            deployment=order.deployment,
            attributes=order.attributes,
            restart_policy=_RESTART_POLICY[order.restart_policy],
        )
        return _listed(
            await _call(
                self._twirp.request(
                    "AgentDispatchService",
                    "CreateDispatch",
                    request,
                    {"Authorization": f"Bearer {self._token(order.room)}"},
                    AgentDispatch,
                )
            )
        )

    async def delete(self, room: str, dispatch_id: str) -> None:
        """Delete a dispatch; LiveKit takes an agent out of the room that has already joined."""
        await _call(self._api.agent_dispatch.delete_dispatch(dispatch_id, room))

    async def remove(self, room: str, identity: str) -> None:
        """Remove a participant."""
        asked = RoomParticipantIdentity(room=room, identity=identity)
        await _call(self._api.room.remove_participant(asked))

    async def dispatches(self, room: str) -> Sequence[Listed]:
        """List a room's dispatches, without those already deleted."""
        found = await _call(self._api.agent_dispatch.list_dispatch(room))
        return [_listed(d) for d in found if not d.state.deleted_at]

    async def room_sid(self, room: str) -> str | None:
        """Sid of the session a room name has now; None if it has none."""
        return await self._rooms.sid(room)

    async def snapshot(self, room: str) -> Snapshot:
        """List the room and who is in it.

        Of a room that is not there LiveKit lists nobody, without an error: whether it is there,
        ListRooms says.
        """
        found = await _call(self._api.room.list_rooms(ListRoomsRequest(names=[room])))
        if not found.rooms:
            return Snapshot(room=None, participants=())
        return await self.people(whole_room(MessageToDict(found.rooms[0])))

    async def rooms(self) -> Mapping[str, Fields]:
        """List every room."""
        found = await _call(self._api.room.list_rooms(ListRoomsRequest()))
        return {room.name: whole_room(MessageToDict(room)) for room in found.rooms}

    async def people(self, room: Fields) -> Snapshot:
        """List who is in a room."""
        asked = ListParticipantsRequest(room=str(room["name"]))
        found = await _call(self._api.room.list_participants(asked))
        active = [p for p in found.participants if p.state == ParticipantInfo.State.ACTIVE]
        others = [p for p in found.participants if p.state != ParticipantInfo.State.ACTIVE]
        return Snapshot(
            room=room,
            participants=tuple(whole_participant(MessageToDict(p)) for p in active),
            joining=frozenset(
                p.sid for p in others if p.state != ParticipantInfo.State.DISCONNECTED
            ),
        )

    def _token(self, room: str) -> str:
        """What livekit-api's `AccessToken` would sign for a room, at a third of its time.

        That is a tenth of all work on an event that sends an agent.
        """
        now = int(time.time())
        claims = {
            "iss": self.project,
            "sub": "",
            "nbf": now,
            "exp": now + _TOKEN_SECONDS,
            "video": {"roomAdmin": True, "room": room},
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _room_sids(self, names: Sequence[str]) -> Mapping[str, str]:
        answer = await _call(self._api.room.list_rooms(ListRoomsRequest(names=names)))
        return {room.name: room.sid for room in answer.rooms}


def _method(path: str) -> str:
    """What a Twirp path calls: `CreateDispatch`."""
    called = _TWIRP.search(path)
    return called[1] if called else "other"  # where a proxy has sent it


async def _call(request: Awaitable[T]) -> T:
    try:
        with told_as_ours("LiveKit", "LIVEKIT_URL"):
            async with asyncio.timeout(CALL_SECONDS):
                return await request
    except TwirpError as error:
        raise _meaning(error) from error
    except DecodeError as error:
        raise Unclear(f"LiveKit's answer was lost: {error or type(error).__name__}") from error


def _meaning(error: TwirpError) -> ProviderError:
    code = "" if error.code == "unknown" else f" {error.code}"
    words = error.message[:LONGEST_WORDS]
    said = f"LiveKit answered {error.status}{code[:LONGEST_WORDS]}: {words}".rstrip(": ")
    match error.status:
        case 401 | 403:
            return Unauthorized(f"{said}; check LIVEKIT_API_KEY and LIVEKIT_API_SECRET")
        case 404 if error.code == "not_found":  # not a wrong URL's 404
            return NotFound(said)
        case status if 400 <= status < 500 and status not in UNCLEAR_STATUS:  # noqa: PLR2004
            return Refused(said)
        case _:
            return Unclear(said)


def _listed(dispatch: AgentDispatch) -> Listed:
    return Listed(
        id=dispatch.id,
        agent=dispatch.agent_name,
        deployment=dispatch.deployment,
        metadata=dispatch.metadata,
        attributes=dict(dispatch.attributes),
        created_at=dispatch.state.created_at / _NANOSECONDS,
        jobs=tuple(
            Job(
                identity=job.state.participant_identity,
                worker_id=job.state.worker_id,
                status=str(job.state.status),
                error=job.state.error[:LONGEST_WORDS],
            )
            for job in dispatch.state.jobs
        ),
    )
