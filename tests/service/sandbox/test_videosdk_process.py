"""The stand-in VideoSDK as a process, driven by its control API."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from service.remote_sandbox import RemoteVideoSdk
from tests.live.receiver import Receiver
from tests.waiting import eventually

COMMAND = [sys.executable, "-m", "service.sandbox.videosdk"]


@pytest.fixture
def webhooks():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def remote(webhooks):
    process = subprocess.Popen(
        [*COMMAND, "--sample-agents", "--webhook-url", webhooks.url],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process, process.stdout:
        port = process.stdout.readline().strip().rpartition(":")[2]
        yield RemoteVideoSdk("127.0.0.1", int(port))
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0


def test_people_come_and_go(remote, webhooks):
    remote.join("támara/1 🦜", "ana", name="Ana")
    remote.join("támara/1 🦜", "eva")
    assert remote.present("támara/1 🦜") == ["ana", "eva"]
    remote.leave("támara/1 🦜", "ana")
    assert remote.present("támara/1 🦜") == ["eva"]
    eventually(lambda: len(webhooks.received) == 4)
    told = [received.event["webhookType"] for received in webhooks.received]
    assert told == ["session-started", "participant-joined", "participant-joined",
                    "participant-left"]  # fmt: skip
    eventually(lambda: {hook["outcome"] for hook in remote.webhooks()} == {"delivered"})


def test_a_call_that_is_not_documented_is_kept(remote):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{remote.url}/v2/agent/list")
    refused.value.close()
    assert remote.violations() == ["GET /v2/agent/list: there is no /v2/agent/list"]


def test_who_is_not_there_cannot_leave(remote):
    with pytest.raises(OSError, match="would not DELETE participants"):
        remote.leave("nowhere", "nobody")


def test_one_that_is_not_there_does_not_answer(remote):
    assert remote.answers()
    assert not RemoteVideoSdk("127.0.0.1", 1).answers()


def test_a_port_that_is_taken_is_said_in_one_line(remote):
    again = subprocess.run(
        [*COMMAND, "--port", str(remote.port)], capture_output=True, check=False, text=True
    )
    assert again.returncode == 1
    told = f"cannot listen on 127.0.0.1:{remote.port}: Address already in use"
    assert again.stderr == f"Error: {told}\n"
