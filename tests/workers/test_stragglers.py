"""Agents that a session leaves behind, and what is remembered of them."""

from __future__ import annotations

from dataclasses import replace

from rules.session import Session
from tests.workers.desk import dispatch
from workers.dispatch import Dispatch, State
from workers.planned import replacement
from workers.record import Record
from workers.stragglers import MOST, UNHEARD_SECONDS

NOW = 1000.0


def pending(livekit_id: str = "AD_1") -> Dispatch:
    return dispatch("support-1", 5).accepted(livekit_id, NOW)


def active(livekit_id: str = "AD_1", identity: str = "agent-AJ_1") -> Dispatch:
    return pending(livekit_id).joined(identity, "PA_1", NOW)


def behind(*dispatches: Dispatch) -> Record:
    """The record of a room whose session has ended with these."""
    return Record(session=Session("RM_1")).with_stragglers(dispatches, NOW)


def test_one_on_its_way_is_known_by_its_name_and_when_it_came() -> None:
    record = behind(pending())
    agent = pending().agent
    assert record.is_straggler(agent, NOW + 30)
    assert not record.is_straggler(agent, NOW + 61)
    assert not record.is_straggler("another", NOW + 30)


def test_one_that_was_there_goes_when_another_is_there_for_the_new_session() -> None:
    record = behind(active())
    assert not record.is_straggler(active().agent, NOW + 1)
    assert record.with_replaced([pending("AD_2")], NOW + 5) == record
    after = record.with_replaced([active("AD_2", "agent-AJ_2")], NOW + 5)
    [unwanted] = after.unwanted
    assert (unwanted.identities, unwanted.due) == (("agent-AJ_1",), NOW + 5)
    assert after.stragglers == ()


def test_one_that_was_to_be_sent_again_may_come_back_too() -> None:
    follower = replacement(active(), "server_shutdown", NOW, NOW + 1)
    assert follower.state is State.SCHEDULED
    [straggler] = behind(follower).stragglers
    assert (straggler.dispatch_id, straggler.identity) == ("AD_1", "agent-AJ_1")


def test_each_is_remembered_once_and_not_for_ever() -> None:
    record = behind(pending())
    for _ in range(5):
        record = record.with_stragglers([pending()], NOW)
    assert len(record.stragglers) == 1
    for number in range(2 * MOST):
        record = record.with_stragglers([pending(f"AD_{number}")], NOW)
    assert len(record.stragglers) == MOST
    assert record.with_stragglers([], NOW + 60 + UNHEARD_SECONDS).stragglers == ()


def test_a_record_reads_back_what_it_wrote() -> None:
    record = behind(pending("AD_1"), active("AD_2"))
    assert Record.from_json(record.to_json()).stragglers == record.stragglers
    old = replace(record, stragglers=(record.stragglers[0],)).to_json().replace(',""]', "]")
    assert Record.from_json(old).stragglers == (record.stragglers[0],)
