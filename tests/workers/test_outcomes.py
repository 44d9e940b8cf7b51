"""What counts as an outcome of an agent's dispatch, and what says nothing of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.workers.desk import dispatch
from workers import keys
from workers.outcomes import of_outcomes
from workers.states import State

if TYPE_CHECKING:
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
    assert {note[1] for note in notes} == {f"{keys.OUTCOMES}greeter\x1fstaging"}
    assert (push[0], trim[0], expire[0]) == ("LPUSH", "LTRIM", "EXPIRE")
    return json.loads(push[2])


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


def test_one_that_comes_after_all_has_both() -> None:
    late = replace(TOLD, worker_id="AW_2").joined("agent-1", "PA_1", 40.0)
    assert kept(TOLD, late) == [40.0, 30_000, "AW_2", ""]


@pytest.mark.parametrize(("seconds", "says_something"), [(0.5, False), (4.9, False), (8.0, True)])
def test_a_call_that_ends_at_once_says_nothing(seconds: float, says_something: bool) -> None:
    over = ACCEPTED.ended(State.FAILED, "room_ended", 10.0 + seconds)
    assert (kept(ACCEPTED, over) is not None) is says_something


def test_what_livekit_never_took_says_nothing() -> None:
    assert kept(ASKED, ASKED.ended(State.FAILED, "given_up", 400.0)) is None


def test_one_that_is_released_says_nothing() -> None:
    assert kept(ACCEPTED, ACCEPTED.ended(State.RELEASED, "last_human_left", 30.0)) is None
