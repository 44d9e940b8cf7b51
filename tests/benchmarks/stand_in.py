"""A LiveKit that costs little: it takes CreateDispatch and remembers when, and lists what it made.

    python -m tests.benchmarks.stand_in ADDRESS PORT

Every room it is asked for by name is there, until it is told which are; without names it lists
those and the ones a dispatch was created in. A room's sid is `RM_` and its name. It answers over
kept-alive connections, after a delay if it was asked for one. What it has seen is asked of it on
`/bench/...`; times are those of `time.monotonic()`, which all processes of one machine share.
"""

from __future__ import annotations

import asyncio
import gc
import http.client
import json
import re
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from livekit.protocol.agent import JobStatus
from livekit.protocol.agent_dispatch import (
    AgentDispatch,
    CreateAgentDispatchRequest,
    DeleteAgentDispatchRequest,
    ListAgentDispatchRequest,
    ListAgentDispatchResponse,
)
from livekit.protocol.models import ParticipantInfo, Room
from livekit.protocol.room import (
    ListParticipantsRequest,
    ListParticipantsResponse,
    ListRoomsRequest,
    ListRoomsResponse,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from google.protobuf.message import Message

    from tests.benchmarks.load import Address

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PROTOBUF: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/protobuf\r\nContent-Length: %d\r\n\r\n"
)
_JSON: Final = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class StandIn:
    """What it knows."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.arrivals: dict[str, list[float]] = {}
        """When CreateDispatch came, by room."""
        self.made = 0
        self.told = False
        """Whether it was told which rooms there are."""
        self.calls: Counter[str] = Counter()
        self.dispatches: dict[str, dict[str, AgentDispatch]] = {}
        """By room, then by id."""
        self.methods: dict[bytes, Callable[[bytes], Message]] = {
            b"CreateDispatch": self._create,
            b"DeleteDispatch": self._delete,
            b"ListDispatch": self._list,
            b"ListRooms": self._rooms,
            b"ListParticipants": self._participants,
        }

    def control(self, path: str, body: Any) -> Any:
        """What the measuring process asks or says."""
        match path:
            case "count":
                return self.made
            case "arrivals":
                return self.arrivals
            case "calls":
                return self.calls
            case "delay":
                self.delay = float(body)
            case "rooms":  # these are all there are, one agent in each
                self.dispatches = {name: self.dispatches.get(name, {}) for name in body}
                self.told = True
            case "reset":
                self.arrivals, self.made = {}, 0
                self.calls.clear()
        return None

    def _create(self, raw: bytes) -> Message:
        asked = CreateAgentDispatchRequest.FromString(raw)
        self.arrivals.setdefault(asked.room, []).append(time.monotonic())
        self.made += 1
        made = AgentDispatch(
            id=f"AD_{self.made}_{asked.room}",
            agent_name=asked.agent_name,
            room=asked.room,
            metadata=asked.metadata,
            deployment=asked.deployment,
            attributes=asked.attributes,
        )
        made.state.created_at = time.time_ns()
        self.dispatches.setdefault(asked.room, {})[made.id] = made
        return made

    def _delete(self, raw: bytes) -> Message:
        asked = DeleteAgentDispatchRequest.FromString(raw)
        return self.dispatches.get(asked.room, {}).pop(asked.dispatch_id, AgentDispatch())

    def _list(self, raw: bytes) -> Message:
        room = ListAgentDispatchRequest.FromString(raw).room
        found = ListAgentDispatchResponse(agent_dispatches=self.dispatches.get(room, {}).values())
        for dispatch in found.agent_dispatches:  # whose agents have joined, as `agent` says
            job = dispatch.state.jobs.add()
            job.state.status = JobStatus.JS_RUNNING
            job.state.participant_identity = agent(dispatch.id, room).identity
        return found

    def _rooms(self, raw: bytes) -> Message:
        names: Sequence[str] = ListRoomsRequest.FromString(raw).names
        there = names or self.dispatches
        if self.told:
            there = [name for name in there if name in self.dispatches]
        return ListRoomsResponse(
            rooms=[Room(sid=f"RM_{name}", name=name, num_participants=1) for name in there]
        )

    def _participants(self, raw: bytes) -> Message:
        room = ListParticipantsRequest.FromString(raw).room
        return ListParticipantsResponse(
            participants=[agent(made.id, room) for made in self.dispatches.get(room, {}).values()]
        )


def agent(dispatch_id: str, room: str) -> ParticipantInfo:
    """The agent of a dispatch, as LiveKit lists it: it has joined at once."""
    return ParticipantInfo(
        sid=f"PA_{room}",
        identity=f"agent-{room}",
        state=ParticipantInfo.State.ACTIVE,
        kind=ParticipantInfo.Kind.AGENT,
        attributes={"lk.agent.name": "greeter", "lk.agent.dispatch_id": dispatch_id},
    )


class Connection(asyncio.Protocol):
    """One kept-alive connection; requests come one after the other."""

    def __init__(self, livekit: StandIn) -> None:
        self._livekit = livekit
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is there whole."""
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._read, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._read) < whole:
                return
            path = self._read.split(b" ", 2)[1]
            body = self._read[end + 4 : whole]
            self._read = self._read[whole:]
            self._answer(path, body)

    def _answer(self, path: bytes, body: bytes) -> None:
        name = path.rpartition(b"/")[2]
        if path.startswith(b"/bench/"):
            said = self._livekit.control(name.decode(), json.loads(body or b"null"))
            answer = json.dumps(said).encode()
            self._transport.write(_JSON % (200, len(answer)) + answer)
            return
        self._livekit.calls[name.decode()] += 1
        method = self._livekit.methods.get(name)
        if method is None:
            answer = b'{"code":"bad_route","msg":"the stand-in has no such method"}'
            self._transport.write(_JSON % (404, len(answer)) + answer)
            return
        answer = method(body).SerializeToString()
        whole = _PROTOBUF % len(answer) + answer
        if self._livekit.delay:
            asyncio.get_running_loop().call_later(self._livekit.delay, self._transport.write, whole)
        else:
            self._transport.write(whole)


class StandInClient:
    """The measuring process's side."""

    def __init__(self, at: Address) -> None:
        self.url = "http://{}:{}".format(*at)
        self._at = at

    def ask(self, path: str, body: object = None) -> Any:
        """Ask or say something; see `StandIn.control`."""
        connection = http.client.HTTPConnection(*self._at, timeout=30)
        try:
            connection.request("POST", f"/bench/{path}", json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


async def _serve(address: str, port: int) -> None:
    livekit = StandIn()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(livekit), address, port, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    gc.freeze()
    gc.disable()
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
