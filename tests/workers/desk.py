"""Words for tests of what workers write to Redis: events, dispatches, and one worker's queue."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Self

import redis.asyncio

from rules.event import read_event
from rules.session import Session
from tests.rules.given import one, rule
from workers.inbox import DueQueue
from workers.intake import Intake
from workers.planned import planned
from workers.record import Record
from workers.scripts import ScriptRunner

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis import Redis

    from rules.event import Event
    from tests.conftest import Valkey
    from workers.dispatch import Dispatch
    from workers.hold import Hold

SERVER = "s1"
TENANTS = 'limit: {active: %d, per: "{{ room.metadata.tenant }}"}'


def coming(
    room: str, who: str = "ana", event: str = "participant_joined", tenant: str = ""
) -> Event:
    body = {
        "event": event,
        "id": f"EV_{event}_{room}_{who}",
        "created_at": 1_770_000_000,
        "room": {"sid": f"RM_{room}", "name": room, "metadata": json.dumps({"tenant": tenant})},
        "participant": {"sid": f"PA_{who}", "identity": who},
    }
    if event == "room_finished":
        del body["participant"]
    return read_event(body, project="devkey")


def dispatch(room: str, active: int, tenant: str = "t", after: str = "0s") -> Dispatch:
    """One that the rule `r` decides on the event of a room."""
    event = coming(room, tenant=tenant)
    (plan,) = one(rule(f"after: {after}\n{TENANTS % active}"), event).plans
    return planned(plan, event, Session(event.room_sid), event_at=0.0, rules_hash="", now=1.0)


class Desk:
    """One worker's connection and queue."""

    def __init__(self, socket: str, name: str = "worker", runner: type = ScriptRunner) -> None:
        self.client = redis.asyncio.Redis(unix_socket_path=socket)
        self.queue = DueQueue(runner(self.client), name)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    async def take(self, most: int = 1) -> list[Hold]:
        claimed = await self.queue.claim(most=most)
        for hold in claimed.holds:
            hold.record = Record.from_json(hold.stored)
        return list(claimed.holds)

    async def commit(self, hold: Hold, *dispatches: Dispatch, taken: str = "") -> None:
        await self.queue.commit(hold, hold.record.with_dispatches(dispatches), taken=taken)


def arrive(redis: Redis, *events: Event) -> None:
    """Webhooks come in."""
    for event in events:
        assert Intake(redis).accept(SERVER, event) == "accepted"


def run(
    valkey: Valkey, play: Callable[[Desk], Awaitable[None]], runner: type = ScriptRunner
) -> None:
    async def all_of_it() -> None:
        async with Desk(str(valkey.socket), runner=runner) as desk:
            await asyncio.wait_for(play(desk), 20)

    asyncio.run(all_of_it())
