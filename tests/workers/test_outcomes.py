"""What counts as an outcome of an agent's dispatch, and what says nothing of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.workers.desk import dispatch
from workers import keys
from workers.outcomes import of_outcomes, read_outcomes
from workers.places import agent_key
from workers.states import State

if TYPE_CHECKING:
    from redis import Redis

    from workers.dispatch import Dispatch

ASKED = replace(dispatch("support-1", 1), agent="greeter", deployment="staging", created_at=10.0)
ACCEPTED = ASKED.accepted("AD_1", 10.0)
TOLD = ACCEPTED.told("no_worker: no worker took it", 25.0)
JOINED = replace(ACCEPTED, worker_id="AW_1").joined("agent-1", "PA_1", 10.25)


def kept(before: Dispatch | None, after: Dispatch) -> list[object] | None:
    """The outcome that a move brings."""
    notes = of_outcomes({before.id: before} if before is not None else {}, [after])
    if not notes:
        return None
    push, trim, expire = notes
    *said, dispatch_id = json.loads(push[2])
    assert dispatch_id == after.id
    assert {note[1] for note in notes} == {f"{keys.OUTCOMES}greeter\x1fstaging"}
    assert (push[0], trim[0], expire[0]) == ("LPUSH", "LTRIM", "EXPIRE")
    return said


def test_an_agent_that_joins_is_one_with_the_time_it_took_and_its_worker() -> None:
    assert kept(ACCEPTED, JOINED) == [10.25, 250, "AW_1", ""]


def test_one_that_comes_back_after_a_gap_has_joined_once() -> None:
    away = JOINED.reconnecting("duplicate_identity", 12.0)
    back = away.found("PA_2", 12.5)
    assert kept(JOINED, away) is None
    assert kept(away, back) is None
    assert kept(back, back.ended(State.ENDED, "client_initiated", 60.0)) is None


def test_that_none_comes_is_one_as_soon_as_it_is_told_and_not_again() -> None:
    assert kept(ACCEPTED, TOLD) == [25.0, None, "", "no_worker"]
    assert kept(TOLD, TOLD.ended(State.FAILED, "room_ended", 90.0)) is None
    assert kept(TOLD, TOLD.withdrawing(State.SUPERSEDED, "never_joined", 26.0)) is None


def test_one_that_comes_after_all_takes_the_place_of_that_none_came(redis: Redis) -> None:
    late = replace(TOLD, worker_id="AW_2").joined("agent-1", "PA_1", 40.0)
    other = replace(TOLD, id="D-other")
    for before, after in ((ACCEPTED, TOLD), (ACCEPTED, other), (TOLD, late)):
        for command, *words in of_outcomes({after.id: before}, [after]):
            redis.execute_command(command, *words)
    found = read_outcomes(redis, [agent_key("greeter", "staging")])
    assert [(o.dispatch, o.join_ms) for o in found[agent_key("greeter", "staging")]] == [
        (TOLD.id, 30_000),
        ("D-other", None),
    ]


def test_what_another_version_has_kept_is_read(redis: Redis) -> None:
    key = agent_key("greeter", "")
    for text in ('[1.0, 250, "AW_1", ""]', '[2.0, null, "", "no_worker"]',
                 '[3.0, 300, "AW_1", "", "D1", {"more": 1}]'):  # fmt: skip
        redis.lpush(keys.OUTCOMES + key, text)
    assert [o.join_ms for o in read_outcomes(redis, [key])[key]] == [300, None, 250]


@pytest.mark.parametrize(
    ("join_within", "seconds", "says_something"),
    [(None, 0.5, False), (None, 4.9, False), (None, 8.0, True), (20.0, 8.0, False),
     (20.0, 21.0, True)],
)  # fmt: skip
def test_a_call_that_ends_before_its_agent_is_expected_says_nothing(
    join_within: float | None, seconds: float, says_something: bool
) -> None:
    accepted = replace(ACCEPTED, join_within=join_within)
    over = accepted.ended(State.FAILED, "room_ended", 10.0 + seconds)
    assert (kept(accepted, over) is not None) is says_something


def test_what_livekit_never_took_says_nothing() -> None:
    assert kept(ASKED, ASKED.ended(State.FAILED, "given_up", 400.0)) is None


def test_a_server_that_ignores_deployments_has_brought_none_of_that_deployment() -> None:
    ignored = ASKED.ended(State.FAILED, "deployment_ignored: it needs version 1.12", 10.5)
    assert kept(ASKED, ignored) == [10.5, None, "", "deployment_ignored"]


def test_one_that_is_released_says_nothing() -> None:
    assert kept(ACCEPTED, ACCEPTED.ended(State.RELEASED, "last_human_left", 30.0)) is None
