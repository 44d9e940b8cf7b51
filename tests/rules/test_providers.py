"""`dispatch.provider`, `room` and `version`, and `agents_are`: whose agents are asked for."""

from __future__ import annotations

import pytest

from rules.decision import Outcome, Provider, Reason
from rules.event import read_event
from rules.known import Known
from rules.session import Session, observe
from tests.rules.given import errors, joined, one, rule, rule_file, ruleset, warnings

BOTH = Known(providers=frozenset(Provider))
AGENTS = '{identity: "agent-*", name: [Greeter, "Bot *"]}'


def videosdk(identity="ana", name="", event="participant_joined"):
    body = {
        "event": event,
        "id": "EV_1",
        "room": {"sid": "s-1", "name": "abcd-efgh-ijkl"},
        "participant": {"sid": identity, "identity": identity, "name": name},
    }
    return read_event(body, source="videosdk")


def rules(body, more=""):
    return rule(f"dispatch: {body}\nagents_are: {AGENTS}\n{more}")


def rung(body, event, known=BOTH):
    decision = one(rules(body), event, known=known)
    assert decision.plans, decision.detail
    return decision.plans[0]


def stopped(body, event, known=BOTH):
    decision = one(rules(body), event, known=known)
    assert decision.outcome is Outcome.ERROR
    return decision.reason, decision.at, decision.detail


def test_it_is_where_the_event_came_from_unless_the_rule_says():
    assert rung("{agent: a}", joined()).provider is Provider.LIVEKIT
    assert rung("{agent: a}", videosdk()).provider is Provider.VIDEOSDK
    body = '{agent: a, provider: %s, room: "x-{{ room.name }}"}'
    assert rung(body % "videosdk", joined()).provider is Provider.VIDEOSDK
    assert rung(body % "livekit", videosdk()).provider is Provider.LIVEKIT


def test_it_is_sent_to_the_room_of_the_event_unless_that_is_another_providers():
    body = '{agent: a, provider: videosdk, room: "x-{{ room.name }}"}'
    assert rung(body, joined()).room == "x-support-1"
    assert rung(body, videosdk()).room == ""
    assert stopped('{agent: a, provider: videosdk, room: " "}', joined()) == (
        Reason.TEMPLATE_ERROR,
        "dispatch.room",
        "the room's name is empty",
    )


def test_one_that_is_not_configured_is_unsupported():
    found = stopped("{agent: a, provider: videosdk, room: m}", joined(), Known())
    assert found == (Reason.UNSUPPORTED, "dispatch.provider", "videosdk is not configured here")
    assert stopped("{agent: a}", videosdk(), Known())[0] is Reason.UNSUPPORTED


def test_one_that_is_not_configured_in_a_fallback_is_too():
    body = f"fallback: [{{provider: videosdk, room: m}}]\nagents_are: {AGENTS}"
    assert one(rule(body), joined(), known=Known()).reason is Reason.UNSUPPORTED
    (found,) = one(rule(body), joined(), known=BOTH).plans
    assert found.fallback[0].provider is Provider.VIDEOSDK
    assert (found.room, found.fallback[0].room) == ("", "m")


def test_a_version_is_videosdks():
    assert rung("{agent: a, version: v2}", videosdk()).version == "v2"
    assert rung("{agent: a}", videosdk()).version == ""
    assert stopped("{agent: a, version: v2}", joined()) == (
        Reason.UNSUPPORTED,
        "dispatch.version",
        "livekit has no versions of agents; its 'deployment' may be what is meant",
    )


def test_a_version_may_be_a_template():
    body = '{agent: a, version: "{{ participant.identity }}-1"}'
    assert rung(body, videosdk()).version == "ana-1"
    assert stopped("{agent: a, version: '{{ room.metadata.x }}'}", videosdk())[:2] == (
        Reason.TEMPLATE_ERROR, "dispatch.version"
    )  # fmt: skip


def test_a_deployment_is_livekits():
    assert stopped("{agent: a, deployment: staging}", videosdk()) == (
        Reason.UNSUPPORTED,
        "dispatch.deployment",
        "videosdk has no deployments; its 'version' may be what is meant",
    )
    assert rung("{agent: a, deployment: ''}", videosdk()).deployment == ""


@pytest.mark.parametrize(
    ("fields", "at"),
    [("attributes: {a: b}", "dispatch.attributes"), ("metadata: text", "dispatch.metadata"),
     ("metadata: [1]", "dispatch.metadata")],
)  # fmt: skip
def test_videosdk_takes_metadata_that_is_an_object_and_no_attributes(fields, at):
    body = f"{{agent: a, {fields}}}"
    assert stopped(body, videosdk())[:2] == (Reason.UNSUPPORTED, at)
    assert rung(body, joined())
    assert rung("{agent: a, metadata: {lang: es}}", videosdk()).metadata == '{"lang":"es"}'


NO_VERSIONS = "livekit has no versions of agents; its 'deployment' may be what is meant"
NO_DEPLOYMENTS = "videosdk has no deployments; its 'version' may be what is meant"
NO_ATTRIBUTES = "videosdk takes no attributes; its 'metadata' may be what is meant"
AN_OBJECT = "videosdk takes metadata that is a mapping, such as {lang: es}"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ("provider: twilio", "3:36: 'dispatch.provider' is one of livekit, videosdk"),
        (
            "provider: LiveKit",
            "3:36: 'dispatch.provider' is one of livekit, videosdk, did you mean 'livekit'?",
        ),
        ("provider: null", "3:36: 'dispatch.provider' is one of livekit, videosdk"),
        ("version: 7", "3:35: 'dispatch.version' takes text: quote it"),
        ("room: 7", "3:32: 'dispatch.room' takes text: quote it"),
        ("room: m, provider: livekit, version: v1", f"3:63: {NO_VERSIONS}"),
        ("room: m, provider: videosdk, deployment: staging", f"3:67: {NO_DEPLOYMENTS}"),
        ("room: m, provider: videosdk, deployment: {weights: {a: 1}}", f"3:67: {NO_DEPLOYMENTS}"),
        ("room: m, provider: videosdk, attributes: {a: b}", f"3:67: {NO_ATTRIBUTES}"),
        ("room: m, provider: videosdk, metadata: es", f"3:65: {AN_OBJECT}"),
        ("room: m, provider: videosdk, metadata: [es]", f"3:65: {AN_OBJECT}"),
    ],
)
def test_what_is_wrong_whatever_the_event_is_told_when_it_is_loaded(fields, error):
    assert errors(rule_file(f"dispatch: {{agent: a, {fields}}}\nagents_are: {AGENTS}")) == [error]


@pytest.mark.parametrize(
    "fields",
    ["provider: videosdk, deployment: ''", "provider: livekit, version: ''", "version: v",
     "provider: videosdk, metadata: '{{ room.metadata }}'"],
)  # fmt: skip
def test_what_may_be_right_is_no_error(fields):
    assert warnings(rules(f"{{agent: a, room: m, {fields}}}")) == []


def test_a_rule_that_reads_one_provider_only_is_told_what_that_does_not_have():
    only = f"agents_are: {AGENTS}\nwhen: {{source: videosdk}}\n"
    assert errors(rule_file(f"{only}dispatch: {{agent: a, deployment: staging}}")) == [
        f"5:15: 'dispatch.deployment': {NO_DEPLOYMENTS}"
    ]
    assert errors(rule_file("dispatch: {agent: a, version: v}")) == [
        f"3:15: 'dispatch.version': {NO_VERSIONS}"
    ]


def test_a_fallback_to_another_provider_must_leave_behind_what_it_does_not_have():
    body = (
        f"agents_are: {AGENTS}\nfallback: [{{provider: videosdk, room: m%s}}]\n"
        "dispatch: {agent: a, deployment: staging}\nwhen: {source: livekit}"
    )
    assert errors(rule_file(body % "")) == [f"5:38: {NO_DEPLOYMENTS}"]
    assert rule(body % ", deployment: ''")


class TestAgentsAre:
    def test_who_is_called_so_is_an_agent_and_calls_no_agent(self):
        greet = rules("{agent: a}")
        for identity, name in (("agent-1", ""), ("x", "Greeter"), ("x", "Bot 7")):
            assert one(greet, videosdk(identity, name), known=BOTH).reason is Reason.LOOP_GUARD
        assert one(greet, videosdk("ana", "Bot"), known=BOTH).outcome is Outcome.DISPATCH
        assert one(greet, joined(participant={"identity": "agent-1"})).outcome is Outcome.DISPATCH

    def test_a_rule_may_ask_for_agents_and_people_are_counted_without_them(self):
        body = "when: {participant: {kind: AGENT}, humans: {equals: 1}}"
        people = {"ana": {"sid": "ana", "identity": "ana", "kind": "STANDARD"}}
        session = Session("s-1", participants=people)
        decision = one(rules("{agent: a}", body), videosdk("agent-1"), session, known=BOTH)
        assert decision.outcome is Outcome.DISPATCH

    def test_a_rule_without_it_reads_no_event_of_videosdk(self):
        decision = one(rule("dispatch: {agent: a}"), videosdk(), known=BOTH)
        assert (decision.reason, decision.at) == (Reason.LOOP_GUARD, "agents_are")
        only_livekit = rules("{agent: a}", "when: {source: livekit}")
        assert one(only_livekit, videosdk(), known=BOTH).at == "when.source"

    def test_who_comes_again_is_not_taken_for_gone(self):
        session = Session("s-1")
        for event in ("participant_joined", "participant_left"):
            session, _ = observe(session, videosdk(event=event))
        assert session.humans == ()
        assert one(rules("{agent: a}"), videosdk(), session, known=BOTH).plans

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ("agents_are: agent-*", "3:17: 'agents_are' takes how agents are told from people"),
            ("agents_are: {}", "3:17: 'agents_are' takes how agents are told from people"),
            ("agents_are: {kind: AGENT}", "3:18: unknown field 'agents_are.kind'"),
            ("agents_are: {identity: 7}", "3:28: 'agents_are.identity' takes text: quote it"),
            ("agents_are: {name: [a, '*']}", "3:28: 'agents_are.name' must leave somebody out"),
            ("when: {source: videosdk}", "3:11: VideoSDK does not tell who is an agent: say it in"),
            ("dispatch: {agent: a, provider: videosdk, room: m}",
             "3:15: 'dispatch.provider: videosdk': VideoSDK does not tell who is an agent"),
            ("dispatch: {agent: a, provider: livekit}\nagents_are: {name: a}",
             "3:15: 'dispatch' sends an agent of livekit on an event of videosdk: say into which"),
            ("agents_are: {name: a}\ndispatch: {agent: a, provider: videosdk}",
             "4:15: 'dispatch' sends an agent of videosdk on an event of livekit: say into which"),
        ],
    )  # fmt: skip
    def test_what_is_missing_is_told_when_it_is_loaded(self, body, error):
        [found] = errors(rule_file(body))
        assert found.startswith(error)

    def test_a_file_may_say_it_for_all_its_rules(self):
        text = (
            f"version: 1\ndefaults: {{agents_are: {AGENTS}}}\n"
            "rules:\n  - {id: r, on: participant_joined, dispatch: {agent: a}}"
        )
        assert one(ruleset(text), videosdk(), known=BOTH).plans
