"""Several worker processes and two web applications: both tell the same, and counts are right."""

from __future__ import annotations

import json
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.web import create_app
from tests.service.signed import URL, headers, joined
from tests.waiting import eventually
from workers import keys
from workers.presence import workers_at_work
from workers.settings import load_settings

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from flask import Flask

    from service.sandbox import Sandbox
    from tests.workers.conftest import House

    Start = Callable[[], subprocess.Popen[bytes]]

pytestmark = pytest.mark.faults

ROOMS = 60
ENDED = 20
WORKERS = 3
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
"""
ITS_OWN = ("dispatcher_webhooks", "dispatcher_webhook_seconds", "dispatcher_reconcile_age")


@pytest.fixture
def webs(house: House) -> tuple[Flask, Flask]:
    server = house.settings.servers[0]
    environ = {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
        "REDIS_URL": str(house.settings.redis_url),
        "DISPATCHER_DATA": str(house.settings.data),
        "DISPATCHER_RULES": str(house.rules),
        "DISPATCHER_ADMIN_TOKEN": "hush-admin-hush-admin",
    }
    house.rules.write_text(RULES)
    return create_app(load_settings(environ)), create_app(load_settings(environ))


def scraped(app: Flask) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by the names of series and the values of their labels, in the order of their names."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(app.test_client().get("/metrics").text):
        if family.name.startswith("dispatcher_"):
            for sample in family.samples:
                labels = tuple(value for _, value in sorted(sample.labels.items()))
                found.setdefault(sample.name, {})[labels] = sample.value
    return found


def of_the_fleet(app: Flask) -> dict[str, dict[tuple[str, ...], float]]:
    return {name: each for name, each in scraped(app).items() if not name.startswith(ITS_OWN)}


def by(told: dict[tuple[str, ...], float], place: int) -> dict[str, float]:
    """Added up by one of the labels."""
    sums: Counter[str] = Counter()
    for labels, value in told.items():
        sums[labels[place]] += value
    return {label: value for label, value in sums.items() if value}


def reached(app: Flask) -> dict[str, float]:
    """How many dispatches have reached each state."""
    return by(scraped(app).get("dispatcher_dispatches_total", {}), 3)


def stop(*workers: subprocess.Popen[bytes]) -> None:
    for each in workers:
        each.send_signal(signal.SIGTERM)
    for each in workers:
        assert each.wait(30) == 0


def start(house: House, worker: Start, count: int) -> list[subprocess.Popen[bytes]]:
    workers = [worker() for _ in range(count)]
    eventually(lambda: len(workers_at_work(house.redis)) == count, timeout=60)
    return workers


def let_in(house: House, sandbox: Sandbox, first: int, count: int) -> None:
    for number in range(first, first + count):
        sandbox.join(f"room-{number}", "ana")
    active = {f"room-{number}" for number in range(first, first + count)}
    eventually(lambda: active <= {d["room"] for d in house.dispatches(state="active")}, timeout=60)


def test_every_count_is_right_after_a_stop_and_each_web_process_tells_it(
    house: House, sandbox: Sandbox, worker: Start, webs: tuple[Flask, Flask]
) -> None:
    workers = start(house, worker, WORKERS)
    let_in(house, sandbox, 0, ROOMS)
    for number in range(ENDED):
        sandbox.delete_room(f"room-{number}")
    eventually(lambda: len(house.dispatches(state="ended")) == ENDED, timeout=60)
    deliveries = sandbox.webhooks.deliveries
    eventually(lambda: all(each.outcome == "delivered" for each in deliveries), timeout=30)
    eventually(lambda: not house.redis.keys(keys.INBOX + "*"), timeout=30)
    stop(*workers)

    one, two = (of_the_fleet(web) for web in webs)
    assert one == two
    assert len(house.redis.keys(keys.FLUSHED + "*")) == WORKERS, "each has had a part in it"
    states = {"requested": ROOMS, "pending": ROOMS, "active": ROOMS, "ended": ENDED}
    assert by(one["dispatcher_dispatches_total"], 3) == states
    assert by(one["dispatcher_agent_outcomes_total"], 2) == {"joined": ROOMS}
    assert one["dispatcher_decisions_total"]["dispatch", "matched", "greet"] == ROOMS
    assert one["dispatcher_decisions_total"]["shadow", "matched", "watch"] == ROOMS
    for name in ("webhook_to_accepted", "accepted_to_joined", "webhook_to_joined"):
        assert sum(one[f"dispatcher_{name}_seconds_count"].values()) == ROOMS
    events = Counter(delivery.event for delivery in deliveries)
    assert by(one["dispatcher_events_decided_total"], 0) == dict(events)
    made = Counter(call.method for call in sandbox.calls.of())
    assert by(one["dispatcher_calls_total"], 1) == dict(made)
    assert by(one["dispatcher_call_seconds_count"], 0) == dict(made)
    assert one["dispatcher_dispatches_live"]["active",] == ROOMS - ENDED


def test_what_a_killed_worker_had_brought_stays_and_nothing_counts_twice(
    house: House, sandbox: Sandbox, worker: Start, webs: tuple[Flask, Flask]
) -> None:
    doomed, other = start(house, worker, 2)

    let_in(house, sandbox, 0, 30)
    eventually(lambda: reached(webs[0]).get("active") == 30, timeout=30)
    doomed.kill()
    let_in(house, sandbox, 30, 30)
    stop(other)
    assert reached(webs[0])["active"] == 60


def test_a_worker_killed_in_the_middle_takes_less_than_it_had_done_with_it(
    house: House, sandbox: Sandbox, worker: Start, webs: tuple[Flask, Flask]
) -> None:
    [doomed] = start(house, worker, 1)
    let_in(house, sandbox, 0, 30)
    eventually(lambda: reached(webs[0]).get("active") == 30, timeout=30)
    let_in(house, sandbox, 30, 30)
    doomed.kill()
    told = reached(webs[0])
    assert 30 <= told["active"] <= told["pending"] <= told["requested"] <= 60


def test_each_web_process_tells_its_own_webhooks(webs: tuple[Flask, Flask], house: House) -> None:
    server = house.settings.servers[0]

    def post(app: Flask, event_id: str) -> Any:
        raw = json.dumps(joined(event_id)).encode()
        signed = headers(raw, key=server.api_key, secret=server.api_secret)
        return app.test_client().post(URL, data=raw, headers=signed).json["status"]

    for web, count in zip(webs, (2, 3), strict=True):
        assert [post(web, f"EV_{n}") for n in range(count)]
    told = [
        {
            answer: value
            for (answer, _, source), value in scraped(web)["dispatcher_webhooks_total"].items()
            if value and source == "livekit"
        }
        for web in webs
    ]
    assert told == [{"accepted": 2}, {"duplicate": 2, "accepted": 1}]
