from __future__ import annotations

import json

import pytest

from service import posting
from tests.ports import free_port
from tests.service.cli import dispatcher
from tests.service.conftest import RULES
from tests.service.served import Served
from tests.service.signed import joined
from workers import keys
from workers.connection import connect
from workers.entries import split_entry
from workers.settings import load_settings

EVENT = {"event": "participant_joined", "room": {"sid": "RM_1", "name": "support-1"},
         "participant": {"sid": "PA_1", "identity": "ana"}}  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    house = Served(tmp_path_factory.mktemp("served"), RULES)
    house.start_valkey()
    house.start()
    yield house
    house.stop()


@pytest.fixture
def run(served):
    with _client(served) as redis:
        redis.flushall()
    return lambda *args, **more: dispatcher(*args, environ=served.environ, **more)


def _client(served):
    return connect(load_settings(served.environ))


def _inbox(served):
    with _client(served) as redis:
        [inbox] = redis.keys(keys.INBOX + "*")
        return [json.loads(split_entry(e).body) for e in redis.lrange(inbox, 0, -1)]


def test_an_event_is_signed_and_accepted_with_a_new_id_and_the_time_of_now(run, served):
    first, second = (run("send", json.dumps(EVENT)) for _ in range(2))
    for done in (first, second):
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith("  participant_joined  accepted\n")
    ids = [event["id"] for event in _inbox(served)]
    assert ids == [done.stdout.split()[0] for done in (first, second)]
    assert all(event["created_at"] > 1_700_000_000 for event in _inbox(served))


def test_an_id_and_a_time_that_are_there_are_kept(run, served):
    event = EVENT | {"id": "EV_mine", "created_at": 1767225600.75}
    assert "EV_mine  participant_joined  accepted" in run("send", json.dumps(event)).stdout
    assert "EV_mine  participant_joined  duplicate" in run("send", json.dumps(event)).stdout
    [stored] = _inbox(served)
    assert (stored["id"], stored["created_at"]) == ("EV_mine", 1767225600)


def test_several_at_once_as_json(run, tmp_path):
    file = tmp_path / "event.json"
    file.write_text(json.dumps(EVENT | {"id": "EV_1"}))
    done = run("send", str(file), "-", '{"event":"new_thing","id":"EV_3"}', "--json",
               given=json.dumps(EVENT | {"id": "EV_2"}))  # fmt: skip
    assert [(e["event_id"], e["said"]) for e in json.loads(done.stdout)["events"]] == [
        ("EV_1", "accepted"), ("EV_2", "accepted"), ("EV_3", "ignored"),
    ]  # fmt: skip


def test_what_is_refused_is_status_1_and_says_why(run):
    done = run("send", '{"event":"participant_joined","room":7}')
    assert done.returncode == 1
    assert "400 the signed body is not a LiveKit webhook event" in done.stdout


def test_nobody_there_is_one_line(run):
    url = f"http://127.0.0.1:{free_port()}/webhooks/livekit"
    done = run("send", json.dumps(EVENT), "--to", url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: {url}: Connection refused: is `dispatcher up` running? --to names another"
        " address\n"
    )


def test_another_server_at_the_address_is_told_apart(run, served):
    done = run("send", json.dumps(EVENT), "--to", f"http://127.0.0.1:{served.port}/nothing")
    assert done.returncode == 1
    assert "404" in done.stdout


def test_a_file_of_events_is_replayed_with_their_ids(run, tmp_path):
    file = tmp_path / "events.jsonl"
    lines = [
        json.dumps(joined("EV_1")),
        "",
        json.dumps({"at": 1.5, "headers": {}, "body": json.dumps(joined("EV_2"))}),
        json.dumps(EVENT | {"event": "unheard_of"}),
    ]
    file.write_text("\n".join(lines) + "\n")
    done = run("replay", str(file))
    assert (done.returncode, done.stdout) == (0, "3 events: 2 accepted, 1 ignored\n")
    told = json.loads(run("replay", str(file), "--json").stdout)
    assert told["counts"] == {"duplicate": 2, "ignored": 1}
    assert [e["event_id"] for e in told["events"]][:2] == ["EV_1", "EV_2"]


def test_a_line_that_is_no_event_is_named(run, tmp_path):
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps(joined()) + "\n{}\n")
    done = run("replay", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {file}:2: ")


def test_503_is_tried_again_as_often_as_livekit_does(settings, monkeypatch):
    answers = [(503, "away", 1.0), (503, "away", 2.0), (200, "accepted", 1.0)]
    waited = []
    with posting.Poster("http://x/", settings.servers[0], wait=waited.append) as poster:
        monkeypatch.setattr(poster, "_send", lambda *_: answers.pop(0))
        assert poster.post(EVENT).taken
        assert waited == [1.0, 2.0]
        monkeypatch.setattr(poster, "_send", lambda *_: (503, "away", 1.0))
        assert not poster.post(EVENT).taken
    assert len(waited) == 2 + posting.TRIES - 1
