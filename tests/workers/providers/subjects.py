"""The providers under one contract, each with the stand-in server that it calls."""

from __future__ import annotations

import asyncio
import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from tests.ports import free_port
from workers.providers.base import Order
from workers.providers.livekit import LiveKit
from workers.providers.videosdk import VideoSdk
from workers.servers import Server
from workers.videosdk_account import VideoSdkAccount

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from service.sandbox import Sandbox
    from service.sandbox.videosdk import VideoSdkSandbox
    from workers.providers.base import Provider

T = TypeVar("T")


def order(room: str, **fields: Any) -> Order:
    """An order for the agent `greeter`, which every subject has."""
    plain = {
        "agent": "greeter", "deployment": "", "metadata": "", "attributes": {},
        "restart_policy": "on_failure",
    }  # fmt: skip
    return Order(room, **{**plain, **fields})


@dataclass
class Subject(ABC):
    """A provider and its server, in which agents named `greeter` are registered."""

    url: str
    secret: str
    room: str = field(default_factory=lambda: f"room-{secrets.token_hex(4)}", kw_only=True)
    rests: list[float] = field(default_factory=list, kw_only=True)
    """What `Retry-After` asked for."""
    calls: list[tuple[str, str, float]] = field(default_factory=list, kw_only=True)
    """What was told of each call: its method, what came of it, seconds."""

    address: str = field(init=False)
    """The variable that holds the server's address."""
    credentials: tuple[str, ...] = field(init=False)
    """The variables that hold what it is called with."""

    @abstractmethod
    def provider(self, url: str, secret: str) -> Provider:
        """Make it, on the loop that uses it."""

    @abstractmethod
    def fault(self, name: str, *, seconds: float = 1.0) -> None:
        """Switch a fault on for every call."""

    @abstractmethod
    def join(self, identity: str, *, room: str = "", name: str = "") -> None:
        """Let somebody into the room."""

    @abstractmethod
    def leave(self, identity: str) -> None:
        """Let somebody out."""

    @abstractmethod
    def end(self) -> None:
        """End the room's session."""

    @abstractmethod
    def present(self) -> set[str]:
        """Who is in the room."""

    @abstractmethod
    def sid(self) -> str | None:
        """Sid of the session the room has."""

    @abstractmethod
    def sent(self) -> int:
        """How many agents were sent to the room in truth."""

    @abstractmethod
    def metadata(self) -> list[Any]:
        """The metadata of the jobs in the room, as agents read it."""

    def ask(
        self,
        question: Callable[[Provider], Awaitable[T]],
        *,
        url: str = "",
        secret: str = "",
    ) -> T:
        """What the provider answers."""

        async def asking() -> T:
            provider = self.provider(url or self.url, secret or self.secret)
            try:
                return await question(provider)
            finally:
                await provider.aclose()

        return asyncio.run(asking())

    def called(self, method: str, code: str, seconds: float) -> None:
        """Be told of a call."""
        self.calls.append((method, code, seconds))

    def nowhere(self) -> str:
        """The address of a server that is not there."""
        return f"http://127.0.0.1:{free_port()}"


@dataclass
class LiveKitSubject(Subject):
    """LiveKit against the sandbox."""

    sandbox: Sandbox

    address = "LIVEKIT_URL"
    credentials = ("LIVEKIT_API_KEY", "LIVEKIT_API_SECRET")

    def provider(self, url: str, secret: str) -> Provider:
        server = Server(url, self.sandbox.key, secret)
        return LiveKit(server, calls=8, rest=self.rests.append, called=self.called)

    def fault(self, name: str, *, seconds: float = 1.0) -> None:
        self.sandbox.fault(name, seconds=seconds)

    def join(self, identity: str, *, room: str = "", name: str = "") -> None:
        self.sandbox.join(room or self.room, identity, name=name)

    def leave(self, identity: str) -> None:
        self.sandbox.leave(self.room, identity)

    def end(self) -> None:
        self.sandbox.delete_room(self.room)

    def present(self) -> set[str]:
        opened = self.sandbox.rooms.open.get(self.room)
        return set(opened.participants) if opened is not None else set()

    def sid(self) -> str | None:
        opened = self.sandbox.rooms.open.get(self.room)
        return None if opened is None else opened.info.sid

    def sent(self) -> int:
        opened = self.sandbox.rooms.open.get(self.room)
        made = opened.dispatches.values() if opened is not None else ()
        return sum(each.agent_name == "greeter" for each in made)

    def metadata(self) -> list[Any]:
        jobs = [job for worker in self.sandbox.agents.workers for job in worker.jobs]
        return [job.metadata for job in jobs if job.room.name == self.room]


@dataclass
class VideoSdkSubject(Subject):
    """VideoSDK against its stand-in."""

    sandbox: VideoSdkSandbox

    address = "VIDEOSDK_URL"
    credentials = ("VIDEOSDK_API_KEY", "VIDEOSDK_SECRET")

    def provider(self, url: str, secret: str) -> Provider:
        account = VideoSdkAccount(url, self.sandbox.key, secret, token="")
        return VideoSdk(account, calls=8, rest=self.rests.append, called=self.called)

    def fault(self, name: str, *, seconds: float = 1.0) -> None:
        self.sandbox.fault(name, seconds=seconds)

    def join(self, identity: str, *, room: str = "", name: str = "") -> None:
        self.sandbox.join(room or self.room, identity, name=name)

    def leave(self, identity: str) -> None:
        self.sandbox.leave(self.room, identity)

    def end(self) -> None:
        self.sandbox.end(self.room)

    def present(self) -> set[str]:
        return self.sandbox.present(self.room)

    def sid(self) -> str | None:
        session = self.sandbox.session(self.room)
        return None if session is None else session.id

    def sent(self) -> int:
        return len(self.metadata())

    def metadata(self) -> list[Any]:
        agents = self.sandbox.agents.registered
        return [j.metadata for a in agents for j in a.jobs if j.meeting == self.room]
