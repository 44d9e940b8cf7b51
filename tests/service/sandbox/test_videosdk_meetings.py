"""The stand-in VideoSDK: its agents, and the signed webhooks of what happens in meetings."""

from __future__ import annotations

import base64
import json
import urllib.request

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from service.sandbox import running
from service.sandbox.videosdk import Agent, VideoSdkSandbox
from tests.live.receiver import Receiver
from tests.waiting import eventually, throughout


@pytest.fixture
def webhooks():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def server(webhooks):
    started = VideoSdkSandbox(webhook_urls=[webhooks.url], retry_waits=(0.05, 0.05))
    with running(started):
        yield started


def dispatch(server, agent="greeter", meeting="m", metadata=None, version=None):
    """Have an agent sent, past the API; whether one was."""
    return server.run(lambda: server.agents.take(agent, meeting, metadata, version))


def told(webhooks):
    events = [one.event for one in list(webhooks.received)]
    return [(e["webhookType"], e["data"].get("participantId")) for e in events]


def test_webhooks_tell_of_a_meeting_from_its_beginning_to_its_end(server, webhooks):
    session = server.join("m", "ana", name="Ana")
    server.join("m", "eva")
    server.leave("m", "ana")
    server.leave("m", "eva")
    eventually(lambda: len(webhooks.received) == 6)
    assert told(webhooks) == [
        ("session-started", None),
        ("participant-joined", "ana"),
        ("participant-joined", "eva"),
        ("participant-left", "ana"),
        ("participant-left", "eva"),
        ("session-ended", None),
    ]
    assert webhooks.received[1].event == {
        "webhookType": "participant-joined",
        "data": {
            "meetingId": "m",
            "sessionId": session.id,
            "participantId": "ana",
            "participantName": "Ana",
        },
    }


def test_they_are_signed_with_the_key_that_everybody_may_ask_for(server, webhooks):
    server.join("m", "ana")
    one = eventually(lambda: webhooks.received and webhooks.received[0])
    with urllib.request.urlopen(f"{server.url}/v2/public/rsa-public-key", timeout=10) as answer:
        key = load_pem_public_key(json.load(answer)["publicKey"].encode())
    signature = base64.b64decode(one.headers["videosdk-signature"], validate=True)
    key.verify(signature, one.body, padding.PKCS1v15(), SHA256())
    with pytest.raises(InvalidSignature):
        key.verify(signature, one.body + b" ", padding.PKCS1v15(), SHA256())
    assert one.headers["content-type"] == "application/json"


def test_a_webhook_that_was_not_taken_is_sent_again_as_it_was(server, webhooks):
    with webhooks.failing("", 500) as attempts:
        server.join("m", "ana")
        eventually(lambda: len(attempts) == 3)
    assert attempts[0].body == attempts[1].body
    assert [one.status for one in attempts] == [500, 200, 200]


def test_lost_webhooks_tell_nothing(server, webhooks):
    server.fault("webhooks_lost", rooms=["m"])
    server.join("m", "ana")
    server.join("other", "ana")
    eventually(lambda: len(webhooks.received) == 2)
    assert {one.event["data"]["meetingId"] for one in webhooks.received} == {"other"}
    assert [d.outcome for d in server.webhooks.deliveries if d.room == "m"] == ["lost", "lost"]


def test_doubled_webhooks_come_twice(server, webhooks):
    server.fault("webhooks_doubled")
    server.join("m", "ana")
    eventually(lambda: len(webhooks.received) == 4)
    assert told(webhooks).count(("participant-joined", "ana")) == 2


def test_an_agent_joins_is_told_of_and_reads_what_it_was_sent_with(server, webhooks):
    agent = server.add_agent(Agent("greeter", participant="bot", name="Bot"))
    assert dispatch(server, metadata={"lang": "es"}, version="v1")
    eventually(lambda: ("participant-joined", "bot") in told(webhooks))
    [job] = agent.jobs
    assert (job.meeting, job.metadata, job.version) == ("m", {"lang": "es"}, "v1")


def test_nobody_takes_what_no_agent_is_registered_for(server):
    server.add_agent(Agent("greeter"))
    assert not dispatch(server, agent="other")


def test_an_agent_can_be_in_as_many_meetings_as_it_may(server):
    server.add_agent(Agent("greeter", most=2, participant="bot"))
    assert dispatch(server, meeting="one")
    assert dispatch(server, meeting="two")
    assert not dispatch(server, meeting="three")
    eventually(lambda: server.present("one") and server.present("two"))
    assert not dispatch(server, meeting="three")
    server.leave("one", "bot")
    assert dispatch(server, meeting="three")


def test_an_agent_that_never_comes_takes_the_dispatch(server):
    server.add_agent(Agent("greeter", joins=False, join_delay=0.0))
    assert dispatch(server)
    throughout(lambda: server.session("m") is None, seconds=0.3)


def test_an_agent_leaves_when_it_has_finished(server, webhooks):
    server.add_agent(Agent("greeter", participant="bot", leave_after=0.05))
    assert dispatch(server)
    eventually(lambda: ("session-ended", None) in told(webhooks))
    assert ("participant-left", "bot") in told(webhooks)


def test_who_joins_twice_leaves_in_between(server, webhooks):
    server.join("m", "ana")
    server.join("m", "ana")
    eventually(lambda: len(webhooks.received) == 4)
    assert [kind for kind, _ in told(webhooks)] == [
        "session-started",
        "participant-joined",
        "participant-left",
        "participant-joined",
    ]


def test_who_is_not_there_cannot_leave(server):
    server.join("m", "eva")
    server.join("m", "ana")
    server.leave("m", "ana")
    for identity in ("ana", "nobody"):
        with pytest.raises(KeyError):
            server.leave("m", identity)


def test_it_starts_again_where_it_was_with_what_was_there():
    server = VideoSdkSandbox()
    with running(server):
        port = server.port
        server.join("m", "ana")
    with running(server):
        assert server.port == port
        assert server.present("m") == {"ana"}
