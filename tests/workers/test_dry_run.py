"""DISPATCHER_DRY_RUN: all is decided, counted and kept, and LiveKit is asked for nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from redis import Redis

from tests.valkey import running_valkey
from tests.waiting import eventually, throughout
from tests.workers.conftest import GREET, House, explicit, hooks
from tests.workers.tokens import ROOM, token
from workers.orders import Orders
from workers.presence import workers_at_work

if TYPE_CHECKING:
    from pathlib import Path

    from service.sandbox import Sandbox
    from service.sandbox.videosdk import VideoSdkSandbox

pytestmark = pytest.mark.parametrize("house", [{"DISPATCHER_DRY_RUN": "true"}], indirect=True)

LADDER = GREET + "    join_within: 300ms\n    fallback: [{agent: voicemail}]\n"


def states(house: House) -> list[str]:
    return [d["state"] for d in house.dispatches()]


def test_nothing_is_sent_and_the_claim_is_held_until_the_room_ends(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(LADDER)
    house.start_worker()
    sandbox.join("support-1", "ana")
    [dispatch] = eventually(lambda: house.dispatches(state="dry_run"))
    assert all(each.dry_run for each in workers_at_work(house.redis).values())
    assert (dispatch["ended_at"], dispatch["dispatch_id"]) == (None, None)
    sandbox.join("support-1", "ben")
    eventually(lambda: len(house.events()) == 2)
    assert house.events()[1]["decisions"][0]["reason"] == "already_dispatched"
    throughout(lambda: states(house) == ["dry_run"], 0.6)  # nobody comes, and no fallback does
    sandbox.delete_room("support-1")
    eventually(lambda: house.dispatches()[0]["ended_at"] is not None)
    assert states(house) == ["dry_run"]
    assert explicit_calls(sandbox) == []


def explicit_calls(sandbox: Sandbox) -> list[object]:
    return [*sandbox.calls.of("CreateDispatch"), *sandbox.calls.of("DeleteDispatch")]


def test_a_limit_counts_it(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET + "    limit: {active: 1}\n")
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: states(house) == ["dry_run"])
    sandbox.join("support-2", "ben")
    eventually(lambda: len(house.events()) == 2)
    assert house.events()[1]["decisions"][0]["reason"] == "limit"
    sandbox.delete_room("support-1")
    eventually(lambda: house.dispatches()[0]["ended_at"] is not None)
    sandbox.join("support-3", "cem")
    eventually(lambda: states(house) == ["dry_run", "dry_run"])


def test_it_waits_and_is_released_as_usual(house: House, sandbox: Sandbox) -> None:
    release = "    release: {when: last_human_left, after: 200ms}\n"
    house.rules.write_text(GREET + "    after: 300ms\n" + release)
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: states(house) == ["scheduled"])
    eventually(lambda: states(house) == ["dry_run"])
    sandbox.leave("support-1", "ana")
    [over] = eventually(lambda: [d for d in house.dispatches() if d["ended_at"]])
    assert (over["state"], over["reason"]) == ("dry_run", "last_human_left")
    assert explicit_calls(sandbox) == []


def test_an_order_by_hand_sends_nobody_and_is_taken_back(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET.replace("greet", "other").replace("joined", "left"))
    house.start_worker()
    sandbox.join("support-1", "ana")
    orders, server = Orders(house.redis), house.settings.servers[0].id
    ours = orders.dispatch(server, "support-1", "greeter")
    eventually(lambda: states(house) == ["dry_run"])
    orders.remove(server, "support-1", ours)
    eventually(lambda: house.dispatches()[0]["ended_at"] is not None)
    assert explicit_calls(sandbox) == []


def test_nobody_is_sent_into_a_meeting(house: House, videosdk: VideoSdkSandbox) -> None:
    house.rules.write_text(GREET + "    agents_are: {identity: 'agent-*'}\n")
    house.start_worker()
    videosdk.join("m-1", "ana")
    eventually(lambda: states(house) == ["dry_run"])
    videosdk.end("m-1")
    eventually(lambda: house.dispatches()[0]["ended_at"] is not None)
    assert not videosdk.calls.of("DispatchAgent")


def test_a_token_carries_nobody(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    sandbox.join_by_token(token(house, "ana"))
    assert explicit(sandbox, ROOM) == []


def test_beside_one_in_earnest_by_the_same_rules_nothing_of_that_is_touched(
    house: House, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Both have the same ids for their dispatches: they follow from claims and events."""
    waits = GREET + "    after: 300ms\n"
    house.rules.write_text(waits + "    release: {when: participant_left}\n")
    with (
        running_valkey() as store,
        Redis(unix_socket_path=str(store.socket)) as redis,
        hooks(redis) as hook,
    ):
        settings = replace(house.settings, dry_run=False, redis_url=store.url)
        earnest = House(redis, settings, tmp_path / "earnest.yaml")
        earnest.rules.write_text(waits)
        hook.server_ids["one"] = settings.servers[0].id
        urls = (*sandbox.webhooks.urls, f"http://127.0.0.1:{hook.server_port}/one")
        sandbox.webhooks.urls = urls
        earnest.start_worker()
        try:
            sandbox.join("support-1", "ana")
            sandbox.join("support-1", "ben")
            [active] = eventually(lambda: earnest.dispatches(state="active"))
            house.start_worker()  # so late that it would look first
            [dry] = eventually(lambda: house.dispatches(state="dry_run"))
            assert dry["id"] == active["id"]
            sandbox.leave("support-1", "ana")
            eventually(lambda: house.dispatches()[0]["ended_at"] is not None)
            throughout(lambda: states(earnest) == ["active"], 1.0)
        finally:
            earnest.stop()
    assert [d.id for d in explicit(sandbox, "support-1")] == [active["dispatch_id"]]
    assert not sandbox.calls.of("DeleteDispatch")


def test_when_it_is_over_its_claims_are_free(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: states(house) == ["dry_run"])
    house.stop()
    house.settings = replace(house.settings, dry_run=False)
    house.start_worker()
    sandbox.join("support-1", "ben")
    eventually(lambda: states(house) == ["dry_run", "active"])
    assert house.dispatches()[0]["reason"] == "dry_run_over"


def test_what_was_sent_before_it_is_not_taken_back_for_a_fallback_that_will_not_be_sent(
    house: House, sandbox: Sandbox
) -> None:
    sandbox.agents.workers[0].joins = False
    house.settings = replace(house.settings, dry_run=False)
    house.rules.write_text(GREET + "    join_within: 2s\n    fallback: [{agent: voicemail}]\n")
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: states(house) == ["pending"])
    house.stop()
    house.settings = replace(house.settings, dry_run=True)
    house.start_worker()
    throughout(lambda: states(house) == ["pending"], 3.0)
    assert not sandbox.calls.of("DeleteDispatch")


def test_one_is_enough_for_again_never(house: House, sandbox: Sandbox) -> None:
    rule = "    again: never\n    release: {when: last_human_left}\n"
    house.rules.write_text(GREET + rule)
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: states(house) == ["dry_run"])
    sandbox.join("support-1", "keeper-of-the-room", kind="EGRESS")
    sandbox.leave("support-1", "ana")
    eventually(lambda: house.dispatches()[0]["ended_at"] is not None)
    sandbox.join("support-1", "ben")
    eventually(lambda: [e for e in house.events() if e["body"]["participant"]["identity"] == "ben"])
    assert states(house) == ["dry_run"]
