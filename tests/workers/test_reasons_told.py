"""The table of reasons in workers/reasons.py is true, and so is what LANGUAGE.md makes of it."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import workers
from rules.decision import Reason
from rules.release import Leaving
from rules.session import Session
from service.sandbox import Worker
from tests.waiting import eventually
from tests.workers.conftest import delete_by_hand, explicit
from tests.workers.desk import dispatch
from workers import reasons
from workers.dispatch import Dispatch, State, Step
from workers.ledger import Ledger
from workers.reasons import Why
from workers.restarts import BY_HAND, FAILURES, OWN_END, left
from workers.settle import gave_up
from workers.states import LIVE, MOVES

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House

SOURCES = Path(workers.__file__).parent
LANGUAGE = (SOURCES.parent / "rules" / "LANGUAGE.md").read_text()


def table() -> dict[str, set[str]]:
    """Each reason with the states it is told in. A row goes on after a comma, and below nothing."""
    rows: list[tuple[str, str]] = []
    lines = (reasons.__doc__ or "").splitlines()
    for line in [line for line in lines if line.startswith("|")][2:]:
        named, states, _ = (cell.strip() for cell in line.split("|")[1:-1])
        if rows and (not named or rows[-1][0].endswith(",")):
            rows[-1] = (f"{rows[-1][0]} {named}".strip(), f"{rows[-1][1]} {states}")
        else:
            rows.append((named, states))
    return {
        name: set(re.findall(r"\w+", states))
        for named, states in rows
        for name in re.findall(r"`(\w+)`", named)
    }


RELEASES = [leaving for leaving in Leaving if leaving is not Leaving.NEVER]
WAITED = {str(Reason.PARTICIPANT_GONE), str(Reason.CONDITION)}
TABLE = table()


def reasons_of_dispatches() -> set[str]:
    """Members of `Reason` that workers name, but where an event's decisions are told."""
    named = set()
    for path in SOURCES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                named |= {node.attr} if node.value.id == "Reason" else set()
    return {Reason[name].value for name in named} - {Reason.MATCHED}


def test_every_reason_is_in_the_table() -> None:
    used = {*map(str, Why), *map(str, RELEASES), *reasons_of_dispatches(), *WAITED}
    assert used == set(TABLE)


def test_its_states_are_states() -> None:
    assert set().union(*TABLE.values()) <= set(State)


@pytest.mark.parametrize("reason", TABLE)
def test_people_can_look_it_up(reason: str) -> None:
    text = LANGUAGE.split("\n## What a dispatch says\n")[1].split("\n## ")[0]
    [row] = [line for line in text.splitlines() if line.startswith("| `") and f"`{reason}`" in line]
    assert set(re.findall(r"`(\w+)`", row.split("|")[2])) == TABLE[reason]


def in_state(state: State, **more: object) -> Dispatch:
    """A dispatch as it came to be in a state."""
    made = dispatch("a", 5)
    if state is State.SCHEDULED:
        return replace(dispatch("a", 5, after="1s"), **more)
    if state in (State.PENDING, State.ACTIVE):
        made = made.accepted("AD_1", 2.0)
    if state is State.ACTIVE:
        made = made.joined("agent-1", "PA_1", 3.0)
    return replace(made, **more)


def allowed(before: Dispatch, after: Dispatch) -> bool:
    """Whether it has moved as it may, and tells a reason that the table has in its state."""
    is_move = after.state is before.state or after.state in MOVES[before.state]
    word = (after.reason or "").partition(":")[0]
    return is_move and (word not in TABLE or after.state in TABLE[word])


@pytest.mark.parametrize("state", sorted(LIVE))
@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("reason", [Reason.ROOM_ENDED.value, f"{Why.NOT_CONFIGURED}: none"])
def test_any_live_dispatch_may_lose_its_session(state: State, step: Step, reason: str) -> None:
    before = in_state(state, step=step)
    after = before.dropped(reason, 9.0)
    assert after.settled
    assert after.reason == reason
    assert allowed(before, after)


@pytest.mark.parametrize("policy", ["never", "on_failure", "always"])
@pytest.mark.parametrize("because", [*sorted(FAILURES), OWN_END, BY_HAND, "room_deleted"])
@pytest.mark.parametrize("at", [4.0, 100.0])
@pytest.mark.parametrize("failed", [0, 5])
def test_any_agent_may_leave(policy: str, because: str, at: float, failed: int) -> None:
    human = {"PA_2": {"identity": "ana", "kind": "STANDARD"}}
    session = Session("RM_a", participants=human)
    before = in_state(State.ACTIVE, restart_policy=policy, restarts=(at,) * failed)
    outcome = left(before, because, at, at, session, ours=True)
    assert allowed(before, outcome.dispatch)
    assert not outcome.dispatch.live
    if outcome.follower is not None:
        assert outcome.follower.state is State.SCHEDULED
        assert outcome.follower.reason == f"restart: {outcome.dispatch.reason}"


@pytest.mark.parametrize("fallback", [(), ({"agent": "b", "deployment": ""},)])
def test_what_livekit_refuses_is_over(fallback: tuple[dict[str, object], ...]) -> None:
    rest = ("metadata", "attributes", "restart_policy", "provider", "join_within")
    rungs = tuple({**dict.fromkeys(rest), **rung} for rung in fallback)
    before = in_state(State.REQUESTED, fallback=rungs)
    outcome = gave_up(before, f"{Why.GIVEN_UP}: no", 9.0)
    assert allowed(before, outcome.dispatch)
    assert (outcome.follower is not None) == bool(fallback)


def test_every_state_can_be_reached_and_what_is_over_stays_over() -> None:
    assert set(MOVES) == set(State)
    assert set().union(*MOVES.values()) == set(State) - {State.SCHEDULED}
    assert {state for state in State if not MOVES[state]} == set(State) - LIVE


RULES = """
version: 1
x-comes: &comes {on: participant_joined}
rules:
  - id: ladder
    <<: *comes
    when: {room: {name: ladder}}
    dispatch: {agent: greeter, deployment: beta}
    join_within: 300ms
    fallback: [{deployment: ""}]
    release: last_human_left
  - id: waits
    <<: *comes
    when: {room: {name: waits}}
    after: 300ms
    dispatch: {agent: greeter}
  - id: fails
    <<: *comes
    when: {room: {name: fails}}
    dispatch: {agent: fails}
  - id: deleted
    <<: *comes
    when: {room: {name: deleted}}
    dispatch: {agent: nobody}
    join_within: 1s
"""


def test_what_becomes_of_dispatches_is_as_told(house: House, sandbox: Sandbox) -> None:
    sandbox.add_worker(Worker("fails", accept_delay=0.02, join_delay=0.02, leave_after=0.05))
    house.rules.write_text(RULES)
    house.start_worker()
    for room in ("ladder", "waits", "fails", "deleted"):
        sandbox.join(room, "ana")
    eventually(lambda: house.dispatches(room="deleted", state="pending"))
    delete_by_hand(sandbox, "deleted", explicit(sandbox, "deleted")[0].id)
    eventually(lambda: house.dispatches(rule="ladder", state="active"))
    sandbox.leave("ladder", "ana")
    eventually(lambda: house.dispatches(rule="ladder", state="released"))
    eventually(lambda: house.dispatches(rule="deleted", state="released"))
    eventually(lambda: len(house.dispatches(rule="fails")) > 2)
    for room in ("waits", "fails"):
        sandbox.delete_room(room)
    eventually(lambda: {d["state"] for d in house.dispatches()}.isdisjoint(LIVE))

    ledger, seen = Ledger(house.redis), set()
    for listed in house.dispatches():
        timeline = (ledger.dispatch(listed["id"]) or {})["timeline"]
        assert timeline[0]["state"] in (State.SCHEDULED, State.REQUESTED)
        for before, after in pairwise(timeline):
            assert before["state"] == after["state"] or after["state"] in MOVES[before["state"]]
        for move in timeline:
            word = (move["reason"] or "").partition(":")[0]
            seen.add(word)
            assert word not in TABLE or move["state"] in TABLE[word], move
    assert {"no_worker", "last_human_left", "held", "left_early", "restart", "room_ended"} <= seen
