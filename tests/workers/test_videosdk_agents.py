"""Agents of VideoSDK, from its meetings and from LiveKit's rooms, against the stand-ins of both."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from service.sandbox.videosdk import Agent, VideoSdkSandbox
from tests.waiting import eventually, throughout
from tests.workers.conftest import create_by_hand, explicit
from workers.dispatch import ID_ATTRIBUTE
from workers.orders import Orders

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House

AGENTS = "agents_are: {identity: 'agent-*'}"
GREET = f"""
version: 1
rules:
  - id: greet
    on: participant_joined
    {AGENTS}
    when: {{source: videosdk}}
    dispatch: {{agent: greeter, metadata: {{customer: "{{{{ participant.identity }}}}"}}}}
    join_within: 2s
    fallback: [{{agent: voicemail, metadata: {{}}}}]
"""
ABROAD = f"""
version: 1
rules:
  - id: bridge
    on: participant_joined
    {AGENTS}
    when: {{source: livekit}}
    dispatch: {{agent: greeter, provider: videosdk, room: "meet-{{{{ room.name }}}}"}}
    join_within: 2s
    fallback: [{{agent: greeter, provider: livekit}}]
"""
BACK = f"""
version: 1
rules:
  - id: back
    on: participant_joined
    {AGENTS}
    when: {{source: videosdk}}
    dispatch: {{agent: greeter, provider: livekit, room: "room-{{{{ room.name }}}}"}}
"""


def told(house: House) -> list[tuple[str, str, str]]:
    return [(d["provider"], d["agent"], d["state"]) for d in house.dispatches()]


def agents_here(sandbox: Sandbox, room: str) -> list[str]:
    """Agents in a room of LiveKit."""
    return [i for i in sandbox.rooms.open[room].participants if i.startswith("agent-")]


def agents(videosdk: VideoSdkSandbox, meeting: str) -> list[str]:
    return sorted(each for each in videosdk.present(meeting) if each.startswith("agent-"))


class TestInItsMeetings:
    @pytest.fixture(autouse=True)
    def _begun(self, house: House, videosdk: VideoSdkSandbox) -> None:  # noqa: ARG002 - it runs
        house.rules.write_text(GREET)
        house.start_worker()

    def test_who_joins_gets_one_agent_and_it_calls_no_other(
        self, house: House, videosdk: VideoSdkSandbox
    ) -> None:
        videosdk.join("m-1", "ana")
        eventually(lambda: told(house) == [("videosdk", "greeter", "active")])
        throughout(lambda: len(agents(videosdk, "m-1")) == 1, 0.5)
        [dispatch] = house.dispatches()
        assert (dispatch["dispatch_id"], dispatch["room"]) == (None, "m-1")
        assert [dispatch["agent_identity"]] == agents(videosdk, "m-1")
        assert dispatch["metadata"] == '{"customer":"ana"}'

    def test_where_there_is_no_worker_the_fallback_comes_at_once(
        self, house: House, videosdk: VideoSdkSandbox
    ) -> None:
        videosdk.remove_agent(videosdk.agents.registered[0])
        videosdk.join("m-1", "ana")
        eventually(lambda: [s for _, _, s in told(house)] == ["superseded", "active"])
        first, second = house.dispatches()
        assert first["reason"].startswith("no_worker: ")
        assert second["agent"] == "voicemail"

    def test_an_agent_that_does_not_come_is_followed_by_the_fallback(
        self, house: House, videosdk: VideoSdkSandbox
    ) -> None:
        videosdk.remove_agent(videosdk.agents.registered[0])
        videosdk.add_agent(Agent("greeter", joins=False))
        videosdk.join("m-1", "ana")
        eventually(lambda: [s for _, _, s in told(house)] == ["superseded", "active"], timeout=8)
        assert house.dispatches()[0]["reason"].startswith("never_joined: ")

    @pytest.mark.parametrize(
        ("fault", "calls"),
        [("unavailable_after_work", 1), ("cut", 1), ("unavailable", 2), ("cut_before_work", 2)],
    )
    def test_a_call_without_an_answer_is_made_again_only_if_it_was_not_done(
        self, house: House, videosdk: VideoSdkSandbox, fault: str, calls: int
    ) -> None:
        videosdk.fault(fault, "DispatchAgent", times=1)
        videosdk.join("m-1", "ana")
        eventually(lambda: told(house) == [("videosdk", "greeter", "active")], timeout=10)
        throughout(lambda: len(agents(videosdk, "m-1")) == 1, 0.5)
        assert len(videosdk.calls.of("DispatchAgent")) == calls

    def test_an_agent_that_leaves_at_once_is_sent_again(
        self, house: House, videosdk: VideoSdkSandbox
    ) -> None:
        videosdk.join("m-1", "ana")
        [agent] = eventually(lambda: agents(videosdk, "m-1"))
        eventually(lambda: told(house) == [("videosdk", "greeter", "active")])
        videosdk.leave("m-1", agent)
        eventually(lambda: [s for _, _, s in told(house)] == ["ended", "active"])

    def test_the_dispatch_is_over_with_its_session(
        self, house: House, videosdk: VideoSdkSandbox
    ) -> None:
        videosdk.join("m-1", "ana")
        eventually(lambda: told(house) == [("videosdk", "greeter", "active")])
        videosdk.end("m-1")
        eventually(lambda: {s for _, _, s in told(house)} <= {"ended", "released"})
        assert told(house)[0] == ("videosdk", "greeter", "ended")
        videosdk.join("m-1", "ben")
        eventually(lambda: [s for _, _, s in told(house)][-1] == "active")


class TestFromLiveKit:
    @pytest.fixture(autouse=True)
    def _begun(self, house: House, videosdk: VideoSdkSandbox) -> None:  # noqa: ARG002 - it runs
        house.rules.write_text(ABROAD)
        house.start_worker()

    def test_a_caller_there_gets_an_agent_here_and_it_leaves_when_the_room_is_over(
        self, house: House, sandbox: Sandbox, videosdk: VideoSdkSandbox
    ) -> None:
        videosdk.join("meet-support-1", "bridge")
        sandbox.join("support-1", "ana")
        eventually(lambda: told(house) == [("videosdk", "greeter", "active")], timeout=8)
        assert len(agents(videosdk, "meet-support-1")) == 1
        sandbox.delete_room("support-1")
        eventually(lambda: told(house) == [("videosdk", "greeter", "released")], timeout=8)
        assert agents(videosdk, "meet-support-1") == []

    def test_the_fallback_may_be_the_other_provider(
        self, house: House, sandbox: Sandbox, videosdk: VideoSdkSandbox
    ) -> None:
        videosdk.fault("no_worker")
        sandbox.join("support-1", "ana")
        eventually(
            lambda: (
                told(house)
                == [("videosdk", "greeter", "superseded"), ("livekit", "greeter", "active")]
            )
        )

    def test_an_agent_that_is_gone_unheard_of_is_sent_again(
        self, house: House, sandbox: Sandbox, videosdk: VideoSdkSandbox
    ) -> None:
        videosdk.join("meet-support-1", "bridge")
        sandbox.join("support-1", "ana")
        eventually(lambda: told(house) == [("videosdk", "greeter", "active")], timeout=8)
        [agent] = agents(videosdk, "meet-support-1")
        videosdk.leave("meet-support-1", agent)
        eventually(lambda: house.dispatches()[0]["state"] == "ended", timeout=25)


def test_of_two_rooms_that_send_into_one_meeting_each_has_its_own(
    house: House, sandbox: Sandbox, videosdk: VideoSdkSandbox
) -> None:
    house.rules.write_text(ABROAD.replace("meet-{{ room.name }}", "lobby"))
    house.start_worker()
    videosdk.join("lobby", "bridge")
    sandbox.join("support-1", "ana")
    sandbox.join("support-2", "ben")
    eventually(lambda: told(house) == [("videosdk", "greeter", "active")] * 2, timeout=8)
    theirs = sorted(d["agent_identity"] for d in house.dispatches())
    assert theirs == agents(videosdk, "lobby")
    assert len(theirs) == 2
    sandbox.delete_room("support-1")
    eventually(lambda: len(agents(videosdk, "lobby")) == 1, timeout=8)
    [active] = eventually(lambda: house.dispatches(state="active"))
    throughout(lambda: agents(videosdk, "lobby") == [active["agent_identity"]], 1.0)
    assert active["room"] == "support-2"


NAMED = f"""
version: 1
rules:
  - id: one
    on: participant_joined
    {AGENTS}
    when: {{source: livekit, room: {{name: support-1}}}}
    dispatch: {{agent: slow, provider: videosdk, room: lobby}}
  - id: two
    on: participant_joined
    {AGENTS}
    when: {{source: livekit, room: {{name: support-2}}}}
    dispatch: {{agent: fast, provider: videosdk, room: lobby}}
"""


def test_an_agent_in_a_shared_meeting_is_that_of_the_room_that_asked_for_its_name(
    house: House, sandbox: Sandbox, videosdk: VideoSdkSandbox
) -> None:
    for agent in list(videosdk.agents.registered):
        videosdk.remove_agent(agent)
    for name, delay in (("slow", 3.5), ("fast", 1.3)):
        videosdk.add_agent(
            Agent(name, join_delay=delay, name=name, participant=f"agent-{name}-{{job}}")
        )
    house.rules.write_text(NAMED)
    house.start_worker()
    videosdk.join("lobby", "bridge")
    sandbox.join("support-1", "ana")
    eventually(lambda: len(house.dispatches(state="pending")) == 1)
    sandbox.join("support-2", "ben")
    eventually(lambda: len(house.dispatches(state="active")) == 2, timeout=15)
    pairs = {d["agent"]: d["agent_identity"] for d in house.dispatches()}
    assert [pairs[name].split("-")[1] for name in ("slow", "fast")] == ["slow", "fast"]
    sandbox.delete_room("support-1")
    eventually(lambda: agents(videosdk, "lobby") == [pairs["fast"]], timeout=8)


def test_an_agent_abroad_is_not_taken_for_one_who_has_left_here(
    house: House, sandbox: Sandbox, videosdk: VideoSdkSandbox
) -> None:
    house.settings = replace(house.settings, reconcile_interval=timedelta(seconds=1))
    house.rules.write_text(ABROAD)
    house.start_worker()
    videosdk.join("meet-support-1", "bridge")
    sandbox.join("support-1", "ana")
    eventually(lambda: told(house) == [("videosdk", "greeter", "active")], timeout=8)
    throughout(lambda: told(house) == [("videosdk", "greeter", "active")], 6)


def test_an_agent_that_comes_when_nobody_wants_it_any_more_is_removed(
    house: House, sandbox: Sandbox, videosdk: VideoSdkSandbox
) -> None:
    videosdk.remove_agent(videosdk.agents.registered[0])
    videosdk.add_agent(Agent("greeter", join_delay=2.5, name="greeter"))
    house.rules.write_text(ABROAD.replace("join_within: 2s", "join_within: 9s"))
    house.start_worker()
    videosdk.join("meet-support-1", "bridge")
    sandbox.join("support-1", "ana")
    eventually(lambda: told(house) == [("videosdk", "greeter", "pending")])
    sandbox.delete_room("support-1")
    eventually(lambda: told(house) == [("videosdk", "greeter", "released")], timeout=12)
    assert agents(videosdk, "meet-support-1") == []


def test_a_meeting_of_videosdk_may_have_an_agent_of_livekit(
    house: House, sandbox: Sandbox, videosdk: VideoSdkSandbox
) -> None:
    house.rules.write_text(BACK)
    house.start_worker()
    videosdk.join("m-1", "ana")
    eventually(lambda: told(house) == [("livekit", "greeter", "active")], timeout=8)
    assert [p for p in sandbox.rooms.open["room-m-1"].participants if p.startswith("agent-")]
    videosdk.end("m-1")
    eventually(lambda: told(house) == [("livekit", "greeter", "released")], timeout=8)
    eventually(
        lambda: not [p for p in sandbox.rooms.open["room-m-1"].participants if "agent-" in p]
    )


class TestIntoRoomsOfLiveKit:
    @pytest.fixture(autouse=True)
    def _begun(self, house: House) -> None:
        house.rules.write_text(BACK)

    def test_a_second_one_that_a_lost_worker_has_made_goes(
        self, house: House, sandbox: Sandbox, videosdk: VideoSdkSandbox
    ) -> None:
        house.start_worker()
        videosdk.join("m-1", "ana")
        eventually(lambda: told(house) == [("livekit", "greeter", "active")], timeout=8)
        [ours] = house.dispatches()
        second = create_by_hand(sandbox, "room-m-1", **{ID_ATTRIBUTE: ours["id"]})
        assert {d.id for d in explicit(sandbox, "room-m-1")} == {ours["dispatch_id"], second}
        eventually(lambda: len(explicit(sandbox, "room-m-1")) == 1, timeout=15)
        eventually(lambda: agents_here(sandbox, "room-m-1") == [ours["agent_identity"]])
        assert explicit(sandbox, "room-m-1")[0].id == ours["dispatch_id"]

    @pytest.mark.parametrize("fails", [False, True])
    def test_one_that_is_on_its_way_when_it_is_not_wanted_any_more_does_not_stay(
        self, house: House, sandbox: Sandbox, videosdk: VideoSdkSandbox, *, fails: bool
    ) -> None:
        for worker in sandbox.agents.workers:
            worker.join_delay = 3.0
        house.start_worker()
        videosdk.join("m-1", "ana")
        eventually(lambda: told(house) == [("livekit", "greeter", "pending")], timeout=8)
        eventually(lambda: explicit(sandbox, "room-m-1")[0].state.jobs)
        videosdk.end("m-1")
        eventually(lambda: told(house) == [("livekit", "greeter", "released")], timeout=8)
        if fails:
            for method in ("ListDispatch", "ListParticipants", "DeleteDispatch"):
                sandbox.fault("unavailable", method, times=1)
        eventually(lambda: explicit(sandbox, "room-m-1") == [], timeout=15)
        eventually(lambda: sandbox.calls.of("RemoveParticipant", "room-m-1"), timeout=10)
        eventually(lambda: agents_here(sandbox, "room-m-1") == [])


class TestUnheardOf:
    @pytest.fixture(autouse=True)
    def _begun(self, house: House, videosdk: VideoSdkSandbox) -> None:
        house.settings = replace(house.settings, reconcile_interval=timedelta(seconds=1))
        house.rules.write_text(GREET)
        videosdk.fault("webhooks_lost")
        house.start_worker()

    def test_a_caller_of_whom_no_webhook_came_gets_an_agent(
        self, house: House, videosdk: VideoSdkSandbox
    ) -> None:
        videosdk.join("m-1", "ana")
        eventually(lambda: told(house) == [("videosdk", "greeter", "active")], timeout=12)
        throughout(lambda: len(agents(videosdk, "m-1")) == 1, 2)

    def test_one_who_comes_again_under_the_same_id_does_too(
        self, house: House, videosdk: VideoSdkSandbox
    ) -> None:
        videosdk.join("m-1", "ben")
        videosdk.join("m-1", "ana")
        eventually(lambda: told(house) == [("videosdk", "greeter", "active")], timeout=12)
        [agent] = agents(videosdk, "m-1")
        videosdk.leave("m-1", agent)
        videosdk.leave("m-1", "ana")
        eventually(lambda: told(house)[0][2] == "ended", timeout=15)
        videosdk.join("m-1", "ana")
        eventually(lambda: len(agents(videosdk, "m-1")) == 1, timeout=15)

    def test_a_session_that_ended_unheard_of_is_over(
        self, house: House, videosdk: VideoSdkSandbox
    ) -> None:
        videosdk.join("m-1", "ana")
        eventually(lambda: told(house) == [("videosdk", "greeter", "active")], timeout=12)
        videosdk.end("m-1")
        eventually(lambda: told(house) == [("videosdk", "greeter", "ended")], timeout=15)


def test_a_call_whose_outcome_nobody_knows_is_taken_back_by_hand(
    house: House, videosdk: VideoSdkSandbox
) -> None:
    videosdk.remove_agent(videosdk.agents.registered[0])
    videosdk.add_agent(Agent("greeter", name="greeter"))
    house.rules.write_text(GREET.replace("join_within: 2s", "join_within: 9s"))
    house.start_worker()
    videosdk.fault("unavailable_after_work", "DispatchAgent", times=1)
    videosdk.join("m-1", "ana")
    [dispatch] = eventually(lambda: agents(videosdk, "m-1") and house.dispatches(state="requested"))
    assert house.settings.videosdk is not None
    Orders(house.redis).remove(house.settings.videosdk.id, "m-1", dispatch["id"])
    eventually(lambda: told(house) == [("videosdk", "greeter", "released")], timeout=12)
    assert agents(videosdk, "m-1") == []


def test_the_agent_of_a_stranger_is_removed_from_a_meeting_by_hand(
    house: House, videosdk: VideoSdkSandbox
) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    videosdk.join("m-1", "ana")
    eventually(lambda: told(house) == [("videosdk", "greeter", "active")])
    [ours] = agents(videosdk, "m-1")
    videosdk.join("m-1", "agent-of-a-stranger")
    assert house.settings.videosdk is not None
    orders, account = Orders(house.redis), house.settings.videosdk.id
    orders.remove_agent(account, "m-1", "ana")
    orders.remove_agent(account, "m-1", "agent-of-a-stranger")
    eventually(lambda: agents(videosdk, "m-1") == [ours])
    throughout(lambda: "ana" in videosdk.present("m-1"), 0.3)
    assert told(house) == [("videosdk", "greeter", "active")]
