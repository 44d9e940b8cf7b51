"""Events under `limit`, decided and carried out: who gets the places, and who the rest."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.waiting import eventually
from tests.workers.desk import Desk, arrive, coming, run
from tests.workers.shares import shares, watched
from workers import keys, pipeline
from workers.ledger import Ledger
from workers.rules_in_force import RulesInForce
from workers.scripts import COMMIT, ScriptRunner
from workers.tools import Tools

if TYPE_CHECKING:
    from pathlib import Path

    from redis import Redis

    from rules.event import Event
    from service.sandbox import Sandbox
    from tests.conftest import Valkey
    from tests.workers.conftest import House

RULES = """
version: 1
rules:
  - {id: gold, on: participant_joined, group: g, limit: {active: 1}, dispatch: {agent: a}}
  - {id: silver, on: participant_joined, group: g, limit: {active: 2}, dispatch: {agent: b}}
  - {id: alone, on: participant_joined, limit: {active: 3}, dispatch: {agent: c}}
  - {id: rest, on: participant_joined, group: g, dispatch: {agent: d}}
"""


def reasons(event: dict[str, Any]) -> dict[str, str]:
    """Why each rule came to what it came to on an event of the ledger."""
    return {each["rule"]: each["reason"] for each in event["decisions"]}


class Decided:
    """What the pipeline makes of events, without a LiveKit to call."""

    def __init__(self, desk: Desk, redis: Redis, rules: Path) -> None:
        self.desk, self.redis = desk, redis
        in_force = RulesInForce(str(rules))
        assert in_force.look().errors == ()
        self.tools = Tools(desk.queue, in_force, providers={}, gates={})

    async def all(self) -> None:
        while holds := await self.desk.take():
            for hold in holds:
                await pipeline.work(hold, self.tools)
                await self.desk.queue.release(hold)

    def reasons(self, event: Event) -> dict[str, str]:
        (found,) = [e for e in Ledger(self.redis).events().items if e["id"] == event.id]
        return reasons(found)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


def test_a_limit_that_is_reached_lets_the_next_of_the_group_dispatch(
    valkey: Valkey, redis: Redis, rules: Path
) -> None:
    async def play(desk: Desk) -> None:
        decided = Decided(desk, redis, rules)
        found = []
        for room in "abcde":
            arrive(redis, coming(room))
            await decided.all()
            found.append(decided.reasons(coming(room)))
        m, g, full = "matched", "group", "limit"
        assert [[each[name] for name in ("gold", "silver", "rest", "alone")] for each in found] == [
            [m, g, g, m], [full, m, g, m], [full, m, g, m], [full, full, m, full],
            [full, full, m, full],
        ]  # fmt: skip
        assert shares(redis)[0] == shares(redis)[1]

    run(valkey, play)


def test_the_end_of_a_session_frees_places(valkey: Valkey, redis: Redis, rules: Path) -> None:
    async def play(desk: Desk) -> None:
        decided = Decided(desk, redis, rules)
        arrive(redis, coming("a"), coming("b"), coming("a", event="room_finished"), coming("c"))
        for _ in range(2):  # rooms are taken one by one, each with all of its events
            await decided.all()
        assert len(shares(redis)[0]["gold:"]) == 1
        assert shares(redis)[0] == shares(redis)[1]

    run(valkey, play)


class Unlucky(ScriptRunner):
    """Before the second commit another room takes the last places of `alone`."""

    commits = 0

    async def call(self, script, keys_, args):
        if script is COMMIT:
            self.commits += 1
            if self.commits == 2:
                taken = dict.fromkeys(("X1", "X2", "X3"), 1e15)
                await self.redis.zadd(keys.LIMIT + "alone:", taken)
        assert self.commits < 10, "it is tried again and again"
        return await super().call(script, keys_, args)


def test_a_place_that_is_taken_between_two_tries_ends_the_second_and_not_the_third(
    valkey: Valkey, redis: Redis, rules: Path
) -> None:
    async def play(desk: Desk) -> None:
        redis.zadd(keys.LIMIT + "gold:", {"G1": 1e15})
        decided = Decided(desk, redis, rules)
        arrive(redis, coming("a"))
        await decided.all()
        assert decided.reasons(coming("a")) == {
            "gold": "limit", "silver": "matched", "alone": "limit", "rest": "group"
        }  # fmt: skip

    run(valkey, play, Unlucky)


PLACES = """
version: 1
rules:
  - {id: few, on: participant_joined, group: g, limit: {active: 5},
     dispatch: {agent: greeter, restart_policy: never}}
  - id: rest
    on: participant_joined
    group: g
    dispatch: {agent: greeter, deployment: staging, restart_policy: never}
"""


def test_callers_of_many_rooms_share_the_places_there_are(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(PLACES)
    for _ in range(3):
        house.start_worker()
    with watched(house.redis) as watch:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: sandbox.join(f"room-{n}", f"ana-{n}"), range(40)))
        eventually(lambda: len(house.dispatches(state="active")) == 40, timeout=30)
    assert Counter(d["rule"] for d in house.dispatches()) == {"few": 5, "rest": 35}
    assert (watch.most, watch.differing) == ({"few:": 5}, [])
    production, staging = sandbox.agents.workers
    assert (len(production.jobs), len(staging.jobs)) == (5, 35)


def test_who_comes_after_one_has_gone_gets_the_place(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(PLACES.replace("active: 5", "active: 1"))
    house.start_worker()
    sandbox.join("room-1", "ana")
    [first] = eventually(lambda: house.dispatches(state="active"))
    sandbox.join("room-2", "bob")
    eventually(lambda: len(house.dispatches(state="active")) == 2)
    sandbox.leave("room-1", first["agent_identity"])
    eventually(lambda: house.dispatches(state="ended"))
    sandbox.join("room-3", "eva")
    eventually(lambda: len(house.dispatches(state="active")) == 2)
    assert [d["rule"] for d in house.dispatches()] == ["few", "rest", "few"]


def test_one_that_failed_frees_its_place(house: House, sandbox: Sandbox) -> None:
    big = "attributes: {a: \"{{ 'x' * (65500 if room.name == 'room-1' else 1) }}\"}"
    few = f"agent: greeter, {big}"
    house.rules.write_text(
        PLACES.replace("active: 5", "active: 1").replace("agent: greeter", few, 1)
    )
    house.start_worker()
    sandbox.join("room-1", "ana")
    eventually(lambda: house.dispatches(state="failed"))
    sandbox.join("room-2", "bob")
    [second] = eventually(lambda: house.dispatches(state="active"))
    assert second["rule"] == "few"
    assert shares(house.redis) == ({"few:": {second["id"]}}, {"few:": {second["id"]}})


def test_a_match_that_is_refused_is_not_kept_for_later(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(PLACES[: PLACES.index("  - id: rest")].replace("5", "1"))
    house.start_worker()
    sandbox.join("room-1", "ana")
    [first] = eventually(lambda: house.dispatches(state="active"))
    sandbox.join("room-2", "bob")
    refused = {"few": "limit"}
    eventually(lambda: [e for e in Ledger(house.redis).events().items if reasons(e) == refused])
    sandbox.leave("room-1", first["agent_identity"])
    eventually(lambda: house.dispatches(state="ended"))
    sandbox.join("room-3", "eva")
    [last] = eventually(lambda: house.dispatches(state="active"))
    assert last["room"] == "room-3"
    assert len(house.dispatches()) == 2


def test_one_that_waits_has_a_place_until_it_is_not_wanted_any_more(
    house: House, sandbox: Sandbox
) -> None:
    one_waits = PLACES[: PLACES.index("  - id: rest")].replace(
        "active: 5}", "active: 1}, after: 2s"
    )
    house.rules.write_text(one_waits)
    house.start_worker()
    sandbox.join("room-1", "ana")
    [first] = eventually(lambda: house.dispatches(state="scheduled"))
    sandbox.join("room-2", "bob")
    refused = {"few": "limit"}
    eventually(lambda: [e for e in Ledger(house.redis).events().items if reasons(e) == refused])
    sandbox.leave("room-1", "ana")
    eventually(lambda: house.dispatches(state="released"))
    sandbox.join("room-3", "eva")
    [second] = eventually(lambda: house.dispatches(state="scheduled"))
    assert (first["room"], second["room"]) == ("room-1", "room-3")
    assert shares(house.redis) == ({"few:": {second["id"]}}, {"few:": {second["id"]}})
