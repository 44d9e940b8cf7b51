"""What is kept without something is shown so, and is not decided on as if it were whole."""

from __future__ import annotations

import json

import pytest

from rules.decision import Decision, Outcome, Reason
from rules.event import read_event
from service.api import PREFIX
from service.web import create_app
from tests.service.cli import dispatcher, keep
from tests.service.pages import form_text, sign_in
from tests.service.rooms import HUMAN, dispatch, put_room
from tests.service.signed import ADMIN_TOKEN
from workers import keys
from workers.history import event_document
from workers.places import place
from workers.settings import load_settings

BEARER = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
BODY = {
    "event": "participant_joined", "id": "EV_1", "createdAt": "1770000001",
    "room": {"sid": "RM_support-1", "name": "support-1"}, "participant": HUMAN,
}  # fmt: skip


@pytest.fixture
def environ(environ):
    return {**environ, "DISPATCHER_REDACT": "participant.name, dispatch.metadata"}


@pytest.fixture
def kept(redis, settings):
    decision = Decision("support", Outcome.SKIP, Reason.CONDITION, "when.participant.name", "Ana")
    document = event_document(
        settings.servers[0].id, "EV_1", read_event(BODY), [decision], [], rules_hash="h",
        now=1_770_000_001.5, instant=1_770_000_001.5,
    )  # fmt: skip
    keep(redis, settings.redaction.document(document))


@pytest.mark.usefixtures("kept")
def test_a_redacted_event_says_what_of_it_is_not_kept(client):
    event = client.get(f"{PREFIX}/events/EV_1", headers=BEARER).json
    assert event["redacted"] == ["participant.name"]
    assert event["body"]["participant"]["name"] == "[redacted]"
    assert event["decisions"][0]["detail"] == "[redacted]"


@pytest.mark.usefixtures("kept")
def test_it_is_not_run_again_over_the_api(client, redis):
    answer = client.post(f"{PREFIX}/events/EV_1/replay", headers=BEARER)
    assert (answer.status_code, answer.json["type"].rpartition(":")[2]) == (409, "redacted")
    assert "participant.name" in answer.json["detail"]
    assert not redis.keys(keys.INBOX + "*")


@pytest.mark.usefixtures("kept")
def test_its_page_says_so_and_offers_no_other_run(client, redis):
    sign_in(client)
    page = client.get("/events/EV_1").text
    assert "It is kept without" in page
    assert "/events/EV_1/again" not in page
    assert client.get("/events/EV_1/again").status_code == 409
    answer = client.post("/events/EV_1/again", data={"csrf": form_text(page)})
    assert (answer.status_code, "participant.name" in answer.text) == (409, True)
    assert not redis.keys(keys.INBOX + "*")


@pytest.mark.usefixtures("kept")
def test_what_is_foreseen_on_a_page_is_shown_without_it(client, rules_file):
    rules_file.write_text(
        "version: 1\nrules:\n  - {id: support, on: participant_joined,"
        ' dispatch: {agent: greeter, metadata: "for {{ participant.name }}"}}\n'
    )
    sign_in(client)
    text = json.dumps({**BODY, "participant": {**HUMAN, "name": "Somebody Else"}})
    csrf = form_text(client.get("/events/EV_1").text)
    page = client.post("/events/EV_1/try", data={"csrf": csrf, "event": text, "do": "explain"}).text
    assert "would dispatch" in page
    assert "for Somebody Else" not in page


@pytest.mark.usefixtures("kept")
def test_rules_diff_warns_that_events_are_not_whole(environ, rules_file):
    done = dispatcher(
        "rules", "diff", str(rules_file), str(rules_file), "--since", "20000d", environ=environ
    )
    assert (done.returncode, done.stdout) == (0, "1 event: no dispatch differs\n")
    assert "1 of 1 events are kept without participant.name" in done.stderr


def test_a_whole_event_is_run_again(environ, redis, kept):
    del kept
    whole = create_app(load_settings({**environ, "DISPATCHER_REDACT": ""}))
    settings = load_settings(environ)
    body = {**BODY, "id": "EV_2", "participant": {"sid": "PA_1", "identity": "ana"}}
    document = event_document(
        settings.servers[0].id, "EV_2", read_event(body), [], [], rules_hash="h",
        now=1_770_000_002.5, instant=1_770_000_002.5,
    )  # fmt: skip
    keep(redis, settings.redaction.document(document))
    answer = whole.test_client().post(f"{PREFIX}/events/EV_2/replay", headers=BEARER)
    assert answer.status_code == 202, "there was no name to be left out"


def test_a_room_is_shown_without_it(client, redis, settings):
    sent = dispatch("support-1", metadata='{"for":"Ana"}')
    put_room(redis, settings.servers[0].id, "support-1", HUMAN, dispatches=(sent,))
    for path in ("/rooms", "/rooms/support-1"):
        [room] = client.get(PREFIX + path, headers=BEARER).json["rooms"]
        assert [(p["identity"], p["name"]) for p in room["humans"]] == [("ana", "[redacted]")]
        assert [each["metadata"] for each in room["dispatches"]] == ["[redacted]"]


def test_dead_letters_are_shown_without_it(environ, client, redis, settings):
    server = settings.servers[0].id
    value = {
        "id": "EV_1", "server": server, "room": "support-1", "at": "2026-01-01T00:00:00.000Z",
        "error": "ValueError: no Ana", "body": read_event(BODY).to_json(),
    }  # fmt: skip
    redis.set(f"{keys.DEAD}{server}:EV_1", json.dumps(value))
    redis.zadd(keys.DEAD_LETTERS, {place("support-1", f"{server}:EV_1"): 1})
    told = dispatcher("replay", "--dead-letters", "--json", environ=environ).stdout
    [letter] = json.loads(told)["dead_letters"]
    assert letter["body"]["participant"]["name"] == "[redacted]"
    assert letter["error"] == "[redacted]"
    assert "no Ana" not in dispatcher("replay", "--dead-letters", environ=environ).stdout
    sign_in(client)
    assert "no Ana" not in client.get("/").text


def test_a_bad_path_ends_a_process_at_its_start(environ):
    done = dispatcher("serve", environ={**environ, "DISPATCHER_REDACT": "participant.nmae"})
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "error: DISPATCHER_REDACT='participant.nmae' is not allowed: 'participant.nmae' names no"
        " field of 'participant', did you mean 'participant.name'?"
    )
