"""Somebody is taken out of history, and nobody else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.decision import Decision, Outcome, Reason
from rules.event import read_event
from tests.service.cli import keep
from tests.service.rooms import dispatch, put_room
from tests.waiting import eventually
from workers import keys, scripts
from workers.dispatch import State
from workers.forgetting import FORGOTTEN, Forgetting, Found
from workers.history import dispatch_document, event_document
from workers.ledger import Ledger
from workers.mentions import Mention
from workers.orders import Orders
from workers.places import place
from workers.states import Step

if TYPE_CHECKING:
    from redis import Redis

    from service.sandbox import Sandbox
    from tests.workers.conftest import House

SERVER = "s1"
EACH = """
version: 1
rules:
  - {id: greet, on: participant_joined, once: participant, dispatch: {agent: greeter}}
  - {id: bye, on: participant_left, when: {room: {name: none}}, dispatch: {agent: greeter}}
"""
OVER: dict[str, Any] = {"state": State.ENDED, "step": Step.NOTHING, "agent_identity": "agent-1"}


def event(redis: Redis, event_id: str, who: str = "ben", room: str = "r1", **more: Any) -> None:
    parts = {
        "room": {"sid": "RM_1", "name": room, **more.pop("of_room", {})},
        "participant": {"sid": f"PA_{who}", "identity": who, **more.pop("of_participant", {})},
    }
    body = {"event": "participant_joined", "id": event_id, "createdAt": "1770000001", **parts}
    decision = Decision("r", Outcome.SKIP, Reason.CONDITION, "when.humans", more.pop("detail", ""))
    document = event_document(
        SERVER, event_id, read_event({**body, **more}), [decision], [], rules_hash="h",
        now=1_770_000_001.5, instant=1_770_000_001.5,
    )  # fmt: skip
    keep(redis, document)


def kept(redis: Redis, **more: Any) -> None:
    made = dispatch(more.pop("room", "r1"), **{**OVER, **more})
    keep(redis, dispatch_document(None, made))


def letter(redis: Redis, letter_id: str, body: object, room: str = "r1") -> None:
    value = {
        "id": letter_id, "server": SERVER, "room": room, "at": "2026-01-01T00:00:00.000Z",
        "error": "broken", "body": body,
    }  # fmt: skip
    redis.set(f"{keys.DEAD}{SERVER}:{letter_id}", json.dumps(value))
    redis.zadd(keys.DEAD_LETTERS, {place(room, f"{SERVER}:{letter_id}"): 1})


def forget(redis: Redis, identity: str = "ana", room: str | None = None) -> Found:
    """What is found, which is what goes."""
    found, gone = Found(), Found()
    for _ in Forgetting(redis, identity, room).go_through(found, forgets=False):
        pass
    before = everything(redis)
    for _ in Forgetting(redis, identity, room).go_through(gone, forgets=True):
        pass
    assert found == gone
    if not found.total:
        assert everything(redis) == before
    return gone


def everything(redis: Redis) -> dict[bytes, bytes]:
    return {key: redis.dump(key) for key in redis.scan_iter() if not key.startswith(b"lkd:room:t")}


def left(redis: Redis) -> tuple[list[str], list[str]]:
    """Ids of the events and the dispatches that are kept."""
    ledger = Ledger(redis)
    events = sorted(each["id"] for each in ledger.events(limit=1000).items)
    return events, sorted(each["id"] for each in ledger.each_dispatch())


def test_events_and_dispatches_of_somebody_go_and_others_stay(redis: Redis) -> None:
    event(redis, "EV_ana", "ana")
    event(redis, "EV_ben", "ben")
    event(redis, "EV_banana", "banana")
    kept(redis, id="Dsubject", subject="ana", claim="r\x1f0\x1fparticipant\x1fana")
    kept(redis, id="Dbegan", participant="ana")
    kept(redis, id="Dagent", agent_identity="ana")
    kept(redis, id="Dmetadata", metadata='{"customer":{"id":"ana"}}')
    kept(redis, id="Dattribute", attributes={"for": "ana"})
    kept(redis, id="Dfallback", fallback=({"agent": "x", "metadata": "ana"},))
    kept(redis, id="Dother", metadata='{"customer":"banana"}', participant="ben")
    found = forget(redis)
    assert (found.events, found.dispatches, found.live) == (1, 6, 0)
    assert left(redis) == (["EV_banana", "EV_ben"], ["Dother"])
    assert forget(redis).total == 0


def test_nothing_points_to_what_has_gone_and_the_size_is_right(redis: Redis) -> None:
    event(redis, "EV_ben", "ben")
    size, before = redis.hget(keys.HISTORY, "bytes"), set(redis.keys())
    event(redis, "EV_ana", "ana", room="r2")
    kept(redis, id="Dana", room="r2", participant="ana")
    letter(redis, "EV_dead", {"event": "x", "participant": {"identity": "ana"}}, "r2")
    redis.hincrby(keys.HISTORY, "bytes", redis.strlen(f"{keys.DEAD}{SERVER}:EV_dead") + 2
                  * len(place("r2", f"{SERVER}:EV_dead")) + 200)  # fmt: skip
    forget(redis)
    assert redis.hget(keys.HISTORY, "bytes") == size
    more = {k for k in set(redis.keys()) - before if not k.startswith(b"lkd:minute:")}
    assert more == {keys.ROUTES.encode()}


def test_in_events_of_others_the_identity_is_redacted_and_they_are_not_run_again(
    redis: Redis,
) -> None:
    event(redis, "EV_room", of_room={"metadata": '{"owner":"ana","lang":"es"}'})
    event(redis, "EV_attributes", of_participant={"attributes": {"for": "ana", "ana": "x"}})
    event(redis, "EV_words", detail="expected op-*; got 'ana'")
    event(redis, "EV_other", of_participant={"metadata": "banana and ana"})
    found = forget(redis)
    assert (found.events, found.mentions) == (0, 3)
    events = {each["id"]: each for each in Ledger(redis).events().items}
    metadata = events["EV_room"]["body"]["room"]["metadata"]
    assert json.loads(metadata) == {"owner": "[redacted]", "lang": "es"}
    attributes = events["EV_attributes"]["body"]["participant"]["attributes"]
    assert attributes == {"for": "[redacted]", "[redacted]": "x"}
    assert events["EV_words"]["decisions"][0]["detail"] == "expected op-*; got '[redacted]'"
    assert [name for name, each in sorted(events.items()) if each["redacted"] == [FORGOTTEN]] == [
        "EV_attributes", "EV_room",
    ]  # fmt: skip


def test_an_identity_that_is_a_word_of_ours_spoils_no_event(redis: Redis) -> None:
    event(redis, "EV_1")
    for identity in ("livekit", "participant_joined", "RM_1", "EV_1", "STANDARD", "h", "r"):
        forget(redis, identity)
    assert [each["id"] for each in Ledger(redis).events().items] == ["EV_1"]


def test_events_of_a_room_that_bears_the_identity_go(redis: Redis) -> None:
    event(redis, "EV_1", "ben", room="ana")
    kept(redis, id="D1", room="ana")
    assert (forget(redis).total, left(redis)) == (2, ([], []))


def test_only_one_room_where_it_is_named(redis: Redis) -> None:
    for room in ("r1", "r2"):
        event(redis, f"EV_{room}", "ana", room=room)
        kept(redis, id=f"D{room}", room=room, participant="ana")
        letter(redis, f"EV_d{room}", {"event": "x", "participant": {"identity": "ana"}}, room)
    found = forget(redis, room="r2")
    assert (found.events, found.dispatches, found.dead_letters) == (1, 1, 1)
    assert left(redis) == (["EV_r1"], ["Dr1"])
    assert redis.zcard(keys.DEAD_LETTERS) == 1


@pytest.mark.parametrize(
    ("body", "goes"),
    [
        ({"event": "participant_joined", "participant": {"identity": "ana"}}, 1),
        ({"event": "order", "dispatch": {"metadata": '{"a":"ana"}'}}, 1),
        ("{this is no JSON of ana", 1),
        ({"event": "participant_joined", "participant": {"identity": "banana"}}, 0),
        (None, 0),
    ],
)
def test_dead_letters(redis: Redis, body: object, goes: int) -> None:
    letter(redis, "EV_1", body)
    assert forget(redis).dead_letters == goes
    assert redis.zcard(keys.DEAD_LETTERS) == 1 - goes


def test_what_is_live_is_left_alone_and_told(redis: Redis) -> None:
    live = dispatch("r1", participant="ana")
    keep(redis, dispatch_document(None, live))
    put_room(redis, SERVER, "r2", {"sid": "PA_1", "identity": "ana"})
    put_room(redis, SERVER, "r3", {"sid": "PA_1", "identity": "banana"})
    redis.rpush(f"{keys.INBOX}{SERVER}:r4", b'EV_1\n1\n{"participant":{"identity":"ana"}}')
    Orders(redis).dispatch(SERVER, "r5", "greeter", metadata="ana")
    found = forget(redis)
    assert found.total == 0
    assert sorted(found.rooms) == ["r1", "r2", "r4", "r5"]
    assert found.live == 5


def test_a_dispatch_that_still_owes_something_is_left_alone(redis: Redis) -> None:
    kept(redis, id="D1", participant="ana", step=Step.LOOK_AGAIN)
    assert (forget(redis).live, left(redis)[1]) == (1, ["D1"])


def test_a_document_that_cannot_be_read_is_told(redis: Redis) -> None:
    redis.set(f"{keys.EVENT}{SERVER}:EV_1", b'{"of": "another version", "who": "ana"}')
    redis.set(f"{keys.EVENT}{SERVER}:EV_2", b'{"of": "another version", "who": "ben"}')
    assert forget(redis).unread == 1


def test_a_document_that_has_changed_meanwhile_is_not_overwritten(redis: Redis) -> None:
    redis.set("a", "new")
    args = ["a", "old", "mine", "gone", "old", "mine"]
    assert scripts.call(redis, scripts.REWRITE, [keys.HISTORY], args) == 0
    assert redis.get("a") == b"new"
    assert not redis.exists("gone")


def test_after_a_call_nothing_is_left_but_in_the_rooms_record(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(EACH)
    house.start_worker()
    sandbox.join("support-1", "sip_+34600111222", kind="SIP")
    eventually(lambda: house.dispatches(state="active"))
    assert forget(house.redis, "sip_+34600111222").live, "its call goes on"
    assert house.dispatches(state="active")
    sandbox.leave("support-1", "sip_+34600111222")
    sandbox.delete_room("support-1")
    eventually(lambda: not house.dispatches(state="active"))
    eventually(lambda: not house.redis.zcard(keys.ROOMS))

    def is_gone() -> bool:
        forget(house.redis, "sip_+34600111222")
        kinds = (keys.EVENT, keys.DISPATCH, keys.DEAD)
        found = [k for kind in kinds for k in house.redis.scan_iter(f"{kind}*")]
        return not any(b"34600111222" in (house.redis.get(key) or b"") for key in found)

    eventually(is_gone, timeout=15)


texts = st.text(st.characters(codec="utf-8"), max_size=10)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(texts.filter(bool), values, st.booleans(), st.integers(0, 3))
def test_json_holds_a_text_however_deep_and_however_written(
    identity: str, around: object, ascii_only: bool, depth: int
) -> None:
    mention, value = Mention(identity), {"x": around, "y": [identity]}
    for _ in range(depth):
        value = {"x": around, "y": json.dumps(value, ensure_ascii=ascii_only)}  # type: ignore[dict-item]
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert mention.may_be_in(raw)
    if identity != "[redacted]":
        assert mention.is_in(value)
    assert not mention.is_in(mention.without(value))


def notice(redis: Redis, notice_id: str, **data: Any) -> None:
    body = {"type": "dispatch.failed", "data": {"room": "r1", "subject": "ben", **data}}
    redis.hset(keys.NOTICE + notice_id, "body", json.dumps(body))
    for listed in (keys.NOTICES, keys.NEW_NOTICES):
        redis.zadd(listed, {notice_id: 1})


def test_what_is_still_to_be_told_of_somebody_is_never_told(redis: Redis) -> None:
    kept(redis, id="D1", subject="ana", state=State.FAILED)
    notice(redis, "D1_failed")
    notice(redis, "D2_failed", subject="ana")
    notice(redis, "D3_failed", data={"who": {"is": "ana"}})
    notice(redis, "D4_failed", room="r2", subject="ana")
    notice(redis, "D5_failed", message="banana")
    assert forget(redis, room="r1").notices == 3
    left = [name.decode() for name in redis.scan_iter(f"{keys.NOTICE}*")]
    assert sorted(left) == [f"{keys.NOTICE}D4_failed", f"{keys.NOTICE}D5_failed"]
    for listed in (keys.NOTICES, keys.NEW_NOTICES):
        assert redis.zrange(listed, 0, -1) == [b"D4_failed", b"D5_failed"]
    assert forget(redis).notices == 1
