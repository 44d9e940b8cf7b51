"""The methods of AgentDispatchService and RoomService, with the real server's checks and errors."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from livekit.protocol import agent_dispatch as ad
from livekit.protocol import models
from livekit.protocol import room as rm

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from google.protobuf.message import Message

    from service.sandbox.access import Grants
    from service.sandbox.agents import Agents
    from service.sandbox.loop import Pauses
    from service.sandbox.rooms import OpenRoom, Rooms

_MAX_DEPLOYMENT: Final = 64
_MAX_ATTRIBUTES: Final = 64 * 1024
_MAX_METADATA: Final = 512 * 1024
_MAX_ROOM_NAME: Final = 256
_DELETE: Final = 0x7F


class TwirpError(Exception):
    """An error as Twirp answers it."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Method:
    """One method: what it takes, who may call it, what it does."""

    service: str
    request: Callable[[], Message]
    allows: Callable[[Grants, Any], bool]
    run: Callable[[Any], Awaitable[Message]]


class Methods:
    """The methods, over one server's rooms and agents."""

    def __init__(
        self, rooms: Rooms, agents: Agents, pauses: Pauses, *, missing_room_delay: float
    ) -> None:
        self._rooms = rooms
        self._agents = agents
        self._pauses = pauses
        self._missing_room_delay = missing_room_delay

    def table(self) -> dict[str, Method]:
        """By name."""
        dispatch, rooms = "AgentDispatchService", "RoomService"
        create, listing = _creates, _lists
        return {
            "CreateDispatch": Method(
                dispatch, ad.CreateAgentDispatchRequest, _administers, self.create_dispatch
            ),
            "ListDispatch": Method(
                dispatch, ad.ListAgentDispatchRequest, _administers, self.list_dispatch
            ),
            "DeleteDispatch": Method(
                dispatch, ad.DeleteAgentDispatchRequest, _administers, self.delete_dispatch
            ),
            "CreateRoom": Method(rooms, rm.CreateRoomRequest, create, self.create_room),
            "ListRooms": Method(rooms, rm.ListRoomsRequest, listing, self.list_rooms),
            "DeleteRoom": Method(rooms, rm.DeleteRoomRequest, create, self.delete_room),
            "ListParticipants": Method(
                rooms, rm.ListParticipantsRequest, _administers, self.list_participants
            ),
            "GetParticipant": Method(
                rooms, rm.RoomParticipantIdentity, _administers, self.get_participant
            ),
            "RemoveParticipant": Method(
                rooms, rm.RoomParticipantIdentity, _administers, self.remove_participant
            ),
            "UpdateRoomMetadata": Method(
                rooms, rm.UpdateRoomMetadataRequest, _administers, self.update_room_metadata
            ),
        }

    async def create_dispatch(self, asked: ad.CreateAgentDispatchRequest) -> ad.AgentDispatch:
        """Not idempotent, and a room that does not exist is created."""
        if fault := _fault_of_deployment(asked.deployment):
            raise _invalid(fault)
        if len(asked.metadata.encode()) > _MAX_METADATA:
            raise _invalid("metadata size exceeds limits")
        _check_attributes(asked.attributes)
        room = self._rooms.create(models.Room(name=asked.room))
        made = self._rooms.dispatch(
            room,
            ad.AgentDispatch(
                agent_name=asked.agent_name,
                metadata=asked.metadata,
                restart_policy=asked.restart_policy,
                deployment=asked.deployment,
                attributes=asked.attributes,
            ),
        )
        answer = ad.AgentDispatch()
        answer.CopyFrom(made)
        return answer

    async def list_dispatch(
        self, asked: ad.ListAgentDispatchRequest
    ) -> ad.ListAgentDispatchResponse:
        """In no particular order, as there."""
        room = await self._answering_room(asked.room)
        found = [d for d in room.dispatches.values() if asked.dispatch_id in ("", d.id)]
        return ad.ListAgentDispatchResponse(agent_dispatches=found)

    async def delete_dispatch(self, asked: ad.DeleteAgentDispatchRequest) -> ad.AgentDispatch:
        """The dispatch goes at once, its agent a moment later."""
        room = await self._answering_room(asked.room)
        dispatch = room.dispatches.pop(asked.dispatch_id, None)
        if dispatch is None:
            raise _not_found("dispatch ID not found")
        asyncio.get_running_loop().call_soon(self._agents.terminate, room, dispatch)
        return dispatch

    async def create_room(self, asked: rm.CreateRoomRequest) -> models.Room:
        """A room that is open stays as it is; agents with a bad deployment are left out."""
        if len(asked.name) > _MAX_ROOM_NAME:
            raise _invalid(f"room name length exceeds limits: max length {_MAX_ROOM_NAME}")
        wanted = models.Room(
            name=asked.name,
            empty_timeout=asked.empty_timeout,
            departure_timeout=asked.departure_timeout,
            max_participants=asked.max_participants,
            metadata=asked.metadata,
        )
        agents = [a for a in asked.agents if not _fault_of_deployment(a.deployment)]
        return self._rooms.create(wanted, agents if asked.agents else None).info

    async def list_rooms(self, asked: rm.ListRoomsRequest) -> rm.ListRoomsResponse:
        """All rooms, or those of the names asked for."""
        rooms = self._rooms.open
        names = dict.fromkeys(asked.names) if asked.names else rooms
        return rm.ListRoomsResponse(rooms=[rooms[name].info for name in names if name in rooms])

    async def delete_room(self, asked: rm.DeleteRoomRequest) -> rm.DeleteRoomResponse:
        """Everybody in it leaves with ROOM_DELETED."""
        room = self._rooms.open.get(asked.room)
        if room is None:
            raise _not_found("requested room does not exist")
        self._rooms.close(room, models.DisconnectReason.ROOM_DELETED)
        return rm.DeleteRoomResponse()

    async def list_participants(
        self, asked: rm.ListParticipantsRequest
    ) -> rm.ListParticipantsResponse:
        """A room that does not exist answers as an empty one."""
        room = self._rooms.open.get(asked.room)
        present = room.participants.values() if room else ()
        return rm.ListParticipantsResponse(participants=present)

    async def get_participant(self, asked: rm.RoomParticipantIdentity) -> models.ParticipantInfo:
        """One participant by identity."""
        return self._present(asked)[0]

    async def remove_participant(
        self, asked: rm.RoomParticipantIdentity
    ) -> rm.RemoveParticipantResponse:
        """It leaves with PARTICIPANT_REMOVED."""
        _, room = self._present(asked)
        self._rooms.leave(room, asked.identity, models.DisconnectReason.PARTICIPANT_REMOVED)
        return rm.RemoveParticipantResponse()

    async def update_room_metadata(self, asked: rm.UpdateRoomMetadataRequest) -> models.Room:
        """No webhook tells of it: only a listing shows the change."""
        room = self._rooms.open.get(asked.room)
        if room is None:
            raise _not_found("requested room does not exist")
        room.info.metadata = asked.metadata
        return room.info

    def _present(
        self, asked: rm.RoomParticipantIdentity
    ) -> tuple[models.ParticipantInfo, OpenRoom]:
        room = self._rooms.open.get(asked.room)
        if room is None or asked.identity not in room.participants:
            raise _not_found("participant does not exist")
        return room.participants[asked.identity], room

    async def _answering_room(self, name: str) -> OpenRoom:
        """The room; nobody answers for one that does not exist, which takes the server 3 s."""
        room = self._rooms.open.get(name)
        if room is None:
            await self._pauses.sleep(self._missing_room_delay)
            raise unavailable()
        return room


def unavailable() -> TwirpError:
    """What the server says when no node answered for a room."""
    return TwirpError("unavailable", "twirp error unknown: no response from servers", 503)


def _administers(grants: Grants, asked: Any) -> bool:  # noqa: ANN401 - any request with a room
    return grants.may_administer(asked.room)


def _creates(grants: Grants, _asked: object) -> bool:
    return grants.may_create()


def _lists(grants: Grants, _asked: object) -> bool:
    return grants.may_list()


def _fault_of_deployment(deployment: str) -> str:
    raw = deployment.encode()
    if len(raw) > _MAX_DEPLOYMENT:
        return f"deployment exceeds {_MAX_DEPLOYMENT} bytes"
    for position, byte in enumerate(raw):
        if byte == ord("_"):
            return "deployment contains reserved character '_'"
        if byte <= ord(" ") or byte == _DELETE:
            return f"deployment contains whitespace or control byte at position {position}"
    return ""


def _check_attributes(attributes: Any) -> None:  # noqa: ANN401 - protobuf's map of strings
    size = sum(len(key.encode()) + len(value.encode()) for key, value in attributes.items())
    if size > _MAX_ATTRIBUTES:
        raise _invalid("attribute size exceeds limits")


def _invalid(message: str) -> TwirpError:
    return TwirpError("invalid_argument", f"twirp error unknown: {message}", 400)


def _not_found(message: str) -> TwirpError:
    return TwirpError("not_found", f"twirp error unknown: {message}", 404)
