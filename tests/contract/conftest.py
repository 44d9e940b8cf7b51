"""One suite of behaviours for two servers, so that the stand-in cannot drift from the real one."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from service.sandbox import Sandbox, Worker, running
from tests.contract.subject import RealSubject, SandboxSubject, Subject
from tests.live.agent_worker import AgentWorker, start_agent_worker
from tests.live.livekit_server import (
    KEY,
    SECRET,
    LiveKitServer,
    require_live_extra,
    require_livekit_server,
    start_livekit_server,
)
from tests.live.participants import RealPeople
from tests.live.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session", params=["sandbox", pytest.param("real", marks=pytest.mark.live)])
def livekit(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Subject]:
    """A LiveKit server with workers `greeter` in production and in staging."""
    if request.param == "sandbox":
        yield from _sandbox_subject()
        return
    require_livekit_server()
    require_live_extra()
    yield from _real_subject(tmp_path_factory.mktemp("contract"))


@pytest.fixture
def room() -> str:
    """A room name no other test uses."""
    return f"room-{secrets.token_hex(4)}"


def _sandbox_subject() -> Iterator[SandboxSubject]:
    """The sandbox, for as long as the generator lasts."""
    workers = [
        Worker("greeter"),
        Worker("greeter", deployment="staging"),
        Worker("greeter", deployment="leave", leave_after=0.1),
        Worker("greeter", deployment="refuse", accepts=False),
        Worker("greeter", deployment="end", ends=True),
        Worker("greeter", deployment="rename", identity="renamed-{job}"),
    ]
    with (
        Receiver() as webhooks,
        running(
            Sandbox(key=KEY, secret=SECRET, webhook_urls=[webhooks.url], workers=workers)
        ) as sandbox,
    ):
        yield SandboxSubject(sandbox.url, webhooks, sandbox=sandbox)


def _real_subject(home: Path) -> Iterator[RealSubject]:
    """The real server, for as long as the generator lasts."""
    workers: list[AgentWorker] = []
    server: LiveKitServer | None = None
    with Receiver() as webhooks:
        try:
            server = start_livekit_server(home / "server", webhook_urls=(webhooks.url,))
            for deployment in ("", "staging"):
                at = home / f"worker-{deployment}"
                workers.append(start_agent_worker(server, at, "greeter", deployment))
            with RealPeople() as people:
                yield RealSubject(server.url, webhooks, people=people, workers=workers)
        finally:
            for worker in workers:
                worker.stop()
            if server is not None:
                server.stop()
