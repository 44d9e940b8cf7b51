"""Words for tests of join tokens: one as the API gives it, and who came of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rules.event import read_event
from rules.loader import load
from tests.waiting import eventually
from workers import keys
from workers.join_token import Asked, issue

if TYPE_CHECKING:
    from typing import Any

    from service.sandbox import Sandbox
    from tests.workers.conftest import House

ROOM = "support-1"


def token(house: House, who: str, room: str = ROOM, **asked: Any) -> str:
    """A join token as the API gives it, by the rules as they are now."""
    body = {
        "event": "participant_joined", "id": "asked", "created_at": time.time(),
        "room": {"name": room}, "participant": {"identity": who},
    }  # fmt: skip
    ruleset = load(house.rules)
    server = house.settings.servers[0]
    asking = Asked(**asked)
    providers = house.settings.providers
    event, dry_run = read_event(body), house.settings.dry_run
    return issue(house.redis, ruleset, server, event, asking, providers, dry_run=dry_run).token


def room_key(house: House) -> str:
    return keys.room_key(house.settings.servers[0].id, ROOM)


def active(house: House, count: int = 1) -> list[dict[str, Any]]:
    return eventually(lambda: _if(house.dispatches(state="active"), count), timeout=15)


def _if(found: list[Any], count: int) -> list[Any]:
    return found if len(found) == count else []


def agents(sandbox: Sandbox, room: str = ROOM) -> list[str]:
    return [p for p in sandbox.rooms.open[room].participants if p.startswith("agent-")]
