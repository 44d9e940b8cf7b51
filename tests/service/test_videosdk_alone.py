"""The whole service with an account of VideoSDK and no LiveKit: from its webhook to its agent."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.videosdk_up import videosdk_up
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.sandbox.videosdk import VideoSdkSandbox
    from tests.up import Up

RULES = """
version: 1
rules:
  - id: greet
    on: participant_joined
    agents_are: {identity: "agent-*"}
    dispatch: {agent: greeter}
"""
TOKEN = "token-of-the-operator"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Up, VideoSdkSandbox]]:
    home: Path = tmp_path_factory.mktemp("videosdk")
    with videosdk_up(home, RULES, DISPATCHER_ADMIN_TOKEN=TOKEN) as place:
        yield place


def ask(up: Up, path: str, method: str = "GET", body: Any = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", up.port, timeout=10)
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    assert answer.status < 300, content
    return json.loads(content) if content else None


def test_who_joins_a_meeting_gets_an_agent_and_is_seen_to(
    place: tuple[Up, VideoSdkSandbox],
) -> None:
    up, videosdk = place
    videosdk.join("abcd-efgh", "ana", name="Ana")
    eventually(lambda: up.dispatches(room="abcd-efgh", state="active"), timeout=20)
    assert "videosdk_event" not in up.log
    assert f"post webhooks to http://127.0.0.1:{up.port}/webhooks/videosdk;" in up.log
    [room] = ask(up, "/api/v1/rooms")["rooms"]
    assert (room["name"], [h["identity"] for h in room["humans"]]) == ("abcd-efgh", ["ana"])
    assert [agent["ours"] for agent in room["agents"]] == [True]
    [event] = [e for e in ask(up, "/api/v1/events")["events"] if e["body"]["source"] == "videosdk"
               and e["decisions"][0]["reason"] == "matched"]  # fmt: skip
    assert event["body"]["participant"]["name"] == "Ana"
    [agent] = [a for a in ask(up, "/api/v1/agents")["agents"] if a["agent"] == "greeter"]
    assert (agent["status"], agent["sessions"]) == ("active", 1)


def test_its_agent_is_removed_by_hand(place: tuple[Up, VideoSdkSandbox]) -> None:
    up, videosdk = place
    videosdk.join("ijkl-mnop", "ben")
    [dispatch] = eventually(lambda: up.dispatches(room="ijkl-mnop", state="active"), timeout=20)
    ask(up, f"/api/v1/dispatches/{dispatch['id']}", "DELETE")
    eventually(lambda: videosdk.present("ijkl-mnop") == {"ben"}, timeout=10)
    assert up.dispatches(room="ijkl-mnop")[0]["state"] == "released"
    assert up.dispatches(room="ijkl-mnop")[0]["reason"].startswith("held")


def test_what_its_rules_would_send_is_decided_without_sending(
    place: tuple[Up, VideoSdkSandbox],
) -> None:
    up, _ = place
    question = {"room": {"name": "new"}, "participant": {"identity": "eva"}}
    told = ask(up, "/api/v1/decide", "POST", question)
    assert told["decisions"][0]["outcome"] == "dispatch"
