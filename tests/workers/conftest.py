"""A worker's loop against the sandbox, on a real Valkey, with rules written in the test."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from livekit.api import CreateAgentDispatchRequest, LiveKitAPI

from rules.event import EventName, read_event
from rules.videosdk_events import read_videosdk_event
from service.sandbox import Sandbox, Worker, running
from service.sandbox.videosdk import Agent, VideoSdkSandbox
from workers import wake
from workers.drain import DrainThread
from workers.intake import Intake
from workers.ledger import Ledger
from workers.opening import open_drain
from workers.rules_in_force import RulesInForce
from workers.settings import Settings, load_settings
from workers.videosdk_account import VideoSdkAccount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from livekit.protocol.agent_dispatch import AgentDispatch
    from redis import Redis


GREET = """
version: 1
rules:
  - id: greet
    on: participant_joined
    dispatch: {agent: greeter}
"""


@dataclass
class House:
    """The service around one or more sandboxes, without the web process."""

    redis: Redis
    settings: Settings
    rules: Path
    loops: list[DrainThread] = field(default_factory=list)

    def start_worker(self, concurrency: int = 64) -> DrainThread:
        """Start another worker's loop."""
        rules = RulesInForce(str(self.rules))
        assert rules.look().errors == ()
        loop = DrainThread(lambda: open_drain(self.settings, rules, concurrency))
        loop.start()
        self.loops.append(loop)
        return loop

    def dispatches(self, **equal: str) -> list[dict[str, Any]]:
        """What the ledger shows, oldest first."""
        return Ledger(self.redis).dispatches(limit=10_000, **equal).items[::-1]

    def events(self) -> list[dict[str, Any]]:
        """The events some rule was about, with their decisions, oldest first."""
        return Ledger(self.redis).events(limit=10_000).items[::-1]

    def stop(self) -> None:
        """Stop every loop that runs."""
        for loop in self.loops:
            loop.stop()
        for loop in self.loops:
            loop.join()
        assert not any(loop.alive for loop in self.loops), "a loop goes on: later tests would fail"


def explicit(sandbox: Sandbox, room: str) -> list[AgentDispatch]:
    """A room's dispatches but the one every room has for agents without a name."""
    return [d for d in sandbox.rooms.open[room].dispatches.values() if d.agent_name]


def create_by_hand(sandbox: Sandbox, room: str, **attributes: str) -> str:
    """Dispatch a greeter as an operator does, with no more attributes than these; its id."""
    asked = CreateAgentDispatchRequest(agent_name="greeter", room=room, attributes=attributes)

    async def create() -> str:
        async with LiveKitAPI(sandbox.url, sandbox.key, sandbox.secret) as api:
            return (await api.agent_dispatch.create_dispatch(asked)).id

    return asyncio.run(create())


def delete_by_hand(sandbox: Sandbox, room: str, dispatch_id: str) -> None:
    """Delete a dispatch as an operator does."""

    async def delete() -> None:
        async with LiveKitAPI(sandbox.url, sandbox.key, sandbox.secret) as api:
            await api.agent_dispatch.delete_dispatch(dispatch_id, room)

    asyncio.run(delete())


class _Hook(BaseHTTPRequestHandler):
    """Takes webhooks without looking at signatures; who verifies is tested elsewhere."""

    server: _Hooks

    def do_POST(self) -> None:
        raw, name = self.rfile.read(int(self.headers["Content-Length"])), self.path.strip("/")
        if name == "videosdk":
            digest = sha256(raw).hexdigest()
            event = read_videosdk_event(
                json.loads(raw), project="", body_hash=digest, received_at=time.time()
            )
        else:
            event = read_event(json.loads(raw), project="devkey")
        if event is not None and event.name in set(EventName):
            Intake(self.server.redis).accept(self.server.server_ids[name], event)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class _Hooks(ThreadingHTTPServer):
    daemon_threads = True
    redis: Redis
    server_ids: dict[str, str]


@contextmanager
def hooks(redis: Redis) -> Iterator[_Hooks]:
    """A place to send webhooks to: `<url>/<name>`, for the servers in `server_ids` by name."""
    server = _Hooks(("127.0.0.1", 0), _Hook)
    server.redis, server.server_ids = redis, {}
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def hook(redis: Redis) -> Iterator[_Hooks]:
    with hooks(redis) as server:
        yield server


@pytest.fixture
def sandbox(hook: _Hooks) -> Iterator[Sandbox]:
    """A sandbox with one production and one staging `greeter`, quick to answer."""
    livekit = Sandbox(
        webhook_urls=[f"http://127.0.0.1:{hook.server_port}/one"],
        workers=[
            Worker("greeter", accept_delay=0.02, join_delay=0.02),
            Worker("greeter", "staging", accept_delay=0.02, join_delay=0.02),
        ],
        missing_room_delay=0.5,
        job_listing_delay=0.0,
    )
    with running(livekit):
        yield livekit


@pytest.fixture
def house(
    redis: Redis,
    redis_url: str,
    hook: _Hooks,
    sandbox: Sandbox,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[House]:
    """The service around `sandbox`; write `house.rules`, then `house.start_worker()`.

    `request.param` has more of its settings.
    """
    settings = load_settings(
        {
            "LIVEKIT_URL": sandbox.url,
            "LIVEKIT_API_KEY": sandbox.key,
            "LIVEKIT_API_SECRET": sandbox.secret,
            "REDIS_URL": redis_url,
            "DISPATCHER_DATA": str(tmp_path),
            "DISPATCHER_RECONCILE_INTERVAL": "0",
            **getattr(request, "param", {}),
        }
    )
    hook.server_ids["one"] = settings.servers[0].id
    place = House(redis, settings, tmp_path / "rules.yaml")
    try:
        yield place
    finally:
        place.stop()
        wake.serve(None)


@pytest.fixture
def videosdk(house: House, hook: _Hooks) -> Iterator[VideoSdkSandbox]:
    """A stand-in VideoSDK that is the account of `house`, with the agents greeter and voicemail."""
    greeter, voicemail = Agent("greeter"), Agent("voicemail")
    url = f"http://127.0.0.1:{hook.server_port}/videosdk"
    with running(VideoSdkSandbox(webhook_urls=[url], agents=[greeter, voicemail])) as stand_in:
        account_of(stand_in, house, hook)
        yield stand_in
        assert stand_in.violations == []


def account_of(videosdk: VideoSdkSandbox, house: House, hook: _Hooks) -> None:
    """Make it the account of the house."""
    account = VideoSdkAccount(videosdk.url, videosdk.key, videosdk.secret, "")
    hook.server_ids["videosdk"] = account.id
    house.settings = replace(house.settings, videosdk=account)
