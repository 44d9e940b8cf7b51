"""`release`: an agent that nobody needs any more is sent away, and one that is needed stays."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from service.sandbox import Worker
from tests.waiting import eventually, throughout
from tests.workers.conftest import explicit
from tests.workers.test_ladder import agents, came

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.sandbox import Sandbox
    from tests.workers.conftest import House

RULE = """
version: 1
rules:
  - id: greet
    on: %s
    once: %s
    dispatch: {agent: greeter}
    release: %s
"""
ROOM = "support-1"
LAST = "last_human_left"
LATER = "{when: last_human_left, after: 1s}"


def rule(release: str, on: str = "participant_joined", once: str = "room") -> str:
    return RULE % (on, once, release)


def states(house: House) -> list[str]:
    """The states of the dispatches, in the order they were made."""
    return [d["state"] for d in house.dispatches()]


def greeted(house: House, sandbox: Sandbox, release: str, *people: str) -> None:
    """A room with people and an agent."""
    house.rules.write_text(rule(release))
    house.start_worker()
    for who in people or ("ana",):
        sandbox.join(ROOM, who)
    eventually(lambda: states(house) == ["active"])


def gone(house: House, sandbox: Sandbox, timeout: float = 5) -> None:
    """Wait until the agent and its dispatch are gone, and nothing is left to do."""
    eventually(lambda: states(house)[-1] == "released", timeout)
    eventually(lambda: agents(sandbox, ROOM) == [], timeout)
    assert explicit(sandbox, ROOM) == []


def stays(house: House, sandbox: Sandbox, seconds: float) -> None:
    """The agent is as it was, for some time."""
    before = agents(sandbox, ROOM)
    assert before
    throughout(lambda: agents(sandbox, ROOM) == before, seconds)
    assert states(house) == ["active"]
    assert sandbox.calls.of("DeleteDispatch") == []


class TestLastHumanLeft:
    def test_the_agent_goes_with_the_last_of_them(self, house: House, sandbox: Sandbox) -> None:
        greeted(house, sandbox, LAST, "ana", "ben")
        sandbox.leave(ROOM, "ana")
        stays(house, sandbox, 0.5)
        sandbox.leave(ROOM, "ben")
        gone(house, sandbox)
        [released] = house.dispatches()
        assert released["reason"] == LAST
        assert released["ended_at"] is not None

    def test_after_a_while(self, house: House, sandbox: Sandbox) -> None:
        greeted(house, sandbox, LATER)
        sandbox.leave(ROOM, "ana")
        stays(house, sandbox, 0.7)
        gone(house, sandbox)

    def test_somebody_who_comes_in_time_keeps_it(self, house: House, sandbox: Sandbox) -> None:
        greeted(house, sandbox, LATER)
        sandbox.leave(ROOM, "ana")
        stays(house, sandbox, 0.5)
        sandbox.join(ROOM, "ben")
        stays(house, sandbox, 1.5)
        sandbox.leave(ROOM, "ben")  # and the time begins anew
        stays(house, sandbox, 0.7)
        gone(house, sandbox)

    def test_the_next_human_gets_another(self, house: House, sandbox: Sandbox) -> None:
        greeted(house, sandbox, LAST)
        sandbox.leave(ROOM, "ana")
        gone(house, sandbox)
        sandbox.join(ROOM, "ana")
        eventually(lambda: states(house) == ["released", "active"])

    def test_a_room_without_humans_yet_keeps_it(self, house: House, sandbox: Sandbox) -> None:
        house.rules.write_text(rule(LAST, on="room_started"))
        house.start_worker()
        sandbox.create_room(ROOM)
        eventually(lambda: states(house) == ["active"])
        sandbox.join(ROOM, "recorder", kind="EGRESS")
        sandbox.leave(ROOM, "recorder")
        stays(house, sandbox, 0.5)
        sandbox.join(ROOM, "ana")
        sandbox.leave(ROOM, "ana")
        gone(house, sandbox)


class TestParticipantLeft:
    def test_each_caller_takes_their_own_agent_along(self, house: House, sandbox: Sandbox) -> None:
        house.rules.write_text(rule("participant_left", once="participant"))
        house.start_worker()
        sandbox.join(ROOM, "ana")
        sandbox.join(ROOM, "ben")
        eventually(lambda: states(house) == ["active", "active"])
        bens = next(d for d in house.dispatches() if d["subject"] == "ben")
        sandbox.leave(ROOM, "ana")
        eventually(lambda: agents(sandbox, ROOM) == [bens["agent_identity"]])
        [released] = eventually(lambda: house.dispatches(state="released"))
        assert (released["subject"], released["reason"]) == ("ana", "participant_left")
        sandbox.leave(ROOM, "ben")
        eventually(lambda: states(house) == ["released", "released"])

    def test_one_who_is_back_in_time_keeps_theirs(self, house: House, sandbox: Sandbox) -> None:
        greeted(house, sandbox, "{when: participant_left, after: 1s}", "ana", "ben")
        sandbox.leave(ROOM, "ana")
        stays(house, sandbox, 0.5)
        sandbox.join(ROOM, "ana")
        stays(house, sandbox, 1.5)
        sandbox.leave(ROOM, "ana")
        gone(house, sandbox)

    def test_a_reconnection_is_not_a_leaving(self, house: House, sandbox: Sandbox) -> None:
        greeted(house, sandbox, "participant_left")
        sandbox.join(ROOM, "ana")  # LiveKit ends the first connection as DUPLICATE_IDENTITY
        stays(house, sandbox, 1)


class TestTrackUnpublished:
    @pytest.fixture
    def track(self, house: House, sandbox: Sandbox) -> str:
        house.rules.write_text(
            rule("{when: track_unpublished, after: 300ms}", on="track_published")
        )
        house.start_worker()
        sandbox.join(ROOM, "ana")
        track = sandbox.publish(ROOM, "ana", source="SCREEN_SHARE").sid
        eventually(lambda: states(house) == ["active"])
        return track

    def test_the_agent_goes_with_its_track(
        self, house: House, sandbox: Sandbox, track: str
    ) -> None:
        other = sandbox.publish(ROOM, "ana").sid
        sandbox.unpublish(ROOM, "ana", other)
        stays(house, sandbox, 0.8)
        sandbox.unpublish(ROOM, "ana", track)
        gone(house, sandbox)
        assert house.dispatches()[0]["reason"] == "track_unpublished"

    @pytest.mark.usefixtures("track")
    def test_one_who_leaves_takes_it_along(self, house: House, sandbox: Sandbox) -> None:
        sandbox.join(ROOM, "ben")
        sandbox.leave(ROOM, "ana")
        gone(house, sandbox)

    @pytest.mark.usefixtures("track")
    def test_nobody_told_that_it_ended(self, house: House, sandbox: Sandbox) -> None:
        ana = sandbox.rooms.open[ROOM].participants["ana"]
        sandbox.join(ROOM, "ben")
        sandbox.send(
            {
                "event": "participant_left",
                "id": "EV_only",
                "createdAt": str(int(time.time())),
                "room": {"sid": sandbox.rooms.open[ROOM].info.sid, "name": ROOM},
                "participant": {"sid": ana.sid, "identity": "ana"},
            }
        )
        gone(house, sandbox)


class TestConditions:
    ALONE = "{when: {humans: {lt: 2}}, after: 1s}"

    def test_the_agent_goes_when_they_have_held(self, house: House, sandbox: Sandbox) -> None:
        greeted(house, sandbox, self.ALONE, "ana", "ben")
        stays(house, sandbox, 1.5)
        sandbox.leave(ROOM, "ben")
        gone(house, sandbox)
        assert house.dispatches()[0]["reason"] == "presence"

    def test_they_hold_from_the_beginning(self, house: House, sandbox: Sandbox) -> None:
        greeted(house, sandbox, self.ALONE)
        gone(house, sandbox)

    def test_without_a_break(self, house: House, sandbox: Sandbox) -> None:
        greeted(house, sandbox, self.ALONE, "ana", "ben")
        for _ in range(3):
            sandbox.leave(ROOM, "ben")
            stays(house, sandbox, 0.6)
            sandbox.join(ROOM, "ben")
            stays(house, sandbox, 0.1)
        stays(house, sandbox, 1.2)

    def test_about_agents(self, house: House, sandbox: Sandbox) -> None:
        greeted(house, sandbox, "{when: {agents: expert}}")
        sandbox.join(ROOM, "x", kind="AGENT", attributes={"lk.agent_name": "expert"})
        eventually(lambda: house.dispatches(state="released"))
        eventually(lambda: agents(sandbox, ROOM) == ["x"])

    def test_about_participants(self, house: House, sandbox: Sandbox) -> None:
        greeted(house, sandbox, '{when: {participants: {identity: "op-*"}}}')
        sandbox.join(ROOM, "op-eva")
        gone(house, sandbox)

    def test_of_the_rule_as_it_was(self, house: House, sandbox: Sandbox) -> None:
        greeted(house, sandbox, self.ALONE, "ana", "ben")
        house.stop()
        house.rules.write_text(rule("never"))
        house.start_worker()
        sandbox.leave(ROOM, "ben")
        gone(house, sandbox)


class TestWhileItWaits:
    """For its rule's `after`."""

    WAITS = "    after: 1500ms\n"

    def test_it_is_not_sent(self, house: House, sandbox: Sandbox) -> None:
        house.rules.write_text(rule("{when: {humans: {lt: 2}}, after: 100ms}") + self.WAITS)
        house.start_worker()
        sandbox.join(ROOM, "ana")
        eventually(lambda: states(house) == ["released"])
        assert house.dispatches()[0]["reason"] == "presence"
        assert sandbox.calls.of("CreateDispatch") == []

    def test_its_track_has_ended(self, house: House, sandbox: Sandbox) -> None:
        house.rules.write_text(rule("track_unpublished", on="track_published") + self.WAITS)
        house.start_worker()
        sandbox.join(ROOM, "ana")
        track = sandbox.publish(ROOM, "ana", source="SCREEN_SHARE").sid
        eventually(lambda: states(house) == ["scheduled"])
        sandbox.unpublish(ROOM, "ana", track)
        eventually(lambda: states(house) == ["released"])
        assert sandbox.calls.of("CreateDispatch") == []

    def test_its_time_runs_on_when_it_is_sent(self, house: House, sandbox: Sandbox) -> None:
        house.rules.write_text(rule("{when: {humans: {lt: 2}}, after: 2500ms}") + self.WAITS)
        house.start_worker()
        sandbox.join(ROOM, "ana")
        eventually(lambda: states(house) == ["active"])
        gone(house, sandbox)

    def test_it_holds_no_more(self, house: House, sandbox: Sandbox) -> None:
        house.rules.write_text(rule("{when: {humans: {lt: 2}}, after: 1s}") + self.WAITS)
        house.start_worker()
        sandbox.join(ROOM, "ana")
        sandbox.join(ROOM, "ben")
        eventually(lambda: states(house) == ["active"])
        stays(house, sandbox, 1.5)


def test_never_is_never(house: House, sandbox: Sandbox) -> None:
    greeted(house, sandbox, "never")
    sandbox.leave(ROOM, "ana")
    stays(house, sandbox, 1)


@pytest.mark.parametrize("release", [LAST, LATER])
def test_somebody_of_whom_no_webhook_told_keeps_it(
    house: House, sandbox: Sandbox, release: str
) -> None:
    greeted(house, sandbox, release)
    sandbox.fault("webhooks_lost")
    sandbox.join(ROOM, "ben")
    eventually(lambda: "ben" in sandbox.rooms.open[ROOM].participants)
    sandbox.heal()
    sandbox.leave(ROOM, "ana")
    stays(house, sandbox, 2)
    sandbox.leave(ROOM, "ben")  # a look has found him meanwhile
    gone(house, sandbox)


def test_an_agent_whose_worker_is_out_of_reach_is_removed(house: House, sandbox: Sandbox) -> None:
    sandbox.agents.workers[:] = [
        Worker("greeter", accept_delay=0.02, join_delay=0.02, reachable=False)
    ]
    greeted(house, sandbox, LAST)
    [identity] = agents(sandbox, ROOM)
    sandbox.leave(ROOM, "ana")
    gone(house, sandbox, timeout=12)
    assert [c.request["identity"] for c in sandbox.calls.of("RemoveParticipant")] == [identity]


FAULTS: dict[str, Callable[[Sandbox], object]] = {
    "unavailable": lambda s: s.fault("unavailable", times=6),
    "deletion unavailable": lambda s: s.fault("unavailable", "DeleteDispatch", times=4),
    "done, answer lost": lambda s: s.fault("cut", "DeleteDispatch", times=1),
    "done, says it is not": lambda s: s.fault("unavailable_after_work", "DeleteDispatch", times=1),
    "cut": lambda s: s.fault("cut_before_work", times=3),
    "key refused": lambda s: s.fault("unauthorized", times=3),
    "too many": lambda s: s.fault("too_many", times=3, seconds=0.2),
}


@pytest.mark.parametrize("name", FAULTS)
def test_livekit_fails_for_a_while(house: House, sandbox: Sandbox, name: str) -> None:
    greeted(house, sandbox, LAST)
    FAULTS[name](sandbox)
    sandbox.leave(ROOM, "ana")
    gone(house, sandbox, timeout=20)
    [released] = house.dispatches()
    assert released["reason"] == LAST


def test_somebody_who_comes_while_livekit_fails_keeps_it(house: House, sandbox: Sandbox) -> None:
    greeted(house, sandbox, LAST)
    sandbox.fault("unavailable", "ListParticipants")
    sandbox.leave(ROOM, "ana")
    eventually(lambda: sandbox.calls.of("ListParticipants"))
    sandbox.join(ROOM, "ben")
    stays(house, sandbox, 0.3)
    sandbox.heal()
    stays(house, sandbox, 2)


class TestWhileItIsNotThereYet:
    def test_pending(self, house: House, sandbox: Sandbox) -> None:
        sandbox.agents.workers.clear()
        house.rules.write_text(rule(LAST))
        house.start_worker()
        sandbox.join(ROOM, "ana")
        eventually(lambda: states(house) == ["pending"])
        sandbox.leave(ROOM, "ana")
        gone(house, sandbox)

    @pytest.mark.parametrize("reachable", [True, False])
    @pytest.mark.parametrize("listed_after", [0.0, 2.0])
    def test_its_agent_comes_all_the_same(
        self, house: House, sandbox: Sandbox, *, reachable: bool, listed_after: float
    ) -> None:
        """Its worker took the job, and had not started the agent when the job was ended."""
        slow = Worker("greeter", accept_delay=0.02, join_delay=1.5, reachable=reachable)
        sandbox.agents.workers[:] = [slow]
        sandbox.agents._job_listing_delay = listed_after
        house.rules.write_text(rule(LAST))
        house.start_worker()
        sandbox.join(ROOM, "ana")
        eventually(lambda: states(house) == ["pending"])
        sandbox.leave(ROOM, "ana")
        eventually(lambda: states(house) == ["released"])
        eventually(lambda: came(sandbox))
        # Five looks for its dispatch, each after a longer pause, take 12 to 15 s and more.
        eventually(lambda: agents(sandbox, ROOM) == [], timeout=30)

    def test_requested(self, house: House, sandbox: Sandbox) -> None:
        sandbox.fault("unavailable", "CreateDispatch")
        house.rules.write_text(rule(LAST))
        house.start_worker()
        sandbox.join(ROOM, "ana")
        eventually(lambda: sandbox.calls.of("CreateDispatch"))
        sandbox.leave(ROOM, "ana")
        eventually(lambda: states(house) == ["released"], timeout=12)
        sandbox.heal()
        throughout(lambda: explicit(sandbox, ROOM) == [], 1)

    def test_requested_and_done(self, house: House, sandbox: Sandbox) -> None:
        """Nobody knows yet that the call was done."""
        sandbox.fault("cut", "CreateDispatch", times=1)
        house.rules.write_text(rule(LAST))
        house.start_worker()
        sandbox.join(ROOM, "ana")
        eventually(lambda: agents(sandbox, ROOM))
        assert states(house) == ["requested"]
        sandbox.leave(ROOM, "ana")
        gone(house, sandbox, timeout=12)
        assert len(sandbox.calls.of("CreateDispatch")) == 1

    def test_waiting_as_a_restart(self, house: House, sandbox: Sandbox) -> None:
        greeted(house, sandbox, LATER)
        [identity] = agents(sandbox, ROOM)
        sandbox.leave(ROOM, "ana")
        sandbox.leave(ROOM, identity, "SIGNAL_CLOSE")
        eventually(lambda: states(house) == ["ended", "scheduled"])
        eventually(lambda: states(house) == ["ended", "released"], timeout=4)
        assert house.dispatches()[-1]["reason"] == LAST
        sandbox.join(ROOM, "ben")  # and the claim is free
        eventually(lambda: states(house) == ["ended", "released", "active"])

    def test_waiting_as_a_restart_until_somebody_comes(
        self, house: House, sandbox: Sandbox
    ) -> None:
        greeted(house, sandbox, "{when: last_human_left, after: 3s}")
        [identity] = agents(sandbox, ROOM)
        sandbox.leave(ROOM, "ana")
        sandbox.leave(ROOM, identity, "SIGNAL_CLOSE")
        eventually(lambda: states(house) == ["ended", "scheduled"])
        sandbox.join(ROOM, "ben")
        eventually(lambda: states(house) == ["ended", "active"])
        throughout(lambda: states(house) == ["ended", "active"], 3.2)


class TestWhileItIsBeingDeleted:
    def test_somebody_who_comes_gets_another(self, house: House, sandbox: Sandbox) -> None:
        greeted(house, sandbox, LAST)
        sandbox.fault("unavailable", "DeleteDispatch", times=2)
        sandbox.leave(ROOM, "ana")
        eventually(lambda: sandbox.calls.of("DeleteDispatch"))
        sandbox.join(ROOM, "ben")
        eventually(lambda: states(house) == ["released", "active"])
        assert [d.id for d in explicit(sandbox, ROOM)] == [house.dispatches()[-1]["dispatch_id"]]
        eventually(
            lambda: agents(sandbox, ROOM) == [house.dispatches()[-1]["agent_identity"]], timeout=5
        )

    def test_also_one_whose_coming_is_told_only_after_it(
        self, house: House, sandbox: Sandbox
    ) -> None:
        greeted(house, sandbox, LAST)
        sandbox.fault("slow", "DeleteDispatch", times=1, seconds=0.5)
        sandbox.leave(ROOM, "ana")
        eventually(lambda: sandbox.calls.of("DeleteDispatch"))
        sandbox.join(ROOM, "ben")
        eventually(lambda: states(house) == ["released", "active"])

    def test_an_agent_that_connects_anew_goes_all_the_same(
        self, house: House, sandbox: Sandbox
    ) -> None:
        greeted(house, sandbox, LAST)
        [identity] = agents(sandbox, ROOM)
        sandbox.fault("unavailable", "DeleteDispatch", times=2)
        sandbox.leave(ROOM, "ana")
        eventually(lambda: sandbox.calls.of("DeleteDispatch"))
        sandbox.join(ROOM, identity, kind="AGENT", attributes={"lk.agent_name": "greeter"})
        gone(house, sandbox)

    def test_a_room_that_ends_meanwhile(self, house: House, sandbox: Sandbox) -> None:
        greeted(house, sandbox, LAST)
        sandbox.fault("unavailable", "DeleteDispatch")
        sandbox.leave(ROOM, "ana")
        eventually(lambda: sandbox.calls.of("DeleteDispatch"))
        sandbox.delete_room(ROOM)
        eventually(lambda: states(house) == ["ended"])
        assert house.dispatches()[0]["reason"] == "room_ended"


def test_a_worker_that_ends_leaves_it_to_the_next(house: House, sandbox: Sandbox) -> None:
    greeted(house, sandbox, LATER)
    sandbox.leave(ROOM, "ana")
    stays(house, sandbox, 0.3)
    house.stop()
    house.start_worker()
    gone(house, sandbox)


def test_while_an_agent_makes_way_for_the_next(house: House, sandbox: Sandbox) -> None:
    """The last human leaves while a rung of a ladder is being deleted: the next is not for him."""
    house.rules.write_text(
        rule(LAST).replace("{agent: greeter}", "{agent: nobody}")
        + "    join_within: 500ms\n    fallback: [{agent: greeter}]\n"
    )
    house.start_worker()
    sandbox.fault("unavailable", "DeleteDispatch", times=4)
    sandbox.join(ROOM, "ana")
    eventually(lambda: sandbox.calls.of("DeleteDispatch"))
    sandbox.leave(ROOM, "ana")
    gone(house, sandbox, timeout=8)
    assert len(sandbox.calls.of("CreateDispatch")) == 1


def test_the_time_runs_on_while_the_next_agent_of_a_ladder_is_asked(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(
        rule("{when: last_human_left, after: 2s}").replace("{agent: greeter}", "{agent: nobody}")
        + "    join_within: 1s\n    fallback: [{agent: greeter}]\n"
    )
    house.start_worker()
    sandbox.join(ROOM, "ana")
    eventually(lambda: states(house) == ["pending"])
    sandbox.leave(ROOM, "ana")
    eventually(lambda: states(house) == ["superseded", "active"])
    eventually(lambda: states(house) == ["superseded", "released"], timeout=4)
    eventually(lambda: agents(sandbox, ROOM) == [])
