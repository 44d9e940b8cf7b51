"""Fixtures of the real LiveKit, for whoever imports them into a `conftest.py`.

from tests.live.fixtures import *

def test_it(livekit_server, agent_worker, join, receiver):
    server = livekit_server(receiver.url)
    agent_worker(server, "greeter", "staging")
    ana = join(server, "support-1", "ana")
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.agent_worker import AgentWorker, start_agent_worker
from tests.live.livekit_server import (
    LiveKitServer,
    require_live_extra,
    require_livekit_server,
    start_livekit_server,
)
from tests.live.participants import Participant, RealPeople, join_token
from tests.live.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["agent_worker", "join", "livekit_server", "real_people", "receiver"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody to send webhooks to."""
    with Receiver() as listening:
        yield listening


@pytest.fixture
def livekit_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., LiveKitServer]]:
    """Starts real servers: `livekit_server(*webhook_urls, **what_start_livekit_server_takes)`."""
    require_livekit_server()
    started: list[LiveKitServer] = []

    def start(*webhook_urls: str, **kwargs: Any) -> LiveKitServer:
        home = tmp_path_factory.mktemp("livekit")
        server = start_livekit_server(home, webhook_urls=webhook_urls, **kwargs)
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def agent_worker(
    livekit_server: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., AgentWorker]]:
    """Starts real workers, registered on return: `agent_worker(server, name, deployment="")`.

    Another that takes the place of one that was stopped may have its `port`.
    """
    require_live_extra()
    started: list[AgentWorker] = []

    def start(
        server: LiveKitServer, name: str, deployment: str = "", port: int | None = None
    ) -> AgentWorker:
        home = tmp_path_factory.mktemp("worker")
        worker = start_agent_worker(server, home, name, deployment, port)
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.stop()


@pytest.fixture
def real_people(livekit_server: object) -> Iterator[RealPeople]:
    """A loop for real participants; they leave before the servers stop."""
    require_live_extra()
    with RealPeople() as people:
        yield people


@pytest.fixture
def join(real_people: RealPeople) -> Callable[..., Participant]:
    """Lets somebody join: `join(server, room, identity, **what_join_token_takes)`."""
    unnamed = count(1)

    def join(server: LiveKitServer, room: str, identity: str = "", **kwargs: Any) -> Participant:
        named = identity or f"somebody-{next(unnamed)}"
        token = join_token(server.key, server.secret, room, named, **kwargs)
        return real_people.join(server.url, token)

    return join
