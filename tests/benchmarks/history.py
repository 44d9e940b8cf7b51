"""What looking at a long history takes, through the web process, as a person or a program looks."""

from __future__ import annotations

import random
import secrets
import time
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import requests

from rules.event import read_event
from tests.benchmarks.houses import ours
from tests.benchmarks.measures import p99
from tests.benchmarks.table import Row
from tests.workers.desk import dispatch
from workers import keys, scripts
from workers.history import dispatch_document, event_document
from workers.states import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from tests.benchmarks.houses import House
    from workers.dispatch import Dispatch
    from workers.hold import Document

LISTED: Final = 1_000_000
AGENTS: Final = 20
LOOKS: Final = 41
GOAL_MS: Final = 100
_AT_ONCE: Final = 100
_STATES: Final = {State.ENDED: 90, State.FAILED: 3, State.RELEASED: 6, State.ACTIVE: 1}


def history() -> Iterator[Row]:
    """A million dispatches, each with its event: how long pages take, and what they weigh."""
    token = secrets.token_hex(16)
    environ = {
        "DISPATCHER_ADMIN_TOKEN": token,
        "DISPATCHER_HISTORY_BYTES": "100GB",
        "DISPATCHER_RETENTION": "365d",
        "DISPATCHER_RECONCILE_INTERVAL": "0",
    }
    with ours(environ=environ) as house:
        before = _used(house.redis)
        began = time.monotonic()
        _fill(house.redis)
        more = {"filled_s": time.monotonic() - began}
        more["counted_mb"] = int(house.redis.hget(keys.HISTORY, "bytes") or 0) / 1e6
        name = f"{LISTED:,} dispatches and events kept"
        yield Row(f"{name}: Redis", "MB", _used(house.redis) - before, more=more)
        browser = _signed_in(house, token)
        for what, path in _paths(house, browser).items():
            times = [_milliseconds(house, browser, path) for _ in range(LOOKS)]
            yield Row(
                f"{name}: {what}, median", "ms", median(times), goal=GOAL_MS, least=False,
                more={"p99_ms": p99([each / 1000 for each in times])},
            )  # fmt: skip


def _paths(house: House, browser: requests.Session) -> dict[str, str]:
    """What is looked at."""
    api = "/api/v1/dispatches"
    agent = f"{api}?agent=agent-3&deployment=staging&state=failed"
    page = browser.get(f"{_address(house)}{agent}", timeout=60).json()["dispatches"]
    one = page[0]
    return {
        "first page, API": api,
        "agent, deployment and state, API": agent,
        "a room, API": f"{api}?room={one['room']}",
        "one dispatch, API": f"{api}/{one['id']}",
        "the page of now": "/",
        "first page of calls": "/calls",
        "calls of an agent that failed": "/calls?agent=agent-3&state=failed",
        "a call's page": f"/calls/{one['id']}",
    }


def _milliseconds(house: House, browser: requests.Session, path: str) -> float:
    began = time.perf_counter()
    answer = browser.get(f"{_address(house)}{path}", timeout=60, allow_redirects=False)
    took = time.perf_counter() - began
    answer.raise_for_status()
    assert answer.status_code == 200, answer.headers
    return took * 1000


def _signed_in(house: House, token: str) -> requests.Session:
    browser = requests.Session()
    form = browser.get(f"{_address(house)}/sign-in", timeout=60)
    csrf = form.text.partition('name="csrf" value="')[2].partition('"')[0]
    given = {"csrf": csrf, "token": token, "next": "/"}
    browser.post(f"{_address(house)}/sign-in", data=given, timeout=60).raise_for_status()
    return browser


def _address(house: House) -> str:
    host, port = house.web[0]
    return f"http://{host}:{port}"


def _fill(redis: Redis) -> None:
    """Keep dispatches and their events, one a second up to now, as workers' commits do."""
    like, chance, first = dispatch("x", 1), random.Random(1), time.time() - LISTED
    room = keys.ROOM + "bench"
    redis.hset(room, "holder", "bench")
    names = [room, keys.INBOX + "bench", "lkd:bench:due", keys.ROOMS, keys.HISTORY, keys.ROUTES]
    for start in range(0, LISTED, _AT_ONCE):
        documents = [
            document
            for number in range(start, start + _AT_ONCE)
            for document in _documents(like, number, first + number, chance)
        ]
        head = [room, "bench", 60_000, "", 0, "", 0, 60, "0", 0, len(documents), keys.MINUTE]
        args = [*head, *(word for each in documents for word in each.args())]
        assert scripts.call(redis, scripts.COMMIT, names, args) == b"ok"
    redis.delete(room, "lkd:bench:due")


def _documents(like: Dispatch, number: int, at: float, chance: random.Random) -> list[Document]:
    agent, room = f"agent-{chance.randrange(AGENTS)}", f"room-{chance.randrange(LISTED // 3)}"
    [state] = chance.choices(list(_STATES), list(_STATES.values()))
    accepted = like.accepted(f"AD_{number:012}", at + 0.05, at + 0.05)
    joined = accepted.joined(f"agent-AJ_{number:012}", f"PA_{number:012}", at + 0.4)
    told: dict[str, Any] = {"state": state, "created_at": at, "event_id": f"EV_{number:012}"}
    told |= {"room": room, "room_sid": f"RM_{room}", "agent": agent, "rule": f"rule-{agent}"}
    told |= {"deployment": chance.choice(["", "staging"]), "id": f"D{number:020x}"}
    one = replace(joined, **told)
    body = {
        "event": "room_started",
        "id": one.event_id,
        "created_at": at,
        "room": {"name": room, "sid": one.room_sid},
    }
    event = event_document(
        "bench", one.event_id, read_event(body), [], [], rules_hash="h", now=at, instant=at
    )
    return [dispatch_document(None, one), event]


def _used(redis: Redis) -> float:
    return float(redis.info("memory")["used_memory"]) / 1e6
