"""The service, a real server that sends it webhooks, and real workers: nothing is stood in for."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from livekit.api import ListParticipantsRequest

from tests.ports import free_port
from tests.up import Up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.live.agent_worker import AgentWorker
    from tests.live.livekit_server import LiveKitServer
    from tests.live.receiver import Receiver

    OpenHouse = Callable[..., "House"]


@dataclass
class House:
    """All of it on one machine."""

    server: LiveKitServer
    up: Up
    workers: dict[str, AgentWorker]
    """Workers of `greeter`, by their deployment; `""` is production."""

    def jobs(self, room: str) -> list[dict[str, Any]]:
        """The jobs that any of them took for a room."""
        return [job for worker in self.workers.values() for job in worker.jobs(room)]

    def agents(self, room: str) -> list[str]:
        """Identities of the agents in a room."""
        asked = ListParticipantsRequest(room=room)
        people = self.server.ask(lambda api: api.room.list_participants(asked)).participants
        return [p.identity for p in people if p.identity.startswith("agent-")]


def environment(server: LiveKitServer) -> dict[str, str]:
    """What the service must know of a server."""
    return {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.key,
        "LIVEKIT_API_SECRET": server.secret,
    }


@pytest.fixture
def open_house(
    livekit_server: Callable[..., LiveKitServer],
    agent_worker: Callable[..., AgentWorker],
    receiver: Receiver,
    tmp_path: Path,
) -> Iterator[OpenHouse]:
    """Starts it: `open_house(rules, *deployments, **environ)`; `receiver` hears what it hears."""
    with ExitStack() as stack:

        def start(rules: str, *deployments: str, **environ: str) -> House:
            port = free_port()
            server = livekit_server(f"http://127.0.0.1:{port}/webhooks/livekit", receiver.url)
            workers = {each: agent_worker(server, "greeter", each) for each in deployments}
            asked = ",".join(f"{d}@{w.http_url}" if d else w.http_url for d, w in workers.items())
            given = {"DISPATCHER_AGENT_WORKERS": asked, **environ}
            up = Up(tmp_path, rules, {**environment(server), **given}, port=port)
            return House(server, stack.enter_context(up), workers)

        yield start
