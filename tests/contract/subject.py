"""The two servers of the contract, driven alike: the sandbox and the real livekit-server."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from livekit import api

from tests.live.livekit_server import KEY, SECRET
from tests.live.participants import Participant, RealPeople, join_token

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from service.sandbox import Sandbox
    from tests.live.agent_worker import AgentWorker
    from tests.live.receiver import Receiver

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What a raw call was answered."""

    status: int
    content_type: str
    text: str
    seconds: float

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.text)


@dataclass
class Subject(ABC):
    """A server under test, its webhooks, and workers `greeter` in production and in staging."""

    url: str
    webhooks: Receiver
    key: str = KEY
    secret: str = SECRET

    @abstractmethod
    def join_by_token(self, token: str) -> str:
        """Let the bearer of a join token in; the sid."""

    @abstractmethod
    def leave(self, room: str, identity: str) -> None:
        """Let somebody who joined leave."""

    @abstractmethod
    def publish(self, room: str, identity: str) -> str:
        """Let somebody who joined publish the microphone; the track's sid."""

    @abstractmethod
    def unpublish(self, room: str, identity: str, sid: str) -> None:
        """Let somebody take a track away."""

    @abstractmethod
    def jobs(self, room: str) -> list[dict[str, Any]]:
        """The jobs that agents took in a room, as the agents read them."""

    @abstractmethod
    def worker_id(self, deployment: str) -> str:
        """The id of the worker of a deployment."""

    @abstractmethod
    def dispatch_to(self, wish: str, room: str) -> Any:
        """CreateDispatch to an agent that will `leave`, `refuse`, `end` (decline) or `rename`."""

    def join(self, room: str, identity: str, **kwargs: Any) -> str:
        """Let somebody in, with what `join_token` takes; the sid."""
        return self.join_by_token(join_token(self.key, self.secret, room, identity, **kwargs))

    def ask(self, question: Callable[[api.LiveKitAPI], Awaitable[T]]) -> T:
        """Use the SDK's client."""

        async def asking() -> T:
            async with api.LiveKitAPI(self.url, self.key, self.secret, failover=False) as client:
                return await question(client)

        return asyncio.run(asking())

    def token(self, **grants: Any) -> str:
        """An API token."""
        made = api.AccessToken(self.key, self.secret).with_grants(api.VideoGrants(**grants))
        return made.to_jwt()

    def call(
        self,
        method: str,
        body: dict[str, Any] | bytes,
        token: str | None,
        *,
        content_type: str = "application/json",
        verb: str = "POST",
    ) -> Answer:
        """Call `Service/Method` without the SDK."""
        encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": content_type}
        if token is not None:
            headers["Authorization"] = token if " " in token else f"Bearer {token}"
        url = f"{self.url}/twirp/livekit.{method}"
        request = urllib.request.Request(url, encoded, headers, method=verb)
        began = time.monotonic()
        try:
            with urllib.request.urlopen(request) as answer:
                return _read(answer, began)
        except urllib.error.HTTPError as error:
            with error:
                return _read(error, began)

    def dispatch(self, room: str, agent: str = "greeter", **fields: Any) -> Any:
        """CreateDispatch."""
        asked = api.CreateAgentDispatchRequest(room=room, agent_name=agent, **fields)
        return self.ask(lambda client: client.agent_dispatch.create_dispatch(asked))

    def get_dispatch(self, room: str, dispatch_id: str) -> Any:
        """ListDispatch of one."""
        return self.ask(lambda client: client.agent_dispatch.get_dispatch(dispatch_id, room))

    def delete_dispatch(self, room: str, dispatch_id: str) -> Any:
        """DeleteDispatch."""
        return self.ask(lambda client: client.agent_dispatch.delete_dispatch(dispatch_id, room))

    def participants(self, room: str) -> dict[str, Any]:
        """ListParticipants, by identity."""
        asked = api.ListParticipantsRequest(room=room)
        answer = self.ask(lambda client: client.room.list_participants(asked))
        return {participant.identity: participant for participant in answer.participants}

    def rooms(self, *names: str) -> dict[str, Any]:
        """ListRooms, by name."""
        asked = api.ListRoomsRequest(names=names)
        answer = self.ask(lambda client: client.room.list_rooms(asked))
        return {room.name: room for room in answer.rooms}


@dataclass
class SandboxSubject(Subject):
    """The stand-in."""

    sandbox: Sandbox = field(kw_only=True)

    def join_by_token(self, token: str) -> str:
        return self.sandbox.join_by_token(token).sid

    def leave(self, room: str, identity: str) -> None:
        self.sandbox.leave(room, identity)

    def publish(self, room: str, identity: str) -> str:
        return self.sandbox.publish(room, identity, name="mic").sid

    def unpublish(self, room: str, identity: str, sid: str) -> None:
        self.sandbox.unpublish(room, identity, sid)

    def jobs(self, room: str) -> list[dict[str, Any]]:
        return [
            {
                "id": job.id,
                "dispatch_id": job.dispatch_id,
                "room_sid": job.room.sid,
                "agent_name": job.agent_name,
                "metadata": job.metadata,
                "attributes": dict(job.attributes),
                "deployment": job.deployment,
                "worker_deployment": worker.deployment,
            }
            for worker in self.sandbox.agents.workers
            for job in worker.jobs
            if job.room.name == room
        ]

    def worker_id(self, deployment: str) -> str:
        return next(w.id for w in self.sandbox.agents.workers if w.deployment == deployment)

    def dispatch_to(self, wish: str, room: str) -> Any:
        return self.dispatch(room, deployment=wish)


@dataclass
class RealSubject(Subject):
    """The real server with the real client and real agents."""

    people: RealPeople = field(kw_only=True)
    workers: list[AgentWorker] = field(kw_only=True)
    joined: dict[tuple[str, str], Participant] = field(default_factory=dict, kw_only=True)

    def join_by_token(self, token: str) -> str:
        participant = self.people.join(self.url, token)
        self.joined[participant.room, participant.identity] = participant
        return participant.sid

    def leave(self, room: str, identity: str) -> None:
        self.joined[room, identity].leave()

    def publish(self, room: str, identity: str) -> str:
        return self.joined[room, identity].publish_microphone()

    def unpublish(self, room: str, identity: str, sid: str) -> None:
        self.joined[room, identity].unpublish(sid)

    def jobs(self, room: str) -> list[dict[str, Any]]:
        return [job for worker in self.workers for job in worker.jobs(room)]

    def worker_id(self, deployment: str) -> str:
        return next(w.id for w in self.workers if w.deployment == deployment)

    def dispatch_to(self, wish: str, room: str) -> Any:
        return self.dispatch(room, metadata=json.dumps({"do": wish}))


def _read(answer: Any, began: float) -> Answer:
    text = answer.read().decode()
    took = time.monotonic() - began
    return Answer(answer.status, answer.headers.get("Content-Type", ""), text, took)
