"""The sandbox as a process, driven by its control API."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from livekit import api

from tests.live.receiver import Receiver
from tests.waiting import eventually


class Remote:
    """A client of the control API."""

    def __init__(self, url):
        self.url = url

    def __call__(self, verb, thing, **fields):
        request = urllib.request.Request(
            f"{self.url}/sandbox/{thing}",
            json.dumps(fields).encode(),
            {"Content-Type": "application/json"},
            method=verb,
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


@pytest.fixture
def webhooks():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def remote(webhooks):
    process = subprocess.Popen(
        [sys.executable, "-m", "service.sandbox", "--port", "0", "--key", "k", "--secret", "s" * 32,
         "--job-listing-delay", "0", "--webhook-url", webhooks.url],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process, process.stdout:
        yield Remote(process.stdout.readline().strip())
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0


def test_people_come_speak_change_and_go(remote, webhooks):
    room = "támara/1 🦜"
    remote("POST", "rooms", name=room, metadata="m", empty_timeout=60)
    remote("POST", "participants", room=room, identity="ana", kind="SIP", attributes={"k": "v"})
    track = remote("POST", "tracks", room=room, identity="ana", source="CAMERA")
    remote("DELETE", "tracks", room=room, identity="ana", sid=track["sid"])
    remote("PATCH", "participants", room=room, identity="ana", metadata="n")
    remote("PATCH", "rooms", name=room, metadata="o")
    (listed,) = remote("GET", "rooms")["rooms"]
    assert listed["room"]["metadata"] == "o"
    assert "turn_password" not in listed["room"]
    assert listed["participants"][0]["metadata"] == "n"
    remote("DELETE", "participants", room=room, identity="ana", reason="SERVER_SHUTDOWN")
    remote("DELETE", "rooms", name=room)
    eventually(lambda: len(webhooks.received) == 6)
    assert webhooks.told(room) == [
        "room_started",
        "participant_joined ana",
        "track_published ana",
        "track_unpublished ana",
        "participant_left ana",
        "room_finished",
    ]
    deliveries = remote("GET", "webhooks", room=room)["webhooks"]
    assert {delivery["outcome"] for delivery in deliveries} == {"delivered"}


def test_workers_faults_and_calls(remote, webhooks):
    async def create():
        async with api.LiveKitAPI(remote.url, "k", "s" * 32, failover=False) as client:
            asked = api.CreateAgentDispatchRequest(room="support-1", agent_name="greeter")
            await client.agent_dispatch.create_dispatch(asked)

    remote("POST", "workers", agent_name="greeter", join_delay=0)
    remote("POST", "faults", name="unavailable", methods=["CreateDispatch"], times=1)
    assert remote("GET", "faults")["faults"][0]["name"] == "unavailable"
    with pytest.raises(api.TwirpError):
        asyncio.run(create())
    assert remote("GET", "faults") == {"faults": []}
    asyncio.run(create())
    calls = remote("GET", "calls", method="CreateDispatch", room="support-1")["calls"]
    assert [(call["status"], call["worked"]) for call in calls] == [(503, False), (200, True)]
    eventually(lambda: webhooks.of("support-1", "participant_joined"))
    assert remote("GET", "workers")["workers"][0]["jobs"] == 1
    remote("DELETE", "workers")
    assert remote("GET", "workers") == {"workers": []}
    remote("DELETE", "calls")
    assert remote("GET", "calls") == {"calls": []}


def test_sample_traffic_and_webhooks_of_ones_own(remote, webhooks):
    assert remote("POST", "traffic")["events"] == 17
    remote("POST", "webhooks", event="egress_ended", egressInfo={"egressId": "EG_1"})
    eventually(lambda: len(webhooks.received) == 18)


@pytest.mark.parametrize(
    ("verb", "thing", "fields", "status"),
    [
        ("DELETE", "rooms", {"name": "nowhere"}, 404),
        ("DELETE", "participants", {"room": "nowhere", "identity": "nobody"}, 404),
        ("POST", "faults", {"name": "bad_luck"}, 400),
        ("POST", "participants", {"room": "r", "identity": "i", "kind": "DOG"}, 400),
        ("POST", "participants", {"room": "r", "identity": "i", "typo": 1}, 400),
        ("POST", "workers", {"name": "greeter"}, 400),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(remote, verb, thing, fields, status):
    with pytest.raises(urllib.error.HTTPError) as refused:
        remote(verb, thing, **fields)
    with refused.value as answer:
        assert answer.status == status
        assert json.load(answer)["error"]


def test_a_port_that_is_taken_is_said_in_one_line(remote):
    port = remote.url.rsplit(":", 1)[1]
    again = subprocess.run(
        [sys.executable, "-m", "service.sandbox", "--port", port],
        capture_output=True,
        check=False,
        text=True,
    )
    assert again.returncode == 1
    assert again.stderr == f"Error: cannot listen on 127.0.0.1:{port}: Address already in use\n"
