"""Pages of history: what is asked for, newest first, each once, whatever else there is."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.cli import keep
from tests.workers.desk import dispatch
from workers import keys, reader
from workers.history import dispatch_document
from workers.ledger import BadCursor, Ledger
from workers.places import Route, place, read_route
from workers.states import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from workers.dispatch import Dispatch


def put(redis: Redis, number: int, **changes: object) -> Dispatch:
    """A dispatch in history, created in that second."""
    room = str(changes.get("room", "support-1"))
    made = replace(dispatch(room, 1), id=f"D{number:05}", created_at=float(number))
    made = replace(made, **changes)  # type: ignore[arg-type]
    keep(redis, dispatch_document(None, made))
    return made


def ids(ledger: Ledger, limit: int = 3, **asked: object) -> Iterator[str]:
    """Ids of all pages."""
    cursor = None
    while True:
        page = ledger.dispatches(limit=limit, cursor=cursor, **asked)  # type: ignore[arg-type]
        assert len(page.items) <= limit
        yield from (item["id"] for item in page.items)
        if page.next is None:
            return
        cursor = page.next


def test_pages_follow_each_other_without_a_gap_or_a_double(redis: Redis) -> None:
    for number in range(20):
        put(redis, number, created_at=float(number // 4), agent=f"a{number % 3}")
    told = list(ids(Ledger(redis)))
    assert len(told) == len(set(told)) == 20
    assert told == sorted(told, key=lambda i: (int(i[1:]) // 4, place("support-1", i)))[::-1]


def test_what_comes_meanwhile_is_on_no_later_page(redis: Redis) -> None:
    for number in range(6):
        put(redis, number)
    first = Ledger(redis).dispatches(limit=3)
    put(redis, 99)
    second = Ledger(redis).dispatches(limit=3, cursor=first.next)
    assert [d["id"] for d in second.items] == ["D00002", "D00001", "D00000"]
    assert second.next is None


STATES = [State.ACTIVE, State.ENDED, State.FAILED]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    given=st.lists(
        st.tuples(
            st.sampled_from(["r1", "r2"]),
            st.sampled_from(["a", "b\x1fc"]),
            st.sampled_from(["", "staging"]),
            st.sampled_from(["lobby", "support-1", "ú\n"]),
            st.sampled_from(STATES),
            st.integers(0, 9),
        ),
        max_size=25,
    ),
    asked=st.fixed_dictionaries(
        {},
        optional={
            "rule": st.sampled_from(["r1", "r2", "r3"]),
            "agent": st.sampled_from(["a", "b\x1fc"]),
            "deployment": st.sampled_from(["", "staging"]),
            "room": st.sampled_from(["lobby", "ú\n", "nowhere"]),
            "state": st.sampled_from(STATES),
        },
    ),
    limit=st.integers(1, 7),
)
def test_filters_give_what_reading_everything_would(
    redis: Redis, given: list[tuple], asked: dict[str, str], limit: int
) -> None:
    redis.flushdb()
    names = ("rule", "agent", "deployment", "room", "state")
    everything = []
    for number, (*values, second) in enumerate(sorted(given, key=lambda each: each[-1])):
        changes = dict(zip(names, values, strict=True))
        everything.append(put(redis, number, created_at=float(second), **changes))
    wanted = {d.id for d in everything if all(getattr(d, n) == v for n, v in asked.items())}
    told = list(ids(Ledger(redis), limit, **asked))
    assert len(told) == len(wanted)
    assert set(told) == wanted


def test_only_those_since(redis: Redis) -> None:
    for number in range(10):
        put(redis, number)
    assert list(ids(Ledger(redis), since=7.0)) == ["D00009", "D00008", "D00007"]
    assert list(ids(Ledger(redis), since=7.0, room="support-1")) == ["D00009", "D00008", "D00007"]


def test_those_that_follow_each_other_in_a_millisecond_are_in_their_order(redis: Redis) -> None:
    for number in (3, 1, 2, 0):
        put(redis, 9 - number, created_at=7.0, rung=number, state=State.SUPERSEDED)
    assert list(ids(Ledger(redis))) == ["D00006", "D00007", "D00008", "D00009"]


def test_one_that_moves_on_is_listed_once_and_as_it_is(redis: Redis) -> None:
    first = put(redis, 1)
    accepted = first.accepted("AD_1", 2.0)
    joined = accepted.joined("agent-1", "PA_1", 3.0)
    keep(redis, dispatch_document(first, accepted))
    keep(redis, dispatch_document(accepted, joined))
    ledger = Ledger(redis)
    assert [d["state"] for d in ledger.dispatches().items] == ["active"]
    assert ledger.dispatches(state="requested").items == []
    assert ledger.standing() == {"scheduled": 0, "requested": 0, "pending": 0, "active": 1}
    assert [d["id"] for d in ledger.dispatches(room="support-1").items] == [first.id]


def test_of_more_routes_than_are_told_apart_each_dispatch_is_found_all_the_same(
    redis: Redis,
) -> None:
    redis.zadd(keys.ROUTES, {f"r\x1fa{number}\x1f": 0 for number in range(512)})
    first = put(redis, 1, agent="another")
    assert redis.zcard(keys.ROUTES) == 512
    redis.zrem(keys.ROUTES, "r\x1fa0\x1f")
    moved = first.accepted("AD_1", 2.0)
    keep(redis, dispatch_document(first, moved))
    assert list(ids(Ledger(redis), agent="another")) == [first.id]
    assert list(ids(Ledger(redis))) == [first.id]
    assert Ledger(redis).standing()["pending"] == 1


def test_a_page_looks_at_no_more_than_a_request_may(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MOST_READ", 5)
    redis.zadd(keys.ROUTES, {f"r\x1fa{number}\x1f": 0 for number in range(512)})
    for number in range(12):
        put(redis, number, agent="wanted" if number == 0 else "other")
    page = Ledger(redis).dispatches(agent="wanted")
    assert (page.items, page.next is None) == ([], False)
    assert list(ids(Ledger(redis), agent="wanted")) == ["D00000"]


def test_of_rooms_with_the_same_digits_each_has_its_own(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("places", "reader", "pages"):
        monkeypatch.setattr(f"workers.{module}.room_digest", lambda _: "abcdef0")
    put(redis, 1, room="one")
    put(redis, 2, room="two")
    assert list(ids(Ledger(redis), room="one")) == ["D00001"]


@pytest.mark.parametrize("text", ["", "x", "bm9wZQ", "é", "MTIz", "bmFuCmFiYw", "!" * 9])
def test_a_cursor_that_no_page_gave_is_refused(redis: Redis, text: str) -> None:
    for asked in ({}, {"room": "support-1"}):
        with pytest.raises(BadCursor, match="not a cursor"):
            Ledger(redis).dispatches(cursor=text, **asked)


def test_ids_are_found_by_their_beginning(redis: Redis) -> None:
    for number in (1, 2, 11):
        put(redis, number, agent=f"a{number}")
    assert sorted(Ledger(redis).ids("D0001")) == ["D00011"]
    assert len(Ledger(redis).ids("D")) == 3
    assert Ledger(redis).ids("D*") == []


def test_a_route_is_read_back_whatever_an_agent_is_called() -> None:
    names = random.Random(1).choices(["a", "\x1f", "b\x1fc", ""], k=20)
    for agent in names:
        route = Route("rule-1", agent, "staging")
        assert read_route(route.key) == route
