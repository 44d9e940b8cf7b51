"""Events played one after the other: what is live, who is there and what time it is move on."""

from __future__ import annotations

import pytest

from rules.replay import Fate, Replay
from rules.storyline import Storyline
from tests.rules.given import rule, ruleset

ANA = {"identity": "ana"}
AGENT = {"identity": "agent-1", "kind": "AGENT", "attributes": {"lk.agent_name": "greeter"}}


def joined(who=ANA, room="a", **more):
    return {"event": "participant_joined", "room": {"name": room}, "participant": who, **more}


def left(who=ANA, room="a", **more):
    return {"event": "participant_left", "room": {"name": room}, "participant": who, **more}


def finished(room="a", **more):
    return {"event": "room_finished", "room": {"name": room}, **more}


def track(sid, *, ended=False, who=ANA, **more):
    name = "track_unpublished" if ended else "track_published"
    body = {"event": name, "room": {"name": "a"}, "participant": {"identity": who["identity"]}}
    return {**body, "track": {"sid": sid, "source": "MICROPHONE"}, **more}


def played(rules, *events, out=True):
    story, replay = Storyline(1_000), Replay(rules)
    decided = [replay.play(story.next(event)).decisions for event in events]
    if out:
        replay.run_out()
    return replay, [[decision.reason.value for decision in each] for each in decided]


def fates(rules, *events, out=True):
    replay, _ = played(rules, *events, out=out)
    return [(sent.at - 1_000, sent.fate.value) for sent in replay.sent]


class TestWhatIsLive:
    def test_a_dispatch_lives_until_its_agent_has_left(self):
        events = [joined(), joined(AGENT), joined({"identity": "ben"}), left(AGENT, after="1s")]
        assert fates(rule(""), *events) == [(0, "ended")]
        assert fates(rule(""), *events, joined()) == [(0, "ended"), (1, "sent")]

    def test_an_agent_of_another_name_is_not_ours(self):
        other = {**AGENT, "attributes": {"lk.agent_name": "other"}}
        assert fates(rule(""), joined(), joined(other), left(other)) == [(0, "sent")]

    def test_one_agent_that_leaves_ends_one_of_two_dispatches(self):
        rules = rule("once: participant")
        events = [joined(), joined({"identity": "ben"}), joined(AGENT), left(AGENT)]
        assert fates(rules, *events) == [(0, "ended"), (0, "sent")]

    def test_two_agents_of_one_name_are_told_apart(self):
        rules = rule("once: participant")
        second = {**AGENT, "identity": "agent-2"}
        events = [joined(), joined({"identity": "ben"}), joined(AGENT), joined(second)]
        assert fates(rules, *events, left(second)) == [(0, "sent"), (0, "ended")]
        assert fates(rules, *events, left(second), left(AGENT)) == [(0, "ended"), (0, "ended")]

    def test_it_ends_with_its_room_whether_its_agent_came_or_not(self):
        assert fates(rule(""), joined(), finished()) == [(0, "ended")]

    def test_a_new_session_of_the_name_ends_the_old_one_whose_end_was_not_told(self):
        events = [joined(room=None) | {"room": {"name": "a", "sid": sid}} for sid in ("S1", "S2")]
        assert fates(rule(""), *events) == [(0, "ended"), (0, "sent")]

    def test_a_late_event_of_an_old_session_changes_nothing_in_the_new(self):
        first, second = ({"name": "a", "sid": sid} for sid in ("S1", "S2"))
        late = {"event": "room_finished", "room": first}
        events = [joined() | {"room": first}, joined() | {"room": second}, late]
        replay, reasons = played(rule(""), *events, joined() | {"room": first})
        assert [sent.fate for sent in replay.sent] == [Fate.ENDED, Fate.SENT]
        assert reasons[-1] == ["room_ended"]

    def test_rooms_do_not_share_claims_and_share_limits(self):
        rules = rule("limit: {active: 2}")
        _, reasons = played(rules, *(joined(room=room) for room in "abc"))
        assert reasons == [["matched"], ["matched"], ["limit"]]
        _, reasons = played(rules, joined(), joined(room="b"), finished(), joined(room="c"))
        assert reasons[-1] == ["matched"]

    def test_a_shadow_is_not_sent_and_takes_no_claim(self):
        _, reasons = played(rule("shadow: true"), joined(), joined())
        assert reasons == [["matched"], ["matched"]]
        assert fates(rule("shadow: true"), joined()) == []

    def test_again_never_outlives_the_agent_and_not_the_session(self):
        events = [joined(), joined(AGENT), left(AGENT), joined()]
        _, reasons = played(rule("again: never"), *events)
        assert reasons[-1] == ["already_dispatched"]
        begun = {"event": "room_started", "room": {"name": "a"}}
        _, reasons = played(rule("again: never"), *events, finished(), begun, joined())
        assert reasons[-1] == ["matched"]

    def test_what_is_known_from_elsewhere_counts_too(self):
        replay, _ = played(rule(""), joined())
        (key,) = [sent.plan.claim.key for sent in replay.sent]
        event = Storyline(1_000).next(joined())
        (decision,) = Replay(rule("")).play(event, {key: "r"}).decisions
        assert decision.reason.value == "already_dispatched"


class TestReleaseWhileItWaits:
    ALONE = "after: 60s\nrelease: {when: {humans: {lt: 2}}, after: %s}"

    def test_what_holds_by_the_end_is_not_sent(self):
        assert fates(rule(self.ALONE % "30s"), joined()) == [(60, "not_sent")]

    def test_its_time_runs_on_when_it_is_sent(self):
        rules, tick = rule(self.ALONE % "90s"), joined(room="b", after="91s")
        assert fates(rules, joined())[0] == (60, "sent")
        assert fates(rules, joined(), tick)[0] == (60, "released")

    def test_what_does_not_hold_any_more_counts_for_nothing(self):
        events = [joined(), joined({"identity": "ben"}, after="50s")]
        assert fates(rule(self.ALONE % "30s"), *events) == [(60, "sent")]

    def test_a_track_that_has_ended_is_not_waited_for(self):
        rules = rule("on: track_published\nafter: 60s\nrelease: track_unpublished")
        assert fates(rules, joined(), track("TR_1"), track("TR_1", ended=True)) == [
            (60, "not_sent")
        ]


class TestAfter:
    LATER = "after: 60s\nonce: participant"

    def test_it_is_sent_when_its_time_is_over(self):
        assert fates(rule(self.LATER), joined(), out=False) == [(60, "scheduled")]
        assert fates(rule(self.LATER), joined()) == [(60, "sent")]

    @pytest.mark.parametrize(
        ("event", "reason"), [(left(after="59s"), "participant_gone"), (finished(), "room_ended")]
    )
    def test_it_is_not_sent_to_who_has_gone(self, event, reason):
        replay, _ = played(rule(self.LATER), joined(), event)
        (sent,) = replay.sent
        assert (sent.fate, sent.refusal.reason.value) == (Fate.NOT_SENT, reason)

    def test_an_event_in_the_same_moment_comes_first(self):
        assert fates(rule(self.LATER), joined(), left(after="60s")) == [(60, "not_sent")]
        assert fates(rule(self.LATER), joined(), left(after="60001ms")) == [(60, "sent")]

    def test_while_it_waits_it_holds_its_claim_and_counts(self):
        _, reasons = played(rule(self.LATER), joined(), joined())
        assert reasons == [["matched"], ["already_dispatched"]]
        limited = rule(self.LATER + "\nlimit: {active: 1}")
        _, reasons = played(limited, joined(), joined(room="b"))
        assert reasons == [["matched"], ["limit"]]
        _, reasons = played(limited, joined(), left(after="1s"), joined(room="b", after="60s"))
        assert reasons[-1] == ["matched"]

    def test_waiting_in_vain_does_not_count_as_accepted(self):
        rules = rule(self.LATER + "\nagain: never")
        _, reasons = played(rules, joined(), left(), joined(after="2m"))
        assert reasons[-1] == ["matched"]

    def test_its_conditions_on_presence_must_hold_still(self):
        rules = rule(self.LATER + "\nwhen: {humans: {lt: 2}}")
        ben = {"identity": "ben"}
        assert fates(rules, joined(), joined(ben)) == [(60, "not_sent")]
        assert fates(rules, joined(), joined(ben), left(ben)) == [(60, "sent")]


class TestRelease:
    def test_when_the_participant_who_called_it_has_left(self):
        rules = rule("once: participant\nrelease: participant_left")
        events = [joined(), joined({"identity": "ben"}), left()]
        assert fates(rules, *events, joined(room="b", after="1s"))[:2] == [
            (0, "released"),
            (0, "sent"),
        ]

    def test_when_nobody_is_left_but_agents(self):
        rules = rule("release: last_human_left")
        ben = {"identity": "ben"}
        events = [joined(), joined(ben), joined(AGENT), left()]
        assert fates(rules, *events, joined(room="b", after="1s"))[0] == (0, "sent")
        assert fates(rules, *events, left(ben), joined(room="b", after="1s"))[0] == (0, "released")

    def test_when_its_track_has_ended_and_no_other(self):
        rules = rule("on: track_published\nonce: participant\nrelease: track_unpublished")
        events = [joined(), track("T1"), track("T2", ended=True)]
        again = track("T3", after="1s")
        assert fates(rules, *events, again) == [(0, "sent")]
        assert fates(rules, *events, track("T1", ended=True), again) == [
            (0, "released"),
            (1, "sent"),
        ]

    def test_at_once_where_it_has_no_after(self):
        """Webhooks tell whole seconds: what comes next is often of the same moment."""
        rules = rule("on: track_published\nonce: participant\nrelease: track_unpublished")
        events = [joined(), track("T1"), track("T1", ended=True), track("T2")]
        assert fates(rules, *events) == [(0, "released"), (0, "sent")]

    def test_not_while_somebody_comes_back_in_time(self):
        rules = rule("release: {when: last_human_left, after: 30s}")
        back = [joined(), left(), joined(after="30s")]
        assert fates(rules, *back, joined(room="b", after="1h"))[0] == (0, "sent")
        late = [joined(), left(), joined(after="31s")]
        assert fates(rules, *late) == [(0, "released"), (31, "sent")]

    def test_the_time_begins_anew_with_each_leaving(self):
        rules = rule("release: {when: last_human_left, after: 30s}")
        events = [joined(), left(), joined(after="20s"), left(after="20s")]
        assert fates(rules, *events, joined(after="29s")) == [(0, "sent")]
        assert len(fates(rules, *events, joined(after="31s"))) == 2
        soon = [joined(), left(), joined(after="20s"), left(after="5s")]
        assert fates(rules, *soon, joined(after="29s")) == [(0, "sent")]
        assert len(fates(rules, *soon, joined(after="31s"))) == 2

    def test_by_conditions_that_hold(self):
        rules = rule("when: {humans: {gte: 2}}\nrelease: {when: {humans: {lt: 2}}, after: 1m}")
        events = [joined(), joined({"identity": "ben"}), left()]
        assert fates(rules, *events, joined(room="b", after="1h")) == [(0, "released")]
        assert fates(rules, *events, joined(room="b", after="59s")) == [(0, "sent")]


def test_groups_stand_aside_on_one_event_and_while_one_is_live():
    rules = ruleset(
        """
        version: 1
        rules:
          - id: gold
            on: participant_joined
            group: g
            limit: {active: 1}
            dispatch: {agent: gold}
          - {id: rest, on: participant_joined, group: g, dispatch: {agent: rest}}
        """
    )
    _, reasons = played(rules, joined(), joined({"identity": "ben"}), joined(room="b"))
    assert reasons == [
        ["matched", "group"],
        ["already_dispatched", "already_dispatched"],
        ["limit", "matched"],
    ]


def test_several_dispatches_of_a_rule_live_and_die_each_for_itself():
    rules = rule("dispatch: [{agent: greeter}, {id: notes, agent: note-taker}]")
    replay, _ = played(rules, joined(), joined(AGENT), left(AGENT), joined())
    assert [(sent.plan.agent, sent.fate.value) for sent in replay.sent] == [
        ("greeter", "ended"),
        ("note-taker", "sent"),
        ("greeter", "sent"),
    ]


def test_two_thousand_rooms_leave_nothing_waiting():
    rules = rule("once: participant\nrelease: {when: participant_left, after: 10s}")
    replay, story = Replay(rules), Storyline(1_000)
    for n in range(2_000):
        for event in (joined(room=f"r{n}"), left(room=f"r{n}", after="20s")):
            replay.play(story.next(event))
    replay.run_until(story.now + 60)
    assert {sent.fate for sent in replay.sent} == {Fate.RELEASED}
    assert len(replay.sent) == 2_000
    assert not replay._timers


def test_events_of_one_moment_are_played_in_their_order():
    ben = {"identity": "ben"}
    rules = rule("when: {humans: 1}\nonce: participant")
    events = [joined(), left(), joined(ben), joined(), left(ben), left(), joined()]
    _, reasons = played(rules, *events)
    assert [reasons[n] for n in (0, 2, 3, 6)] == [
        ["matched"],
        ["matched"],
        ["condition"],
        ["already_dispatched"],
    ]


def test_twenty_thousand_events_in_two_thousand_rooms_leave_nothing_live():
    rules = rule("once: participant\nlimit: {active: 100000}\nrelease: participant_left")
    replay, story = Replay(rules), Storyline(1_000)
    for n in range(20_000):
        come = joined if n // 2_000 % 2 == 0 else left
        replay.play(story.next(come(room=f"r{n % 2_000}", after="1ms")))
    replay.run_out()
    assert len(replay.sent) == 10_000
    assert {sent.fate for sent in replay.sent} == {Fate.RELEASED}
    assert not any(room.live for room in replay._rooms.values())
