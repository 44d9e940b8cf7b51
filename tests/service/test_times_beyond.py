"""A LiveKit that tells impossible times breaks no page and no list."""

from __future__ import annotations

import pytest

from rules.decision import Decision, Outcome, Reason
from rules.event import read_event
from service.api import PREFIX
from tests.service.cli import keep
from tests.service.pages import sign_in
from tests.service.rooms import AGENT, HUMAN, dispatch, put_room
from tests.service.signed import ADMIN_TOKEN
from workers.history import event_document

BEARER = {"Authorization": f"Bearer {ADMIN_TOKEN}"}


@pytest.mark.parametrize(
    "at", ["9223372036854775807", "-9223372036854775808", "253402300800", "99999999999999999999"]
)
def test_what_is_shown_of_it(client, settings, redis, at):
    server_id = settings.servers[0].id
    people = [{**HUMAN, "joinedAt": at}, {**AGENT, "joinedAt": at}]
    room = {"sid": "RM_support-1", "name": "support-1", "creationTime": at}
    body = {"event": "participant_joined", "id": "EV_1", "createdAt": at, "room": room,
            "participant": people[0]}  # fmt: skip
    put_room(redis, server_id, "support-1", *people, dispatches=(dispatch("support-1"),))
    decision = Decision("support", Outcome.SKIP, Reason.CONDITION)
    keep(
        redis,
        event_document(
            server_id, "EV_1", read_event(body), [decision], [], rules_hash="h",
            now=1_770_000_001.5, instant=1_770_000_001.5,
        ),
    )  # fmt: skip
    for path in ("/events", "/events/EV_1", "/rooms", "/rooms/support-1", "/agents"):
        answer = client.get(PREFIX + path, headers=BEARER)
        assert answer.status_code == 200, (path, answer.text)
    sign_in(client)
    for path in ("/", "/events", "/events/EV_1", "/rooms", "/rooms/support-1", "/agents"):
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text[:500])
