"""Whoever tries admin tokens at the API is not looked at for a while; others are."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from service.api import PREFIX
from service.attempts import (
    A_MINUTE,
    A_MINUTE_FROM_ONE_ADDRESS,
    A_MINUTE_WITHOUT_REDIS,
    MOST_KEPT,
    Attempts,
    Kept,
    Sender,
)
from service.sessions import COOKIE
from service.web import create_app
from tests.service.pages import sign_in
from tests.service.signed import ADMIN_TOKEN, URL, headers, joined, written
from workers import keys
from workers.settings import load_settings

PATH = f"{PREFIX}/nothing"
RIGHT = f"Bearer {ADMIN_TOKEN}"


def asks(client, authorization="Bearer wrong-wrong", address="192.0.2.1", **given):
    return client.get(
        PATH,
        headers={"Authorization": authorization, **given},
        environ_overrides={"REMOTE_ADDR": address},
    )


def guess(client, times=A_MINUTE, **given):
    return [asks(client, **given).status_code for _ in range(times)]


def test_after_some_wrong_tokens_it_is_429_and_when_to_come_back(client):
    assert guess(client) == [401] * A_MINUTE
    with capture_logs() as logs:
        answer = asks(client)
    assert answer.status_code == 429
    assert answer.json["type"] == "urn:livekit-dispatcher:problem:too-many-attempts"
    assert 50 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.headers["Retry-After"] in answer.json["detail"]
    [line] = logs
    assert (line["event"], line["type"]) == ("api_refused", "too-many-attempts")


def test_the_right_token_is_not_looked_at_either(client):
    guess(client)
    assert asks(client, RIGHT).status_code == 429


def test_who_has_shown_the_right_token_before_stays(client):
    assert asks(client, RIGHT).status_code == 404
    guess(client, 3 * A_MINUTE)
    assert asks(client).status_code == 429
    assert asks(client, RIGHT).status_code == 404


def test_another_address_is_not_kept_out(client):
    guess(client, A_MINUTE + 1)
    assert asks(client, RIGHT, "192.0.2.2").status_code == 404


def test_nor_another_sender_behind_the_same_proxy(client):
    guess(client, A_MINUTE + 1, **{"X-Forwarded-For": "198.51.100.7"})
    others = {"X-Forwarded-For": "198.51.100.7, 203.0.113.9"}
    assert asks(client, RIGHT, **others).status_code == 404


def test_making_up_senders_does_not_help_for_long(client):
    made_up = [
        asks(client, **{"X-Forwarded-For": f"198.51.100.{n}"}).status_code
        for n in range(A_MINUTE_FROM_ONE_ADDRESS + 1)
    ]
    assert made_up == [401] * A_MINUTE_FROM_ONE_ADDRESS + [429]
    assert asks(client, RIGHT, **{"X-Forwarded-For": "203.0.113.1"}).status_code == 429


def test_an_ipv6_network_is_one_sender(client):
    for n in range(A_MINUTE):
        assert asks(client, address=f"2001:db8:0:1::{n:x}").status_code == 401
    assert asks(client, address="2001:db8:0:1:ffff::").status_code == 429
    assert asks(client, address="2001:db8:0:2::1").status_code == 401


def test_tokens_are_counted_for_all_web_processes_together(client, settings):
    guess(client)
    other = create_app(settings).test_client()
    assert asks(other, RIGHT).status_code == 429
    assert asks(create_app(settings).test_client()).status_code == 429


def test_the_right_token_takes_no_trip_to_redis_but_the_first(client, redis):
    asks(client, RIGHT)
    before = redis.info("stats")["total_commands_processed"]
    for _ in range(20):
        asks(client, RIGHT)
    assert redis.info("stats")["total_commands_processed"] == before + 1  # that one's own INFO


def test_no_token_at_all_does_not_count(client, redis):
    for _ in range(3 * A_MINUTE):
        assert client.get(PATH).status_code == 401
    assert redis.dbsize() == 0


def test_guesses_here_keep_nobody_from_signing_in_nor_the_other_way_round(client):
    guess(client, A_MINUTE + 1, address="127.0.0.1")
    assert sign_in(client).status_code == 303
    client.delete_cookie(COOKIE)
    for _ in range(A_MINUTE + 1):
        sign_in(client, "guess-guess", **{"X-Forwarded-For": "198.51.100.7"})
    assert asks(client, RIGHT, **{"X-Forwarded-For": "198.51.100.7"}).status_code == 404


def test_a_signed_webhook_is_taken_whatever_else_its_address_sends(client):
    guess(client, A_MINUTE_FROM_ONE_ADDRESS + 5, address="127.0.0.1")
    good = written(joined())
    for n in range(300):
        forged = headers(good, secret="x" * 40)
        assert client.post(URL, data=good, headers=forged).status_code == 401
        body = written(joined(f"EV_{n}"))
        assert client.post(URL, data=body, headers=headers(body)).status_code == 200


def test_without_redis_few_are_left_and_the_right_token_is_taken(environ, tmp_path):
    environ["REDIS_URL"] = f"unix://{tmp_path}/nobody.sock"
    client = create_app(load_settings(environ)).test_client()
    assert guess(client, A_MINUTE_WITHOUT_REDIS + 1) == [401] * A_MINUTE_WITHOUT_REDIS + [429]
    assert asks(client, RIGHT).status_code == 404


def test_a_signed_in_browser_is_not_concerned(client):
    sign_in(client)
    guess(client, A_MINUTE + 1, address="127.0.0.1")
    assert client.get(PATH).status_code == 404


def test_when_the_minute_is_over_it_is_looked_at_again(redis):
    now = 0.0
    attempts = Attempts(redis, keys.GUESSES, lambda: now)
    sender = Sender("192.0.2.1", "")
    for _ in range(A_MINUTE):
        assert attempts.count(sender) == 0
    assert attempts.count(sender) == 60
    now = 59.0
    assert attempts.count(sender) == 1
    now = 60.1
    redis.flushall()
    assert attempts.count(sender) == 0


def test_who_waits_costs_redis_nothing(redis):
    attempts = Attempts(redis, keys.GUESSES)
    for _ in range(A_MINUTE_FROM_ONE_ADDRESS + 1):
        attempts.count(Sender("192.0.2.1", ""))
    for n in range(A_MINUTE_FROM_ONE_ADDRESS + 1):
        attempts.count(Sender("192.0.2.2", str(n)))
    size = redis.dbsize()
    before = redis.info("stats")["total_commands_processed"]
    for n in range(1000):
        assert attempts.count(Sender("192.0.2.2", f"more {n}")) > 0
    assert redis.info("stats")["total_commands_processed"] == before + 1
    assert redis.dbsize() == size
    assert {redis.ttl(key) for key in redis.keys("*")} <= set(range(61))


def test_what_is_remembered_here_is_bounded():
    kept = Kept(lambda: 0.0)
    for n in range(2 * MOST_KEPT):
        kept.keep(str(n), 60)
    assert len(kept) == MOST_KEPT
    assert kept.longest((str(2 * MOST_KEPT - 1),)) == 60
    assert kept.longest(("0",)) == 0


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::2%eth0"),
        ("not:an:address", "not:an:address"),
        ("", ""),
    ],
)
def test_addresses_are_read_as_they_come(address, same):
    assert Sender(address, "").names == Sender(same, "").names
