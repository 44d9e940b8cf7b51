"""`release`: when an agent is sent away, as it is written and as it is judged."""

from __future__ import annotations

import pytest

from rules.release import Leaving
from rules.session import Session, observe
from tests.rules.given import errors, joined, one, rule, rule_file, ruleset

ANA = {"sid": "PA_1", "identity": "ana", "kind": "STANDARD"}
BOB = {"sid": "PA_2", "identity": "bob", "kind": "STANDARD"}
AGENT = {"sid": "PA_3", "identity": "agent-1", "kind": "AGENT"}
RECORDER = {"sid": "PA_4", "identity": "rec", "kind": "EGRESS"}
MIC, CAMERA = {"sid": "TR_1", "source": "MICROPHONE"}, {"sid": "TR_2", "source": "CAMERA"}


def release(written, on="participant_joined"):
    event = joined(name=on, track=MIC)
    return one(rule(f"on: {on}\nrelease: {written}"), event, there(ANA)).plans[0].release


def there(*people):
    return Session("RM_1", participants={each["sid"]: each for each in people})


def left(who):
    return joined(name="participant_left", participant=who)


def unpublished(track):
    return joined(name="track_unpublished", track=track)


def held(written, before, event, *, on="participant_joined", already=False):
    """Whether it holds after an event in a room with these people before."""
    origin = joined(name=on, track=MIC)
    session, event = observe(there(*before), event)
    return release(written, on).holds(origin, event, session, already=already)


def test_an_agent_is_not_sent_away_by_us_without_it():
    (plan,) = one(rule(""), joined()).plans
    assert plan.release.when is Leaving.NEVER
    for word in ("never", "{when: never, after: 1s}"):
        assert not held(word, [ANA, AGENT], left(ANA), already=True)


def test_participant_left_is_the_events_participant():
    assert held("participant_left", [ANA, BOB], left(ANA))
    assert not held("participant_left", [ANA, BOB], left(BOB))


def test_a_participant_who_has_another_connection_has_not_left():
    again = {**ANA, "sid": "PA_9"}
    assert not held("participant_left", [ANA, again], left(ANA))


def test_one_who_comes_back_in_time_keeps_the_agent():
    assert not held("participant_left", [BOB], joined(participant={"sid": "PA_8"}), already=True)
    assert not held("last_human_left", [AGENT], joined(participant=BOB), already=True)
    assert not held("{when: {humans: {lt: 2}}}", [ANA], joined(participant=BOB), already=True)


def test_last_human_left_is_when_nobody_is_left_but_agents():
    assert held("last_human_left", [ANA, AGENT, RECORDER], left(ANA))
    assert not held("last_human_left", [ANA, BOB, AGENT], left(ANA))


def test_last_human_left_begins_with_a_human_who_leaves():
    """An agent may be called to a room before anybody is there."""
    assert not held("last_human_left", [], joined(participant=AGENT))
    assert not held("last_human_left", [AGENT, RECORDER], left(RECORDER))


def test_it_stays_so_while_agents_come_and_go():
    assert held("last_human_left", [AGENT, RECORDER], left(RECORDER), already=True)
    assert held("last_human_left", [AGENT], joined(participant=RECORDER), already=True)


def test_a_human_whose_connection_was_aborted_has_left():
    gone = joined(name="participant_connection_aborted", participant=ANA)
    assert held("last_human_left", [ANA], gone)
    assert held("participant_left", [ANA], gone)


def test_hidden_people_are_nobody():
    hidden = {**BOB, "permission": {"hidden": True}}
    assert held("last_human_left", [ANA, hidden], left(ANA))


def test_track_unpublished_is_the_events_track():
    on = "track_published"
    assert held("track_unpublished", [ANA], unpublished(MIC), on=on)
    assert not held("track_unpublished", [ANA], unpublished(CAMERA), on=on)
    assert not held("track_unpublished", [ANA], joined(name=on, track=MIC), on=on)
    assert held("track_unpublished", [ANA], left(ANA), on=on, already=True)


@pytest.mark.parametrize(
    ("conditions", "people", "so"),
    [
        ("{humans: {lt: 2}}", [ANA, BOB], True),
        ("{humans: {lt: 2}}", [ANA, BOB, {**BOB, "sid": "PA_5", "identity": "eva"}], False),
        ("{humans: bob}", [ANA, BOB], True),
        ("{not: {humans: ana}}", [ANA, BOB], True),
        ("{participants: {identity: 'b*', kind: STANDARD}}", [ANA, BOB], True),
        ("{participants: {identity: 'x*'}}", [ANA, BOB], False),
        ("{humans: {lt: 2}, agents: 5}", [ANA, BOB], False),
    ],
)
def test_a_mapping_is_presence_conditions(conditions, people, so):
    assert held(f"{{when: {conditions}}}", people, left(ANA)) is so


def test_a_plan_carries_when_and_how_long():
    assert release("{when: last_human_left, after: 30s}").after == 30.0
    assert release("last_human_left").after == 0.0
    assert release("last_human_left").when is Leaving.LAST_HUMAN_LEFT
    asked = release("{when: {humans: {lt: 2}}, after: 1m}")
    assert (asked.when, asked.after, asked.asked) == (None, 60.0, {"humans": {"lt": 2}})


def test_in_a_list_each_has_its_own():
    rules = rule("dispatch:\n  - {agent: a, release: participant_left}\n  - {agent: b}")
    first, second = one(rules, joined()).plans
    assert (first.release.when, second.release.when) == (Leaving.PARTICIPANT_LEFT, Leaving.NEVER)


def test_a_default_is_each_rules():
    rules = ruleset(
        "version: 1\ndefaults: {release: last_human_left}\nrules:\n"
        "  - {id: r, on: participant_joined, dispatch: [{agent: a}, {agent: b, release: never}]}"
    )
    first, second = one(rules, joined()).plans
    assert (first.release.when, second.release.when) == (Leaving.LAST_HUMAN_LEFT, Leaving.NEVER)


WORDS = (
    "never, participant_left, last_human_left, track_unpublished, or conditions on who is present"
)


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("nevr", f"3:14: 'release' is one of {WORDS}, did you mean 'never'?"),
        ("5", f"3:14: 'release' is one of {WORDS}"),
        ("null", f"3:14: 'release' is one of {WORDS}"),
        ("[never]", f"3:14: 'release' is one of {WORDS}"),
        ("{when: []}", f"3:21: 'release.when' is one of {WORDS}"),
        ("{when: left}", f"3:21: 'release.when' is one of {WORDS}"),
        ("{}", "3:14: 'release' needs 'when'"),
        ("{after: 5s}", "3:14: 'release' needs 'when'"),
        (
            "{when: never, aftr: 5s}",
            "3:28: unknown field 'release.aftr', did you mean 'release.after'?",
        ),
        ("{when: {humanz: 2}}", "3:22: unknown field 'humanz', did you mean 'humans'?"),
        ("{when: {room: {name: x}}}", "3:22: unknown field 'room'"),
        ("{when: {}}", "3:21: 'release.when' is empty: leave it out or say what must hold"),
        (
            "{when: never, after: 5}",
            "3:35: 'release.after' is a duration such as 250ms, 10s, 5m or 2h: with its unit, 5s",
        ),
    ],
)
def test_releases_that_are_wrong(written, error):
    assert errors(rule_file(f"release: {written}")) == [error]


@pytest.mark.parametrize(
    ("on", "word", "event", "part"),
    [
        ("room_started", "participant_left", "room_started", "participant"),
        ("[participant_joined, room_changed]", "participant_left", "room_changed", "participant"),
        ("participant_joined", "track_unpublished", "participant_joined", "track"),
        ("[track_published, egress_ended]", "track_unpublished", "egress_ended", "track"),
    ],
)
@pytest.mark.parametrize("written", ["%s", "{when: %s}"])
def test_what_the_event_does_not_carry_cannot_go(on, word, event, part, written):
    written %= word
    path = "release.when" if "when" in written else "release"
    (error,) = errors(rule_file(f"on: {on}\nrelease: {written}"))
    assert error.partition(": ")[2] == f"'{path}: {word}': '{event}' has no {part} that could go"


def test_in_a_list_what_is_wrong_is_told_where_it_stands():
    body = "dispatch:\n  - agent: a\n    release: {when: nevr}"
    assert errors(rule_file(body)) == [
        f"5:25: 'release.when' is one of {WORDS}, did you mean 'never'?"
    ]
