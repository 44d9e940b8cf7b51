"""What every provider says of calls that did not succeed: the work decides by it what to do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.waiting import eventually
from tests.workers.providers.subjects import order
from workers.errors import NotSent, Unauthorized, Unclear
from workers.providers.base import CALL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.workers.providers.subjects import Subject
    from workers.providers.base import Provider

    Call = Callable[[Provider, Subject], Coroutine[Any, Any, object]]

CALLS: Final[dict[str, Call]] = {
    "create": lambda provider, subject: provider.create(order(subject.room)),
    "remove": lambda provider, subject: provider.remove(subject.room, "ana"),
    "room_sid": lambda provider, subject: provider.room_sid(subject.room),
    "snapshot": lambda provider, subject: provider.snapshot(subject.room),
    "rooms": lambda provider, _subject: provider.rooms(),
    "people": lambda provider, subject: provider.people(
        {"name": subject.room, "sid": subject.sid() or "1"}
    ),
}
each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


@each_call
def test_a_wrong_secret_names_the_variables_and_not_the_secret(
    subject: Subject, call: Call
) -> None:
    wrong = "wrong-wrong-wrong-wrong-wrong-wrong-wrong"
    with pytest.raises(Unauthorized) as told:
        subject.ask(lambda provider: call(provider, subject), secret=wrong)
    assert all(variable in str(told.value) for variable in subject.credentials)
    assert wrong not in str(told.value)
    assert subject.sent() == 0


@each_call
def test_a_key_that_was_taken_back_is_unauthorized(subject: Subject, call: Call) -> None:
    subject.fault("unauthorized")
    with pytest.raises(Unauthorized):
        subject.ask(lambda provider: call(provider, subject))
    assert subject.sent() == 0


@each_call
def test_a_call_that_could_not_be_sent_names_the_address(subject: Subject, call: Call) -> None:
    with pytest.raises(NotSent) as told:
        subject.ask(lambda provider: call(provider, subject), url=subject.nowhere())
    assert subject.address in str(told.value)


@each_call
@pytest.mark.parametrize("fault", ["unavailable", "cut_before_work", "cut", "too_many"])
def test_an_answer_that_says_nothing_is_unclear(subject: Subject, call: Call, fault: str) -> None:
    subject.join("ana")
    subject.fault(fault)
    with pytest.raises(Unclear):
        subject.ask(lambda provider: call(provider, subject))


@pytest.mark.parametrize(
    ("fault", "sent"),
    [("unavailable", 0), ("unavailable_after_work", 1), ("cut_before_work", 0), ("cut", 1)],
)
def test_an_unclear_order_is_sent_once_or_not_at_all(
    subject: Subject, fault: str, sent: int
) -> None:
    subject.fault(fault)
    with pytest.raises(Unclear):
        subject.ask(lambda provider: provider.create(order(subject.room)))
    assert subject.sent() == sent


@each_call
def test_no_answer_in_time_is_unclear(subject: Subject, call: Call) -> None:
    subject.fault("hang")
    began = time.monotonic()
    with pytest.raises(Unclear, match="within 5 s"):
        subject.ask(lambda provider: call(provider, subject))
    assert CALL_SECONDS - 0.1 < time.monotonic() - began < CALL_SECONDS + 2


@pytest.mark.parametrize("fault", ["hang_after_work", "slow"])
def test_an_order_that_is_carried_out_without_an_answer_is_unclear(
    subject: Subject, fault: str
) -> None:
    subject.fault(fault, seconds=60)
    with pytest.raises(Unclear):
        subject.ask(lambda provider: provider.create(order(subject.room)))
    eventually(lambda: len(subject.present()) == 1)


@each_call
def test_when_to_come_again_is_heard(subject: Subject, call: Call) -> None:
    subject.fault("too_many", seconds=2.5)
    with pytest.raises(Unclear):
        subject.ask(lambda provider: call(provider, subject))
    assert subject.rests == [2.5]


def test_nothing_is_heard_where_nothing_is_asked(subject: Subject) -> None:
    subject.ask(lambda provider: provider.create(order(subject.room)))
    assert subject.rests == []
