"""Every manual act is told of, whichever way it was done, and what took effect is kept."""

from __future__ import annotations

import json

import pytest
from structlog.testing import capture_logs

from rules.event import read_event
from service.api import PREFIX
from service.audit import ACTS, NO_ACTS
from service.sessions import CSRF_HEADER
from service.web import create_app
from tests.service.cli import dispatcher, keep
from tests.service.pages import form_text, sign_in
from tests.service.rooms import AGENT, HUMAN, dispatch, put_room
from tests.service.signed import ADMIN_TOKEN, joined
from tests.service.test_cli_replay_dead_letters import letters
from tests.service.test_viewer import VIEWER_TOKEN
from workers import keys
from workers.audit import KEPT_SECONDS, LONGEST, MOST, Act, Audit
from workers.history import dispatch_document, event_document
from workers.settings import load_settings

__all__ = ["letters"]

BEARER = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
METADATA = "hush-this-is-a-customer"
DONE = Act("admin token", "127.0.0.1", "pause", {"rule": "support"}, "accepted")


@pytest.fixture
def environ(environ):
    return {**environ, "DISPATCHER_VIEWER_TOKEN": VIEWER_TOKEN}


@pytest.fixture
def kept(redis, settings):
    """A room with an agent, its dispatch, the event."""
    server = settings.servers[0].id
    sent = dispatch("support-1")
    put_room(redis, server, "support-1", HUMAN, AGENT, dispatches=(sent,))
    keep(redis, dispatch_document(None, sent))
    event = read_event(joined())
    keep(redis, event_document(server, "EV_1", event, [], [], rules_hash="h", now=1.0, instant=1.0))


@pytest.fixture
def acts(redis):
    """What is kept, oldest first, without its time."""

    def acts():
        return [{k: v for k, v in act.items() if k != "at"} for act in Audit(redis).last()[::-1]]

    return acts


def test_every_route_that_takes_something_says_whether_it_is_an_act(settings):
    taking = {
        rule.endpoint
        for rule in create_app(settings).url_map.iter_rules()
        if rule.methods & {"POST", "PUT", "PATCH", "DELETE"}
    }
    assert taking == set(ACTS) | NO_ACTS
    assert not set(ACTS) & NO_ACTS


OVER_THE_API = [
    ("POST", "/dispatches", {"room": "support-1", "agent": "greeter", "metadata": METADATA},
     "dispatch", {"room": "support-1", "agent": "greeter"}),
    ("DELETE", "/dispatches/Done", None, "delete", {"dispatch": "Done"}),
    ("DELETE", "/rooms/support-1/agents/agent-1", None, "remove_agent",
     {"room": "support-1", "identity": "agent-1"}),
    ("POST", "/rooms/support-1/look", None, "look", {"room": "support-1"}),
    ("POST", "/events/EV_1/replay", None, "replay", {"event": "EV_1"}),
]  # fmt: skip


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(("method", "path", "body", "what", "target"), OVER_THE_API)
def test_an_act_over_the_api(client, acts, method, path, body, what, target):
    with capture_logs() as lines:
        answer = client.open(PREFIX + path, method=method, json=body, headers=BEARER)
    assert answer.status_code == 202
    [act] = acts()
    assert target.items() <= act["target"].items()
    assert {k: v for k, v in act.items() if k != "target"} == {
        "who": "admin token", "sender": "127.0.0.1", "what": what, "result": "accepted",
    }  # fmt: skip
    [line] = [line for line in lines if line["event"] == "audit"]
    assert {name: line[name] for name in act} == act
    assert METADATA not in json.dumps([act, line])
    assert ADMIN_TOKEN not in json.dumps([act, line])


ON_PAGES = [
    ("/room/send", {"name": "support-1", "agent": "greeter", "confirmed": "yes", "key": "k",
                    "metadata": METADATA},
     "dispatch", {"room": "support-1", "agent": "greeter"}),
    ("/calls/Done/delete", {}, "delete", {"dispatch": "Done"}),
    ("/room/remove", {"name": "support-1", "identity": "agent-1"}, "remove_agent",
     {"room": "support-1", "identity": "agent-1"}),
    ("/room/look", {"name": "support-1"}, "look", {"room": "support-1"}),
    ("/events/EV_1/again", {}, "replay", {"event": "EV_1"}),
    ("/rules/pause", {"rule": "support"}, "pause", {"rule": "support"}),
    ("/rules/resume", {}, "resume", {"rule": "*"}),
]  # fmt: skip


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(("path", "form", "what", "target"), ON_PAGES)
def test_an_act_on_a_page(client, acts, path, form, what, target):
    sign_in(client)
    csrf = form_text(client.get("/").text)
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    answer = client.post(path, data={"csrf": csrf, **form}, headers=forwarded)
    assert answer.status_code == 303
    [act] = acts()
    assert target.items() <= act["target"].items()
    assert (act["what"], act["result"]) == (what, "accepted")
    assert act["sender"] == "127.0.0.1 for 203.0.113.9"
    assert act["who"].startswith("session ")
    assert METADATA not in json.dumps(act)
    assert csrf not in json.dumps(act)
    assert "Done by hand" in client.get("/").text


def test_what_is_only_asked_about_is_no_act(client, acts):
    sign_in(client)
    csrf = form_text(client.get("/").text)
    form = {"csrf": csrf, "name": "support-1", "agent": "greeter"}
    assert client.post("/room/send", data=form).status_code == 200
    assert "Done by hand" not in client.get("/").text
    question = {"room": {"name": "x"}, "participant": {"identity": "ana"}}
    assert client.post(f"{PREFIX}/decide", json=question, headers=BEARER).status_code == 200
    client.post("/sign-out", data={"csrf": csrf})
    assert acts() == []


def test_what_was_refused_is_logged_and_pushes_nothing_out(client, acts):
    with capture_logs() as lines:
        assert client.delete(f"{PREFIX}/dispatches/Dnone", headers=BEARER).status_code == 404
        sign_in(client)
        given = {CSRF_HEADER: "x"}
        assert client.post(f"{PREFIX}/rooms/x/look", headers=given).status_code == 403
    assert [(x["what"], x["result"]) for x in lines if x["event"] == "audit"] == [
        ("delete", "refused, 404"), ("look", "refused, 403"),
    ]  # fmt: skip
    assert acts() == []


@pytest.mark.usefixtures("kept")
def test_a_form_that_no_route_reads_does_not_say_what_an_act_was_about(client, acts):
    form = {"name": "another room", "rule": "another"}
    assert client.delete(f"{PREFIX}/dispatches/Done", data=form, headers=BEARER).status_code == 202
    assert acts()[0]["target"] == {"dispatch": "Done"}


def test_two_sessions_are_told_apart(settings, acts):
    for _ in range(2):
        client = create_app(settings).test_client()
        sign_in(client)
        client.post("/room/look", data={"csrf": form_text(client.get("/").text), "name": "x"})
    assert len({act["who"] for act in acts()}) == 2


def test_a_viewers_attempt_is_logged_and_pushes_nothing_out(client, acts):
    given = {"Authorization": f"Bearer {VIEWER_TOKEN}"}
    with capture_logs() as lines:
        assert client.post(f"{PREFIX}/rooms/x/look", headers=given).status_code == 403
        sign_in(client, VIEWER_TOKEN)
        client.post("/rules/pause", data={"csrf": form_text(client.get("/").text)})
    told = [(line["who"].split()[0], line["what"], line["result"]) for line in lines
            if line["event"] == "audit"]  # fmt: skip
    assert told == [("viewer", "look", "refused, 403"), ("viewer's", "pause", "refused, 403")]
    assert acts() == []


def test_strangers_are_nobody(client, acts):
    with capture_logs() as lines:
        assert client.post(f"{PREFIX}/rooms/x/look").status_code == 401
        client.post("/rules/pause")
    assert [line for line in lines if line["event"] == "audit"] == []
    assert acts() == []


def test_without_redis_the_log_has_it(environ, tmp_path):
    environ["REDIS_URL"] = f"unix://{tmp_path}/nobody.sock"
    client = create_app(load_settings(environ)).test_client()
    with capture_logs() as lines:
        assert client.post(f"{PREFIX}/rooms/x/look", headers=BEARER).status_code == 503
    [line] = [line for line in lines if line["event"] == "audit"]
    assert line["result"] == "unclear, 503"


def test_the_api_lists_them_newest_first(client, redis):
    for rule in ("a", "b", "c"):
        Audit(redis).keep(Act("admin token", "::1", "pause", {"rule": rule}, "accepted"))
    told = client.get(f"{PREFIX}/audit?limit=2", headers=BEARER).json["audit"]
    assert [act["target"] for act in told] == [{"rule": "c"}, {"rule": "b"}]
    assert set(told[0]) == {"at", "who", "sender", "what", "target", "result"}
    assert client.get(f"{PREFIX}/audit?limit=0", headers=BEARER).status_code == 400


def test_no_more_are_kept_than_there_may_be(redis):
    audit = Audit(redis)
    for number in range(MOST + 5):
        audit.keep(Act("admin token", "::1", "look", {"room": f"{number}"}, "accepted"))
    found = audit.last(MOST)
    assert len(found) == redis.xlen(keys.AUDIT) == MOST
    assert found[0]["target"] == {"room": f"{MOST + 4}"}
    assert KEPT_SECONDS - 10 < redis.ttl(keys.AUDIT) <= KEPT_SECONDS


def test_what_is_too_old_is_neither_shown_nor_kept_when_more_comes(redis):
    old = (redis.time()[0] - KEPT_SECONDS - 60) * 1000
    fields = {"who": "x", "sender": "x", "what": "x", "target": "{}", "result": "x"}
    redis.xadd(keys.AUDIT, fields, id=f"{old}-0")
    assert Audit(redis).last() == []
    Audit(redis).keep(DONE)
    assert [act["what"] for act in Audit(redis).last()] == ["pause"]
    assert redis.xlen(keys.AUDIT) == 1


def test_a_room_of_a_very_long_name_takes_little(redis):
    Audit(redis).keep(Act("x", "x", "look", {"room": "r" * 100_000}, "accepted"))
    [act] = Audit(redis).last()
    assert len(act["target"]["room"]) == LONGEST


class TestCommands:
    @pytest.fixture
    def run(self, environ):
        return lambda *args: dispatcher(*args, environ=environ)

    def test_pausing_and_resuming(self, run, acts):
        run("pause", "support")
        run("pause")
        run("pause", "--list")
        run("resume")
        told = acts()
        assert [(act["what"], act["target"], act["result"]) for act in told] == [
            ("pause", {"rule": "support"}, "done"), ("pause", {"rule": "*"}, "done"),
            ("resume", {"rule": "*"}, "done"),
        ]  # fmt: skip
        assert all(act["who"].startswith("command line ") for act in told)

    @pytest.mark.usefixtures("kept")
    def test_dispatching_and_deleting(self, run, acts):
        made = run("dispatches", "create", "support-1", "greeter", "--metadata", METADATA, "--json")
        assert made.returncode == 0, made.stderr
        assert run("dispatches", "delete", "Done").returncode == 0
        told = acts()
        assert [act["what"] for act in told] == ["dispatch", "delete"]
        assert told[0]["target"]["dispatch"] == json.loads(made.stdout)["id"]
        assert METADATA not in json.dumps(told)
        assert METADATA not in made.stderr

    @pytest.mark.usefixtures("letters")
    def test_giving_dead_letters_another_try(self, run, acts):
        run("replay", "--dead-letters")
        run("replay", "--dead-letters", "EV_1", "EV_none")
        run("replay", "--dead-letters", "--all")
        assert [(act["what"], act["target"], act["result"]) for act in acts()] == [
            ("requeue", {"event": "EV_1, EV_none"}, "1 accepted, 1 not found"),
            ("requeue", {"event": "*"}, "1 accepted"),
        ]  # fmt: skip

    def test_they_are_listed(self, run, redis):
        assert run("audit").stdout == "nothing yet\n"
        Audit(redis).keep(Act("admin token", "::1", "look", {"room": "a\x1bb"}, "accepted"))
        head, line = run("audit").stdout.splitlines()
        assert head.split() == ["AT", "WHO", "FROM", "WHAT", "TARGET", "RESULT"]
        assert "admin token" in line
        assert "\x1b" not in line
        [act] = json.loads(run("audit", "--json").stdout)["audit"]
        assert act["target"] == {"room": "a\x1bb"}
