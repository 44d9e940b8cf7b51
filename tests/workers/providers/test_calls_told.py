"""Each call to a provider is told once: which it was, what came of it, how long it took."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workers.providers.subjects import order
from workers.errors import NotSent, ProviderError, Unclear
from workers.providers.base import CALL_SECONDS

if TYPE_CHECKING:
    from tests.workers.providers.subjects import Subject

SENDS = {"CreateDispatch", "agent/dispatch"}


def test_a_call_that_succeeds(subject: Subject) -> None:
    subject.join("ana")
    subject.ask(lambda provider: provider.create(order(subject.room)))
    [(method, code, seconds)] = subject.calls
    assert (method in SENDS, code) == (True, "200")
    assert 0 < seconds < CALL_SECONDS


def test_a_call_that_is_refused(subject: Subject) -> None:
    subject.fault("unauthorized")
    with pytest.raises(ProviderError):
        subject.ask(lambda provider: provider.create(order(subject.room)))
    assert {code for _, code, _ in subject.calls} == {"401"}


def test_a_call_that_could_not_be_sent(subject: Subject) -> None:
    with pytest.raises(NotSent):
        subject.ask(lambda p: p.create(order(subject.room)), url=subject.nowhere())
    assert [(method in SENDS, code) for method, code, _ in subject.calls] == [(True, "unconnected")]


def test_a_call_that_is_not_answered_in_time(subject: Subject) -> None:
    subject.fault("hang")
    with pytest.raises(Unclear):
        subject.ask(lambda provider: provider.create(order(subject.room)))
    [(_, code, seconds)] = subject.calls
    assert code == "timeout"
    assert seconds == pytest.approx(CALL_SECONDS, abs=1)


def test_a_call_whose_answer_is_cut_off(subject: Subject) -> None:
    subject.fault("cut")
    with pytest.raises(Unclear):
        subject.ask(lambda provider: provider.create(order(subject.room)))
    assert [code for _, code, _ in subject.calls] == ["lost"]


def test_no_method_holds_a_name_or_an_id(subject: Subject) -> None:
    subject.join("ana")

    async def all_of_them(provider) -> None:
        await provider.rooms()
        await provider.room_sid(subject.room)
        await provider.snapshot(subject.room)
        await provider.remove(subject.room, "ana")

    subject.ask(all_of_them)
    told = {method for method, _, _ in subject.calls}
    assert told in (
        {"ListRooms", "ListParticipants", "RemoveParticipant"},
        {"sessions", "sessions/participants/active", "sessions/participants/remove"},
    )
