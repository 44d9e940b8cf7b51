from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.service.signed import joined
from workers import keys


def test_the_second_delivery_of_an_event_is_a_duplicate(post, redis, settings):
    assert post(joined("EV_1")).json == {"status": "accepted"}
    assert post(joined("EV_1")).json == {"status": "duplicate"}
    assert redis.llen(keys.INBOX + keys.room_key(settings.servers[0].id, "support-1")) == 1


def test_other_events_are_not(post):
    assert post(joined("EV_1")).json == {"status": "accepted"}
    assert post(joined("EV_2")).json == {"status": "accepted"}


def test_an_event_without_an_id_is_known_again_by_its_bytes(post):
    event = joined()
    del event["id"]
    assert post(event).json == {"status": "accepted"}
    assert post(event).json == {"status": "duplicate"}


def test_of_deliveries_at_once_one_is_accepted(post):
    with ThreadPoolExecutor(8) as pool:
        said = [a.json["status"] for a in pool.map(lambda _: post(joined()), range(8))]
    assert sorted(said) == ["accepted"] + ["duplicate"] * 7
