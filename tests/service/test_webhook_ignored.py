from __future__ import annotations

import pytest

from tests.service.signed import joined


@pytest.mark.parametrize("name", ["agent_job_started", "room_changed", "something_new"])
def test_a_name_no_rule_can_use_is_ignored_and_not_stored(post, redis, name):
    assert post(joined() | {"event": name}).json == {"status": "ignored"}
    assert redis.keys() == []


def test_an_ingress_without_a_room_is_ignored(post, redis):
    body = {"event": "ingress_started", "id": "EV_1", "ingressInfo": {"ingressId": "IN_1"}}
    assert post(body).json == {"status": "ignored"}
    assert redis.keys() == []


def test_an_egress_finds_its_room_in_its_info(post):
    body = {"event": "egress_started", "id": "EV_1", "egressInfo": {"roomName": "support-1"}}
    assert post(body).json == {"status": "accepted"}


def test_fields_nobody_knows_are_tolerated(post):
    assert post(joined() | {"job": {"id": "AJ_1"}, "room_end_reason": 3}).json == {
        "status": "accepted"
    }
