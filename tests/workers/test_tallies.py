"""What is counted as it happens: rules that match, sessions of a day, what a minute brought."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.waiting import eventually
from workers import keys
from workers.ledger import Ledger

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House

RULES = """
version: 1
rules:
  - id: greet
    on: participant_joined
    dispatch: {agent: greeter, deployment: staging}
  - id: watch
    on: participant_joined
    shadow: true
    dispatch: {agent: watcher}
  - id: never
    on: participant_joined
    when: {room: {name: nowhere}}
    dispatch: {agent: nobody}
"""


def test_each_match_session_and_minute_is_counted_once(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(RULES)
    house.start_worker()
    for room in ("support-1", "support-2"):
        sandbox.join(room, "ana")
    eventually(lambda: len(house.dispatches(state="active")) == 2)
    sandbox.delete_room("support-1")
    eventually(lambda: house.dispatches(state="ended"))

    ledger = Ledger(house.redis)
    hits = ledger.hits()
    assert {rule: each.count for rule, each in hits.items()} == {"greet": 2, "watch": 2}
    assert abs(hits["greet"].last_at - house.redis.time()[0]) < 60
    today = keys.DAY + datetime.now(UTC).date().isoformat()
    assert house.redis.hgetall(today) == {b"greeter\x1fstaging": b"2"}
    minutes = ledger.minutes()
    assert len(minutes) == 60
    assert {b.at - a.at for a, b in pairwise(minutes)} == {60}
    assert sum(each.dispatches for each in minutes) == 2
    assert sum(each.events for each in minutes) >= 4
    assert sum(each.failed for each in minutes) == 0
    assert ledger.standing()["active"] == 1
    assert ledger.failed_since(0.0) == 0


def test_one_that_fails_is_counted_as_that(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(
        RULES.replace("{agent: greeter, deployment: staging}", "{agent: nobody}")
    )
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: house.dispatches(state="pending"))
    sandbox.delete_room("support-1")
    eventually(lambda: house.dispatches(state="failed"))
    ledger = Ledger(house.redis)
    assert sum(each.failed for each in ledger.minutes()) == 1
    assert (ledger.failed_since(0.0), ledger.failed_since(9e9)) == (1, 0)
