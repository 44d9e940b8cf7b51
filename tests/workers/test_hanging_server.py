"""A LiveKit that hangs holds up nobody but its own rooms."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from service.sandbox import Sandbox, Worker, running
from tests.waiting import eventually
from tests.workers.conftest import GREET, House, explicit
from workers.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis import Redis


@pytest.fixture
def other() -> Iterator[Sandbox]:
    livekit = Sandbox(
        key="otherkey", workers=[Worker("greeter", accept_delay=0.02)], job_listing_delay=0.0
    )
    with running(livekit):
        yield livekit


@pytest.fixture
def house_of_two(
    redis: Redis, redis_url: str, hook: object, sandbox: Sandbox, other: Sandbox, tmp_path: Path
) -> Iterator[House]:
    settings = load_settings(
        {
            "LIVEKIT_URLS": f"devkey: {sandbox.url}\notherkey: {other.url}",
            "LIVEKIT_KEYS": f"devkey: {sandbox.secret}\notherkey: {other.secret}",
            "REDIS_URL": redis_url,
            "DISPATCHER_DATA": str(tmp_path),
        }
    )
    names = {sandbox.url: "one", other.url: "two"}
    hook.server_ids.update({names[server.url]: server.id for server in settings.servers})
    other.webhooks.urls = (f"http://127.0.0.1:{hook.server_port}/two",)
    place = House(redis, settings, tmp_path / "rules.yaml")
    place.rules.write_text(GREET)
    yield place
    place.stop()


def test_rooms_of_another_server_are_served_while_one_hangs(
    house_of_two: House, sandbox: Sandbox, other: Sandbox
) -> None:
    house_of_two.start_worker(concurrency=8)
    hanging = sandbox.fault("hang")
    for n in range(40):
        sandbox.join(f"stuck-{n}", "ana")
    eventually(lambda: hanging.met >= 6, timeout=10)
    began = time.monotonic()
    for n in range(20):
        other.join(f"free-{n}", "bo")
    eventually(lambda: len(house_of_two.dispatches(state="active")) == 20, timeout=10)
    assert time.monotonic() - began < 4, "a hanging call lasts 5 s"
    assert not house_of_two.dispatches(state="failed")
    sandbox.heal()
    eventually(lambda: len(house_of_two.dispatches(state="active")) == 60, timeout=60)
    for n in range(40):
        assert len(explicit(sandbox, f"stuck-{n}")) == 1
