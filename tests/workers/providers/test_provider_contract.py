"""What every provider promises the work: agents come and go, and rooms are told as they are."""

from __future__ import annotations

import gc
import json
import time
from typing import TYPE_CHECKING

import pytest

from rules.event import whole_participant, whole_room
from tests.waiting import eventually
from tests.workers.providers.subjects import order
from workers.errors import NotFound
from workers.providers.base import Snapshot

if TYPE_CHECKING:
    from tests.workers.providers.subjects import Subject
    from workers.providers.base import Provider


def test_an_agent_that_is_ordered_comes(subject: Subject) -> None:
    subject.join("ana")
    subject.ask(lambda provider: provider.create(order(subject.room)))
    eventually(lambda: len(subject.present()) == 2)
    assert subject.sent() == 1


def test_an_agent_comes_into_a_room_that_is_not_there_yet(subject: Subject) -> None:
    subject.ask(lambda provider: provider.create(order(subject.room)))
    eventually(lambda: len(subject.present()) == 1)


def test_the_answer_is_what_was_ordered(subject: Subject) -> None:
    asked = order(subject.room, metadata='{"lang":"es"}', attributes={"id": "d-1"})
    before = time.time()
    made = subject.ask(lambda provider: provider.create(asked))
    assert (made.agent, made.deployment, made.metadata) == ("greeter", "", '{"lang":"es"}')
    assert dict(made.attributes) == {"id": "d-1"}
    assert before - 0.1 <= made.created_at <= time.time() + 0.1


@pytest.mark.parametrize("metadata", ['{"customer":{"name":"Åsa"},"tags":[1,2.5,null,true]}'])
def test_an_agent_reads_the_metadata_it_was_ordered_with(subject: Subject, metadata: str) -> None:
    subject.ask(lambda provider: provider.create(order(subject.room, metadata=metadata)))
    [read] = eventually(subject.metadata)
    assert (json.loads(read) if isinstance(read, str) else read) == json.loads(metadata)


def test_the_same_order_twice_is_two_agents(subject: Subject) -> None:
    async def twice(provider: Provider) -> None:
        await provider.create(order(subject.room))
        await provider.create(order(subject.room))

    subject.ask(twice)
    eventually(lambda: len(subject.present()) == 2)


def test_an_agent_is_removed(subject: Subject) -> None:
    subject.join("ana")
    subject.ask(lambda provider: provider.create(order(subject.room)))
    [agent] = eventually(lambda: subject.present() - {"ana"})
    subject.ask(lambda provider: provider.remove(subject.room, agent))
    assert subject.present() == {"ana"}


def test_removing_who_is_not_there_says_so(subject: Subject) -> None:
    subject.join("ana")
    subject.join("eva")
    subject.leave("eva")
    for identity in ("nobody", "eva"):
        with pytest.raises(NotFound):
            subject.ask(lambda provider, who=identity: provider.remove(subject.room, who))
    assert subject.present() == {"ana"}


def test_removing_from_a_room_that_is_over_says_so(subject: Subject) -> None:
    subject.join("ana")
    subject.end()
    with pytest.raises(NotFound):
        subject.ask(lambda provider: provider.remove(subject.room, "ana"))


def test_a_room_has_a_sid_as_long_as_its_session_goes_on(subject: Subject) -> None:
    def sid() -> str | None:
        return subject.ask(lambda provider: provider.room_sid(subject.room))

    assert sid() is None
    subject.join("ana")
    first = sid()
    assert first is not None
    assert first == subject.sid() == sid()
    subject.end()
    assert sid() is None
    subject.join("ana")
    assert sid() not in (None, first)


def test_a_sid_is_that_of_the_room_asked_for(subject: Subject) -> None:
    subject.join("ana")
    subject.join("eva", room=f"{subject.room}-2")
    names = (subject.room, f"{subject.room}-2")
    sids = [subject.ask(lambda provider, n=name: provider.room_sid(n)) for name in names]
    assert len(set(sids)) == 2


def test_a_snapshot_tells_the_room_and_who_is_in_it_in_the_words_of_events(
    subject: Subject,
) -> None:
    before = int(time.time())
    subject.join("ana", name="Ana")
    subject.join("eva")
    subject.leave("eva")
    seen = subject.ask(lambda provider: provider.snapshot(subject.room))
    assert seen.room is not None
    assert (seen.room["name"], seen.room["sid"]) == (subject.room, subject.sid())
    assert before <= seen.room["creation_time"] <= time.time()
    assert seen.room.keys() >= whole_room({}).keys()
    [ana] = seen.participants
    assert (ana["identity"], ana["name"]) == ("ana", "Ana")
    assert (ana["kind"], ana["state"]) == ("STANDARD", "ACTIVE")
    assert before <= ana["joined_at"] <= time.time()
    assert ana["sid"]
    assert ana.keys() >= whole_participant({}).keys()


def test_a_snapshot_shows_the_agents_too(subject: Subject) -> None:
    subject.join("ana")
    subject.ask(lambda provider: provider.create(order(subject.room)))
    eventually(lambda: len(subject.present()) == 2)
    seen = subject.ask(lambda provider: provider.snapshot(subject.room))
    assert {p["identity"] for p in seen.participants} == subject.present()


def test_a_snapshot_of_a_room_that_is_over_is_empty(subject: Subject) -> None:
    subject.join("ana")
    subject.end()
    seen = subject.ask(lambda provider: provider.snapshot(subject.room))
    assert seen == Snapshot(room=None, participants=())


def test_however_many_are_there_all_are_shown(subject: Subject) -> None:
    everybody = {f"guest-{number}" for number in range(45)}
    for identity in everybody:
        subject.join(identity)
    seen = subject.ask(lambda provider: provider.snapshot(subject.room))
    assert {p["identity"] for p in seen.participants} == everybody
    assert len(seen.participants) == len(everybody)


def test_every_room_is_listed_by_its_name(subject: Subject) -> None:
    others = {f"{subject.room}-{number}" for number in range(120)}
    for name in others:
        subject.join("ana", room=name)
    subject.join("ana")
    subject.end()
    rooms = subject.ask(lambda provider: provider.rooms())
    assert rooms.keys() == others
    assert all(room["name"] == name and room["sid"] for name, room in rooms.items())


def test_the_people_of_a_room_that_was_listed(subject: Subject) -> None:
    async def of_listed(provider: Provider) -> Snapshot:
        return await provider.people((await provider.rooms())[subject.room])

    subject.join("ana")
    seen = subject.ask(of_listed)
    assert [p["identity"] for p in seen.participants] == ["ana"]


def test_a_room_that_has_ended_since_it_was_listed_has_nobody(subject: Subject) -> None:
    async def after_its_end(provider: Provider) -> Snapshot:
        room = (await provider.rooms())[subject.room]
        subject.end()
        return await provider.people(room)

    subject.join("ana")
    assert subject.ask(after_its_end).participants == ()


def test_closing_leaves_nothing_open_and_may_happen_twice(subject: Subject) -> None:
    async def close(provider: Provider) -> None:
        await provider.room_sid(subject.room)
        await provider.aclose()
        await provider.aclose()

    subject.ask(close)
    gc.collect()  # an open connection would warn, and a warning fails the test


def test_it_is_known_by_the_key_it_is_called_with(subject: Subject) -> None:
    async def project(provider: Provider) -> str:
        return provider.project

    assert subject.ask(project) == subject.sandbox.key
