"""`/metrics`: open, in Prometheus' format, with Redis and without."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.web import create_app
from tests.service.exposed import count
from tests.service.signed import URL, headers, joined, written
from workers import keys, metrics
from workers.settings import load_settings

if TYPE_CHECKING:
    from flask import Flask


BODY = written(joined())


def scraped(app: Flask) -> dict[str, float]:
    """Samples by name and labels, as PromQL writes them."""
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def webhooks(app: Flask) -> dict[tuple[str, str, str], float]:
    """Those that were counted, by source, code and answer."""
    family = next(
        f
        for f in text_string_to_metric_families(app.test_client().get("/metrics").text)
        if f.name == "dispatcher_webhooks"
    )
    return {
        (s.labels["source"], s.labels["code"], s.labels["answer"]): s.value
        for s in family.samples
        if s.value
    }


def test_it_is_open_and_tells_every_counter_before_anything_happens(settings):
    found = scraped(create_app(settings))
    assert found["dispatcher_redis_up"] == 1
    assert found["dispatcher_workers"] == 0
    assert found["dispatcher_leases_lost_total"] == 0
    assert found["dispatcher_rooms_due"] == found["dispatcher_oldest_due_seconds"] == 0
    assert not [name for name in found if "_created" in name]


def test_webhooks_are_counted_by_what_they_were_answered(settings):
    app = create_app(settings)
    client = app.test_client()
    for _ in range(2):
        client.post(URL, data=BODY, headers=headers(BODY))
    unused = written({**joined("EV_2"), "event": "ingress_started", "room": {}})
    client.post(URL, data=unused, headers=headers(unused))
    client.post(URL, data=BODY, headers=headers(BODY, key="otherkey"))
    client.post(URL, data=BODY, headers=headers(BODY, secret="x" * 32))
    client.post(URL, data=BODY, headers={"Content-Type": "application/json"})
    client.post(URL, data=BODY, headers={**headers(BODY), "Content-Type": "text/plain"})
    large = b" " * 1_100_000
    client.post(URL, data=large, headers=headers(large))
    client.post("/webhooks/videosdk", data=b"{}", headers={"Content-Type": "application/json"})
    assert webhooks(app) == {
        ("livekit", "200", "accepted"): 1,
        ("livekit", "200", "duplicate"): 1,
        ("livekit", "200", "ignored"): 1,
        ("livekit", "401", "unknown-key"): 1,
        ("livekit", "401", "signature-invalid"): 1,
        ("livekit", "401", "signature-missing"): 1,
        ("livekit", "415", "not-json"): 1,
        ("livekit", "413", "too-large"): 1,
        ("videosdk", "404", "not-configured"): 1,
    }
    found = scraped(app)
    assert found['dispatcher_webhook_seconds_count{source="livekit"}'] == 8
    assert found['dispatcher_webhook_seconds_count{source="videosdk"}'] == 1


def test_each_answer_is_there_before_it_is_given(settings):
    found = scraped(create_app(settings))
    for code, answer in (("401", "unknown-key"), ("503", "store-unreachable"), ("200", "accepted")):
        name = f'dispatcher_webhooks_total{{answer="{answer}",code="{code}",source="livekit"}}'
        assert found[name] == 0
    assert 'dispatcher_webhook_seconds_bucket{le="+Inf",source="livekit"}' in found


def test_without_redis_it_tells_what_it_has(environ):
    app = create_app(load_settings({**environ, "REDIS_URL": "redis://127.0.0.1:1"}))
    app.test_client().post(URL, data=BODY, headers=headers(BODY))
    began = time.monotonic()
    found = scraped(app)
    assert time.monotonic() - began < 5
    assert found["dispatcher_redis_up"] == 0
    name = 'dispatcher_webhooks_total{answer="store-unreachable",code="503",source="livekit"}'
    assert found[name] == 1
    assert found["dispatcher_rules_loaded"] == 1
    told = {name.partition("{")[0] for name in found}
    assert not told & {"dispatcher_workers", "dispatcher_rooms_due", "dispatcher_leases_lost_total"}


def test_without_redis_and_without_rules_it_does_not_wait_for_them(environ, rules_file):
    rules_file.write_text("version: 1\nrules: [{id: a}]\n")
    app = create_app(load_settings({**environ, "REDIS_URL": "redis://127.0.0.1:1"}))
    found = scraped(app)
    assert (found["dispatcher_rules_load_failed"], found["dispatcher_rules_loaded"]) == (1, 0)


def test_the_queue_and_the_workers_are_told_as_they_are(settings, redis):
    now = redis.time()[0] * 1000
    redis.zadd(keys.DUE, {"s:a": now - 7000, "s:b": now - 1000, "s:c": now + 60_000})
    redis.zadd(keys.WORKERS, {"a:old": now - 3000, "a:new": now, "b:new": now, "c:new": now - 9000})
    redis.zadd(keys.ROOMS, {"s:a": 1, "s:b": 1})
    redis.zadd(keys.DEAD_LETTERS, {"x": 1})
    redis.sadd(keys.PAUSED, "support")
    redis.zadd(f"{keys.DISPATCHES}active:r", {"p": 1, "q": 1})
    redis.zadd(f"{keys.DISPATCHES}active:", {"o": 1})
    redis.zadd(keys.ROUTES, {"r": 1})
    found = scraped(create_app(settings))
    assert found["dispatcher_rooms_due"] == 2
    assert found["dispatcher_oldest_due_seconds"] == pytest.approx(7, abs=3)
    assert found["dispatcher_workers"] == 2
    assert found['dispatcher_workers_by_rules{hash="new"}'] == 2
    assert found["dispatcher_rooms_live"] == 2
    assert found["dispatcher_dead_letters"] == found["dispatcher_paused_rules"] == 1
    assert found['dispatcher_dispatches_live{state="active"}'] == 3
    assert found['dispatcher_dispatches_live{state="pending"}'] == 0


def test_a_room_that_is_due_later_has_not_waited(settings, redis):
    redis.zadd(keys.DUE, {"s:c": redis.time()[0] * 1000 + 60_000})
    found = scraped(create_app(settings))
    assert found["dispatcher_oldest_due_seconds"] == found["dispatcher_rooms_due"] == 0


def test_comparisons_with_a_server_are_told_by_its_address(settings, redis):
    label = '{server="http://127.0.0.1:7880"}'
    app = create_app(settings)
    found = scraped(app)
    assert found["dispatcher_reconcile_age_seconds" + label] == float("inf")
    assert found["dispatcher_reconcile_interval_seconds"] == 30
    assert "dispatcher_reconcile_differences" + label not in found
    told = {"at": redis.time()[0] - 5, "looks": 2, "failed": 1, "seconds": 0.25, "rooms": 9}
    redis.hset(keys.RECONCILED + settings.servers[0].id, mapping=told)
    found = scraped(app)
    assert found["dispatcher_reconcile_age_seconds" + label] == pytest.approx(5, abs=3)
    assert found["dispatcher_reconcile_duration_seconds" + label] == 0.25
    assert found["dispatcher_reconcile_differences" + label] == 2
    assert found["dispatcher_reconcile_unlisted_rooms" + label] == 1


def test_the_rules_are_told_by_their_hash_and_that_a_file_does_not_load(settings, rules_file):
    app = create_app(settings)
    found = scraped(app)
    [name] = [name for name in found if name.startswith("dispatcher_rules_info")]
    assert found["dispatcher_rules_loaded"] == 1
    assert found["dispatcher_rules_load_failed"] == 0
    rules_file.write_text("version: 1\nrules: [{id: support}]\n")
    broken = create_app(settings)
    found = scraped(broken)
    assert (found["dispatcher_rules_load_failed"], name in found) == (1, False)


def test_every_web_process_tells_the_same_of_the_fleet(settings, valkey):
    route = ("livekit", "greeter", "")
    count(
        valkey,
        (metrics.DISPATCHES.field(*route, "active"), 3),
        *metrics.JOINED.observed(0.3, *route),
        *metrics.JOINED.observed(99.0, *route),
    )
    one, two = (scraped(create_app(settings)) for _ in range(2))
    label = 'agent="greeter",deployment="",provider="livekit"'
    assert one[f'dispatcher_dispatches_total{{{label},state="active"}}'] == 3
    buckets = {
        le: one[f'dispatcher_accepted_to_joined_seconds_bucket{{agent="greeter",deployment="",'
                f'le="{le}",provider="livekit"}}']
        for le in ("0.25", "0.5", "60.0", "+Inf")
    }  # fmt: skip
    assert buckets == {"0.25": 0, "0.5": 1, "60.0": 1, "+Inf": 2}
    assert one[f"dispatcher_accepted_to_joined_seconds_count{{{label}}}"] == 2
    assert one[f"dispatcher_accepted_to_joined_seconds_sum{{{label}}}"] == pytest.approx(99.3)
    fleet = {name for name in one if name.startswith("dispatcher_") and "due_seconds" not in name}
    assert {n: one[n] for n in fleet} == {n: two[n] for n in fleet}


def test_the_first_agent_that_does_not_come_is_a_rise(settings, valkey):
    count(valkey, (metrics.DISPATCHES.field("livekit", "greeter", "beta", "requested"), 1))
    found = scraped(create_app(settings))
    label = 'agent="greeter",deployment="beta",outcome="no_worker",provider="livekit"'
    assert found[f"dispatcher_agent_outcomes_total{{{label}}}"] == 0


@pytest.mark.parametrize("agent", ['a"b', "a\\b", "a\x1fb", "{}", "é", "a,b", "\ud800"])
def test_an_agents_name_cannot_break_the_format(settings, valkey, agent):
    count(valkey, (metrics.FALLBACKS.field("livekit", agent, ""), 7))
    text = create_app(settings).test_client().get("/metrics").text
    [value] = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "dispatcher_fallbacks_total"
    ]
    assert value == 7


def test_a_scrape_is_one_round_trip_however_much_there_is(settings, valkey, redis):
    fields = [
        (metrics.DISPATCHES.field("livekit", f"a-{n}", "", state), 1)
        for n in range(metrics.MOST_SUBJECTS)
        for state in ("requested", "pending", "active", "ended")
    ]
    count(valkey, *fields)
    app = create_app(settings)
    scraped(app)
    before = redis.info("stats")["total_reads_processed"]
    scraped(app)
    after = redis.info("stats")["total_reads_processed"]
    assert after - before == 2  # the scrape's, and the second INFO
