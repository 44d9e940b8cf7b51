"""What is counted for metrics as rooms go their way: against the sandbox, read back from Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.waiting import eventually
from tests.workers.conftest import GREET
from workers import keys, metrics
from workers.fleet import read_fleet
from workers.ledger import Ledger

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from service.sandbox.videosdk import VideoSdkSandbox
    from tests.workers.conftest import House
    from workers.fleet import Observed

GREETER = ("livekit", "greeter", "")
RULES = """
version: 1
rules:
  - id: greet
    on: participant_joined
    when: {participant: {kind: STANDARD}}
    dispatch: {agent: greeter}
  - id: watch
    on: participant_joined
    shadow: true
    dispatch: {agent: watcher}
  - id: wrong
    on: participant_joined
    dispatch: {agent: "{{ participant.attributes.nobody }}"}
"""
LADDER = """
version: 1
rules:
  - id: greet
    on: participant_joined
    dispatch: {agent: nobody}
    join_within: 500ms
    fallback: [{agent: greeter}]
"""


def counted(house: House, metric: metrics.Metric) -> dict[tuple[str, ...], float]:
    """When all loops have stopped."""
    return dict(read_fleet(house.redis, ()).counters.get(metric.name, {}))


def observed(house: House, metric: metrics.Metric) -> dict[tuple[str, ...], Observed]:
    return dict(read_fleet(house.redis, ()).histograms.get(metric.name, {}))


def times(found: dict[tuple[str, ...], Observed]) -> dict[tuple[str, ...], int]:
    return {labels: sum(each.buckets) for labels, each in found.items()}


def test_a_calls_way_is_counted_once_in_each_part(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(RULES)
    house.start_worker()
    for room in ("one", "two"):
        sandbox.join(room, "ana")
    eventually(lambda: len(house.dispatches(state="active")) == 2)
    sandbox.delete_room("one")
    eventually(lambda: house.dispatches(state="ended"))
    house.stop()

    assert counted(house, metrics.DISPATCHES) == {
        (*GREETER, "requested"): 2, (*GREETER, "pending"): 2,
        (*GREETER, "active"): 2, (*GREETER, "ended"): 1,
    }  # fmt: skip
    assert counted(house, metrics.OUTCOMES) == {(*GREETER, "joined"): 2}
    decisions = counted(house, metrics.DECISIONS)
    assert decisions["greet", "dispatch", "matched"] == 2
    assert decisions["watch", "shadow", "matched"] == 2
    assert decisions["wrong", "error", "template_error"] == 2
    hits = Ledger(house.redis).hits()
    matched = {rule: n for (rule, _, reason), n in decisions.items() if reason == "matched"}
    assert matched == {rule: each.count for rule, each in hits.items()}

    for metric in (metrics.ACCEPTED, metrics.ANSWERED):
        assert times(observed(house, metric)) == {("livekit",): 2}
    assert times(observed(house, metrics.JOINED)) == {GREETER: 2}
    [join] = observed(house, metrics.JOINED).values()
    assert 0 <= join.sum < 10

    calls = counted(house, metrics.CALLS)
    assert calls["livekit", "CreateDispatch", "200"] == 2
    made = sum(value for (_, method, _), value in calls.items() if method == "CreateDispatch")
    assert made == len(sandbox.calls.of("CreateDispatch"))
    assert times(observed(house, metrics.CALL_SECONDS))["livekit", "CreateDispatch"] == 2


def test_every_event_is_counted_by_its_name(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(RULES)
    house.start_worker()
    for person in ("ana", "ben", "eve"):
        sandbox.join("one", person)
    eventually(lambda: house.dispatches(state="active"))
    sandbox.delete_room("one")
    eventually(lambda: house.dispatches(state="ended"))
    deliveries = sandbox.webhooks.deliveries
    eventually(lambda: all(each.outcome == "delivered" for each in deliveries))
    eventually(lambda: not house.redis.keys(keys.INBOX + "*"))
    house.stop()
    events = counted(house, metrics.EVENTS)
    told = [each.event for each in deliveries]
    assert events == {(name,): told.count(name) for name in set(told)}


def test_an_agent_that_does_not_come_and_its_fallback(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(LADDER)
    house.start_worker()
    sandbox.join("one", "ana")
    eventually(lambda: house.dispatches(state="active"))
    house.stop()
    nobody = ("livekit", "nobody", "")
    assert counted(house, metrics.OUTCOMES) == {
        (*nobody, "no_worker"): 1, (*GREETER, "joined"): 1
    }  # fmt: skip
    assert counted(house, metrics.FALLBACKS) == {GREETER: 1}
    assert counted(house, metrics.RESTARTS) == {}
    assert counted(house, metrics.DISPATCHES)[(*nobody, "superseded")] == 1
    assert times(observed(house, metrics.ACCEPTED)) == {("livekit",): 1}  # the first, nobody
    assert observed(house, metrics.ANSWERED) == {}


def test_an_agent_that_is_sent_anew(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.join("one", "ana")
    eventually(lambda: house.dispatches(state="active"))
    [identity] = [
        p.identity for p in sandbox.rooms.open["one"].participants.values() if p.kind == 4
    ]
    sandbox.leave("one", identity, reason="CONNECTION_TIMEOUT")
    eventually(lambda: [d["state"] for d in house.dispatches()] == ["ended", "active"])
    house.stop()
    assert counted(house, metrics.RESTARTS) == {GREETER: 1}
    assert counted(house, metrics.FALLBACKS) == {}
    assert counted(house, metrics.DISPATCHES)[(*GREETER, "active")] == 2
    assert times(observed(house, metrics.JOINED)) == {GREETER: 2}
    assert times(observed(house, metrics.ANSWERED)) == {("livekit",): 1}


@pytest.mark.parametrize(
    ("fault", "code", "retries"),
    [("unauthorized", "401", 1), ("unavailable", "503", 1), ("cut_before_work", "lost", 1)],
)
def test_calls_that_fail_are_counted_by_what_came_of_them(
    house: House, sandbox: Sandbox, fault: str, code: str, retries: int
) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.fault(fault, "CreateDispatch", times=1)
    sandbox.join("one", "ana")
    eventually(lambda: house.dispatches(state="active"), timeout=20)
    house.stop()
    calls = counted(house, metrics.CALLS)
    assert calls["livekit", "CreateDispatch", code] == 1
    assert calls["livekit", "CreateDispatch", "200"] == 1
    assert counted(house, metrics.RETRIES) == {("livekit",): retries}


def test_a_call_that_hangs_is_a_timeout(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.fault("hang_after_work", "CreateDispatch", times=1)
    sandbox.join("one", "ana")
    eventually(lambda: house.dispatches(state="active"), timeout=20)
    house.stop()
    assert counted(house, metrics.CALLS)["livekit", "CreateDispatch", "timeout"] == 1
    buckets = observed(house, metrics.CALL_SECONDS)["livekit", "CreateDispatch"].buckets
    assert buckets[-2:] in ([1, 0], [0, 1])


def test_videosdks_calls_have_methods_without_ids(
    house: House, sandbox: Sandbox, videosdk: VideoSdkSandbox
) -> None:
    house.rules.write_text(
        "version: 1\nrules: [{id: greet, on: participant_joined, agents_are: {identity: 'agent-*'},"
        " dispatch: {agent: greeter}}]\n"
    )
    house.start_worker()
    videosdk.join("meeting-1", "ana")
    eventually(lambda: house.dispatches(state="active"), timeout=20)
    house.stop()
    calls = counted(house, metrics.CALLS)
    methods = {method for provider, method, _ in calls if provider == "videosdk"}
    assert "agent/dispatch" in methods
    assert methods <= {
        "agent/dispatch", "sessions", "sessions/participants/active",
        "sessions/participants/remove", "public/rsa-public-key",
    }  # fmt: skip
    assert counted(house, metrics.OUTCOMES) == {("videosdk", "greeter", "", "joined"): 1}
