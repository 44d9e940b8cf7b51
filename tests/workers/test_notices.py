"""Others are told of dispatches, as the settings and the rules say."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from service.sandbox import Worker
from tests.receiving import OTHER_SECRET, SECRET, Receiving, receiving
from tests.waiting import eventually, throughout
from workers import keys
from workers.dispatch import Dispatch, Move, State
from workers.notices import of_dispatches
from workers.receivers import Receiver, Receivers, Topic
from workers.redacting import NOTHING, Redaction
from workers.redaction import parse_redactions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.sandbox import Sandbox
    from tests.workers.conftest import House

NOBODY = """
version: 1
rules:
  - id: greet
    on: participant_joined
    dispatch:
      agent: nobody
      metadata: {caller: "{{ participant.identity }}"}
    join_within: 200ms
    fallback:
      - {deployment: beta}
"""
RULED = NOBODY + (
    '      - {notify: {message: "no agent for {{ room.name }}", data: {who: '
    '"{{ participant.identity }}"}}}\n'
)
GREET = """
version: 1
rules:
  - id: greet
    on: participant_joined
    dispatch: {agent: greeter}
    release: participant_left
"""


@pytest.fixture
def hooks() -> Iterator[Receiving]:
    with receiving() as server:
        yield server
        assert server.faults == []


def tell(
    house: House, *receivers: Receiving, topics: set[Topic] | None = None, secrets=(SECRET,)
) -> None:
    """Have these told, as the settings would."""
    wanted = frozenset({Topic.FAILED} if topics is None else topics)
    told = Receivers(tuple(Receiver(each.url) for each in receivers), tuple(secrets), wanted)
    house.settings = replace(house.settings, receivers=told)


def untold(house: House) -> dict[bytes, float]:
    return dict(house.redis.zrange(keys.NOTICES, 0, -1, withscores=True))


def left(house: House) -> set[str]:
    """Keys of notices that are left in Redis, but for the lease."""
    found = {key.decode() for key in house.redis.keys("lkd:noti*")}
    return found - {keys.NOTIFIER, keys.NOTIFIED}


def test_a_call_that_gets_no_agent_is_told_once_and_says_what_was_tried(
    house: House, sandbox: Sandbox, hooks: Receiving
) -> None:
    tell(house, hooks)
    house.rules.write_text(NOBODY)
    house.start_worker()
    sandbox.join("support-1", "ana")
    (told,) = eventually(hooks.taken)
    [first, last] = house.dispatches()
    assert (first["state"], last["state"]) == ("superseded", "failed")
    assert told.id == f"{last['id']}_failed"
    assert told.body["type"] == "dispatch.failed"
    assert told.body["timestamp"] == last["ended_at"]
    tried = told.data.pop("tried")
    assert told.data == last
    assert [each.partition(": no_worker")[0] for each in tried] == ["nobody", "nobody (beta)"]
    assert "before it" not in "".join(tried)
    eventually(lambda: left(house) == set())
    assert hooks.times() == {told.id: 1}


def test_a_rule_adds_a_message_and_data(house: House, sandbox: Sandbox, hooks: Receiving) -> None:
    tell(house, hooks)
    house.rules.write_text(RULED)
    house.start_worker()
    sandbox.join("support-1", "ana")
    (told,) = eventually(hooks.taken)
    assert told.data["message"] == "no agent for support-1"
    assert told.data["data"] == {"who": "ana"}
    assert len(told.data["tried"]) == 2
    throughout(lambda: len(hooks.told) == 1, 1)


def test_a_rule_is_told_though_the_settings_name_other_topics(
    house: House, sandbox: Sandbox, hooks: Receiving
) -> None:
    tell(house, hooks, topics={Topic.STARTED})
    house.rules.write_text(RULED + NOBODY.partition("rules:")[2].replace("id: greet", "id: other"))
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: len(house.dispatches(state="failed")) == 2)
    (told,) = eventually(hooks.taken)
    assert told.data["rule"] == "greet"
    throughout(lambda: len(hooks.told) == 1, 1)


def test_notify_may_stand_alone(house: House, sandbox: Sandbox, hooks: Receiving) -> None:
    tell(house, hooks)
    alone = RULED.replace("      - {deployment: beta}\n", "")
    house.rules.write_text(alone)
    house.start_worker()
    sandbox.join("support-1", "ana")
    (told,) = eventually(hooks.taken)
    assert (told.data["message"], len(told.data["tried"])) == ("no agent for support-1", 1)


def test_of_a_caller_who_gave_up_it_is_told_that_the_room_has_ended(
    house: House, sandbox: Sandbox, hooks: Receiving
) -> None:
    tell(house, hooks)
    house.rules.write_text(RULED.replace("200ms", "1m"))
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: house.dispatches(state="pending"))
    sandbox.delete_room("support-1")
    (told,) = eventually(hooks.taken)
    assert told.data["reason"].startswith("room_ended")
    assert told.data["message"] == "no agent for support-1"


def test_an_agent_that_comes_is_told_of_only_where_that_is_wanted(
    house: House, sandbox: Sandbox, hooks: Receiving
) -> None:
    tell(house, hooks, topics=set(Topic))
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: hooks.taken("dispatch.started"))
    sandbox.leave("support-1", "ana")
    eventually(lambda: hooks.taken("dispatch.ended"))
    started, ended = hooks.told
    [dispatch] = house.dispatches()
    assert started.data["state"] == "active"
    assert started.body["timestamp"] == started.data["joined_at"] == dispatch["joined_at"]
    assert ended.data == dispatch
    assert "tried" not in ended.data
    assert [started.id, ended.id] == [f"{dispatch['id']}_started", f"{dispatch['id']}_ended"]


def test_a_fallback_that_takes_over_is_told_of_only_where_that_is_wanted(
    house: House, sandbox: Sandbox, hooks: Receiving
) -> None:
    sandbox.add_worker(Worker("nobody", "beta", accept_delay=0.02, join_delay=0.02))
    tell(house, hooks, topics={Topic.SUPERSEDED, Topic.FAILED})
    house.rules.write_text(RULED)
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: house.dispatches(state="active"))
    (told,) = eventually(hooks.taken)
    assert told.body["type"] == "dispatch.superseded"
    assert "message" not in told.data
    throughout(lambda: len(hooks.told) == 1, 1)


def test_without_a_receiver_nothing_is_kept_and_the_log_says_so(
    house: House, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    house.rules.write_text(RULED)
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: house.dispatches(state="failed"))
    assert house.redis.keys("lkd:noti*") == []
    read: list[str] = []

    def is_logged() -> bool:
        read.append(capsys.readouterr().out)
        return "nobody_to_notify" in "".join(read)

    eventually(is_logged)


def test_each_secret_signs_while_one_takes_the_place_of_another(
    house: House, sandbox: Sandbox
) -> None:
    with receiving(secret=SECRET) as old, receiving(secret=OTHER_SECRET) as new:
        tell(house, old, new, secrets=(OTHER_SECRET, SECRET))
        house.rules.write_text(NOBODY)
        house.start_worker()
        sandbox.join("support-1", "ana")
        eventually(lambda: old.taken() and new.taken())
        assert (old.faults, new.faults) == ([], [])


def test_what_is_told_may_be_in_any_script(
    house: House, sandbox: Sandbox, hooks: Receiving
) -> None:
    tell(house, hooks)
    house.rules.write_text(RULED)
    house.start_worker()
    sandbox.join("soporte-ñ-日本", "ana 🙂")
    (told,) = eventually(hooks.taken)
    assert told.data["message"] == "no agent for soporte-ñ-日本"
    assert told.data["data"] == {"who": "ana 🙂"}


def test_long_reasons_are_cut() -> None:
    dispatch = a_dispatch(reason="x" * 5000, tried=("y" * 5000, "z"))
    [note, *_] = of_dispatches({Topic.FAILED}, {}, [dispatch], 1.0, NOTHING)
    data = json.loads(note[3])["data"]
    assert [len(each) for each in (data["reason"], *data["tried"])] == [1000, 1000, 1, 1000]


def test_what_is_redacted_is_not_told() -> None:
    dispatch = replace(a_dispatch(), metadata='{"phone":"+34910000001","tier":"gold"}')
    redaction = Redaction(parse_redactions("dispatch.metadata.phone"))
    [note, *_] = of_dispatches({Topic.FAILED}, {}, [dispatch], 1.0, redaction)
    assert json.loads(json.loads(note[3])["data"]["metadata"]) == {
        "phone": "[redacted]", "tier": "gold"
    }  # fmt: skip


def test_what_has_been_told_is_not_told_again() -> None:
    dispatch = a_dispatch()
    assert of_dispatches({Topic.FAILED}, {}, [dispatch], 1.0, NOTHING) != []
    assert of_dispatches({Topic.FAILED}, {dispatch.id: dispatch}, [dispatch], 1.0, NOTHING) == []


def a_dispatch(**more: object) -> Dispatch:
    """One that has failed."""
    given = dict.fromkeys(("id", "provider", "room", "room_sid", "rule", "subject", "agent"), "a")
    given |= dict.fromkeys(("deployment", "metadata", "restart_policy", "event_id"), "")
    given |= {"attributes": {}, "rules_hash": "", "created_at": 1.0, "state": State.FAILED}
    return Dispatch(**given, moves=(Move(1.0, State.FAILED, None),), **more)


def test_what_is_too_large_for_a_webhook_is_left_out(
    house: House, sandbox: Sandbox, hooks: Receiving
) -> None:
    tell(house, hooks)
    house.rules.write_text(NOBODY.replace("{{ participant.identity }}", "{{ 'x' * 9000 }}"))
    house.start_worker()
    sandbox.join("support-1", "ana")
    (told,) = eventually(hooks.taken)
    assert (told.data["metadata"], told.data["left_out"]) == (None, ["metadata"])
    assert told.data["attributes"] == {}
