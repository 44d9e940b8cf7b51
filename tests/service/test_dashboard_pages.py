from __future__ import annotations

import json
import re
from html import unescape
from urllib.parse import quote, urljoin, urlsplit

import pytest

from rules.decide import decide
from rules.event import read_event
from rules.files import RuleFile
from rules.loader import load
from rules.problems import Report
from rules.rule_test_run import run_test
from rules.rule_tests import read_tests
from rules.session import Session
from service.web import create_app
from tests.service.cli import keep
from tests.service.pages import form_text, sign_in
from tests.service.rooms import AGENT, HUMAN, dispatch, put_room
from tests.service.signed import ADMIN_TOKEN, SECRET, joined
from workers import keys
from workers.dispatch import State
from workers.history import dispatch_document, event_document
from workers.pauses import Pauses
from workers.planned import ordered
from workers.settings import load_settings

HOSTILE = "<script>alert(1)</script>"
NOW = 1_790_000_000.0
PAGES = ("/", "/calls", "/events", "/rules", "/rooms", "/agents", "/sign-in", f"/rooms/{HOSTILE}")


@pytest.fixture
def signed_in(client):
    sign_in(client)
    return client


@pytest.fixture
def csrf(signed_in):
    return form_text(signed_in.get("/").text)


@pytest.fixture
def call(redis):
    """A dispatch in history."""

    def call(dispatch_id="D1", state=State.REQUESTED, reason=None, **given):
        asked = {
            "id": dispatch_id, "agent": "greeter", "deployment": "", "metadata": "",
            "attributes": {}, "restart_policy": "never",
        }  # fmt: skip
        room = given.pop("room", "support-1")
        made = ordered(
            {**asked, **given}, f"lkd.order.{dispatch_id}", room=room, room_sid="RM_1",
            event_at=NOW, now=NOW, received_at=NOW,
        )  # fmt: skip
        if state is not State.REQUESTED:
            made = made.ended(state, reason, NOW + 3)
        keep(redis, dispatch_document(None, made))
        return made

    return call


@pytest.fixture
def event(redis, settings):
    """An event in history, as the rules decided it."""

    def event(event_id="EV_1", room="support-1", **more):
        body = {**joined(event_id, room=room), **more}
        happened = read_event(body, project="devkey")
        decisions = decide(load(settings.rules), happened, Session("RM_1"))
        document = event_document(
            settings.servers[0].id, event_id, happened, decisions, [], rules_hash="a" * 64,
            now=NOW, instant=NOW,
        )  # fmt: skip
        keep(redis, document)
        return happened

    return event


@pytest.mark.parametrize("path", PAGES)
def test_no_page_can_run_or_load_what_is_not_ours(signed_in, path):
    answer = signed_in.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", PAGES[:-2])
def test_pages_have_no_inline_script_and_no_style(signed_in, call, event, path):
    call()
    event()
    page = signed_in.get(path).text
    assert not re.search(r"<script(?![^>]* src=)|\sstyle=|\son\w+=|<style|javascript:", page)
    assert set(re.findall(r"(?:src|href)=\"(https?:)?//", page)) == set()


def test_styles_and_script_are_ours_and_may_be_kept(client):
    page = client.get("/sign-in").text
    [address] = re.findall(r'href="(/static/dashboard\.css\?v=\w+)"', page)
    with client.get(address) as answer:
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
    assert client.get("/static/../web.py").status_code == 404


@pytest.mark.parametrize("path", PAGES)
def test_no_page_tells_a_secret(signed_in, event, path):
    event()
    page = signed_in.get(path).text
    assert not [each for each in (ADMIN_TOKEN, SECRET, "hush-hush-hush") if each in page]


def test_what_strangers_chose_is_text_on_every_page(signed_in, call, event):
    call(room=HOSTILE, metadata=f'{{"a": "{HOSTILE}"}}', attributes={"k": HOSTILE})
    event(room=HOSTILE, participant={"sid": "PA_1", "identity": HOSTILE, "metadata": HOSTILE})
    for path in ("/", "/calls", f"/calls?room={HOSTILE}", "/calls/D1", "/calls/D1/delete",
                 "/events",
                 "/events/EV_1", "/events/EV_1/again", f"/rooms/{HOSTILE}",
                 f"/room/send?name={HOSTILE}", f"/room/remove?name=a&identity={HOSTILE}",
                 f"/rules?rule={HOSTILE}", f"/events?room={HOSTILE}&again={HOSTILE}"):  # fmt: skip
        page = signed_in.get(path)
        assert page.status_code == 200, path
        assert HOSTILE not in page.text, path
        assert "<script>" not in page.text, path
    assert "&lt;script&gt;" in signed_in.get("/calls").text


@pytest.mark.parametrize("mark", ["\u202e", "\u2069\u202e", "\u2029\u202e", "\u2067"])
def test_no_name_turns_round_what_is_said_about_it(signed_in, call, event, redis, settings, mark):
    name = f"a{mark}"
    call(room=name, agent=name, deployment=name, state=State.FAILED, reason=f"no_worker: {name}")
    event(room=name, participant={"sid": "PA_1", "identity": name})
    person = {**HUMAN, "identity": name, "name": f"b{mark}"}
    agent = {**AGENT, "identity": f"agent-1{mark}", "attributes": {"lk.agent_name": name}}
    ours = dispatch(name, state=State.PENDING, agent=name, deployment=name)
    put_room(redis, settings.servers[0].id, name, person, agent, dispatches=(ours,))
    room = quote(name)
    for path in ("/", "/calls", "/calls/D1", "/calls/D1/delete", "/events", "/events/EV_1",
                 "/events/EV_1/again", "/rooms", f"/room?name={room}", f"/room/send?name={room}",
                 f"/room/remove?name={room}&identity={room}",
                 "/agents"):  # fmt: skip
        page = signed_in.get(path)
        assert page.status_code == 200, path
        said = re.sub(r'value="[^"]*"|<(pre|textarea)\b.*?</\1>', "", page.text, flags=re.DOTALL)
        assert mark not in said, path
        if path not in ("/", "/agents"):
            assert "‹U+20" in said, path
        assert said.count("\u2068") == said.count("\u2069"), path


def test_a_name_from_right_to_left_stands_apart(signed_in, call):
    call(room="שלום 1", agent="greeter")
    page = signed_in.get("/calls/D1/delete").text
    assert "<h1>Remove greeter from <bdi>שלום 1</bdi>?</h1>" in page


NAMES = ["a/b", ".", "..", "a/../../calls", "../rules/pause", "a?b#c", "é ü", " ", "a\nb", "%2e",
         "%2e%2e/", "x" * 500, "a//b", "\"'&<>", "a&name=b"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_room_of_any_name_has_a_page(signed_in, call, name):
    call(room=name)
    page = signed_in.get("/calls").text
    [address] = set(re.findall(r'href="(/room[^s"][^"]*)"', page))
    answer = signed_in.get(as_browsers_go_to(unescape(address)))
    assert answer.status_code == 200
    assert "D1" in answer.text
    assert signed_in.get(f"/rooms/{quote(name, safe='')}").text == answer.text


@pytest.mark.parametrize("name", NAMES)
def test_what_was_done_to_a_room_of_any_name_leads_to_its_page(signed_in, csrf, call, name):
    call(room=name)
    answer = signed_in.post("/room/look", data={"csrf": csrf, "name": name})
    page = signed_in.get(as_browsers_go_to(answer.headers["Location"])).text
    assert "The room is listed now" in page
    assert "D1" in page


@pytest.mark.parametrize("name", NAMES)
def test_links_of_a_rooms_questions_lead_to_its_page(signed_in, call, name):
    call(room=name)
    asked = {"name": name, "identity": "agent-1"}
    for path in ("/room/remove", "/room/send"):
        page = signed_in.get(path, query_string=asked).text
        [address] = re.findall(r'href="(/room[^s"][^"]*)"', page)
        assert "D1" in signed_in.get(as_browsers_go_to(unescape(address))).text


def test_an_address_without_a_room_says_so(signed_in):
    answer = signed_in.get("/room")
    assert (answer.status_code, "Which room?" in answer.text) == (404, True)


def test_a_link_to_a_call_that_was_sent_leads_to_calls_only(signed_in):
    assert "/calls/D1" in signed_in.get("/room?name=a&sent=D1").text
    assert "see this call" not in signed_in.get("/room?name=a&sent=../rules/pause").text


def as_browsers_go_to(address):
    """Dots as segments of a path are gone before a browser asks, encoded ones too."""
    found = urlsplit(urljoin("http://here/", re.sub("%2e", ".", address, flags=re.IGNORECASE)))
    return f"{found.path}?{urlsplit(address).query}"


def test_long_metadata_is_folded_and_whole(signed_in, call):
    call(metadata=json.dumps({"long": "x" * 10_000}))
    page = signed_in.get("/calls/D1").text
    assert re.search(r"<details[^>]*><summary>10.\d{3} characters", page)
    assert "x" * 10_000 in page


def test_a_calls_page_says_what_others_were_not_told_yet(signed_in, call, redis):
    call(state=State.FAILED, reason="no_worker: nobody")
    assert "Not told yet" not in signed_in.get("/calls/D1").text
    redis.hset(f"{keys.NOTICE}D1_failed", "body", "{}")
    assert "<dt>Not told yet</dt><dd>dispatch.failed</dd>" in signed_in.get("/calls/D1").text


def test_calls_are_filtered_by_the_address(signed_in, call):
    call("D1")
    call("D2", State.FAILED, "no_worker: no worker took it", agent="phone")
    page = signed_in.get("/calls?agent=phone&state=failed&deployment=production").text
    assert "D2" in page
    assert "/calls/D1" not in page
    assert "no worker took the job" in page
    assert "/calls/D1" in signed_in.get("/calls?rule=by+hand").text


@pytest.mark.parametrize(
    ("query", "told"),
    [("state=lost", "no state"), ("since=soon", "no length of time"), ("cursor=x", "first page")],
)
def test_a_filter_that_is_not_allowed_says_what_is(signed_in, query, told):
    answer = signed_in.get(f"/calls?{query}")
    assert answer.status_code == 400
    assert told in answer.text


def test_older_calls_are_on_the_next_page(signed_in, call):
    for number in range(60):
        call(f"D{number:02}")
    page = signed_in.get("/calls").text
    [older] = re.findall(r'href="(/calls\?cursor=[^"]+)" rel="next"', page)
    shown = re.findall(r'<th scope="row"><a href="/calls/(D\d\d)"', page)
    shown += re.findall(r'<th scope="row"><a href="/calls/(D\d\d)"', signed_in.get(older).text)
    assert sorted(shown) == [f"D{number:02}" for number in range(60)]


@pytest.mark.parametrize("path", ["/calls/none", "/events/none", "/rules/none", "/calls/x/delete"])
def test_what_is_not_there_is_said_in_words(signed_in, path):
    answer = signed_in.get(path)
    assert answer.status_code == 404
    assert "<h1>Not Found</h1>" in answer.text


def test_the_first_page_says_that_no_worker_is_at_work(signed_in):
    assert "No worker is at work</h1>" in signed_in.get("/").text


def test_the_first_page_names_what_needs_attention(signed_in, redis, rules_file):
    Pauses(redis).pause("support")
    page = signed_in.get("/").text
    assert "support is paused" in page


def test_rules_that_do_not_load_are_shown_with_their_errors(settings, rules_file):
    rules_file.write_text("version: 1\nrules: [{id: broken}]\n")
    client = create_app(settings).test_client()
    sign_in(client)
    page = client.get("/rules")
    assert page.status_code == 200
    assert "rules.yaml:2:" in page.text
    assert "do not load" in client.get("/").text


def test_an_events_page_says_which_condition_failed(signed_in, event):
    event(room="lobby")
    event("EV_2", room="support-2")
    assert "when.room.name" in signed_in.get("/events/EV_1").text
    page = signed_in.get("/events/EV_2").text
    assert "dispatched by support" in page


def test_a_rule_is_paused_and_resumed_after_being_asked(signed_in, csrf, redis):
    assert "Pause support?" in signed_in.get("/rules/pause?rule=support").text
    signed_in.post("/rules/pause", data={"csrf": csrf, "rule": "support"})
    assert Pauses(redis).now().rules == ("support",)
    signed_in.post("/rules/resume", data={"csrf": csrf, "rule": "support"})
    assert not Pauses(redis).now()
    assert signed_in.post("/rules/pause", data={"csrf": csrf, "rule": "nobody"}).status_code == 404
    signed_in.post("/rules/pause", data={"csrf": csrf})
    assert Pauses(redis).now().every


def test_an_event_runs_again_as_a_new_one(signed_in, csrf, event, redis, settings):
    event()
    assert "really dispatch" in signed_in.get("/events/EV_1/again").text
    signed_in.post("/events/EV_1/again", data={"csrf": csrf})
    [entry] = redis.lrange(f"lkd:inbox:{settings.servers[0].id}:support-1", 0, -1)
    assert entry.startswith(b"EV_1.replay.")
    assert json.loads(entry.split(b"\n", 2)[2])["participant"]["identity"] == "ana"


def test_an_edited_event_is_explained_and_nothing_is_sent(signed_in, csrf, event, redis):
    body = event().to_json()
    body["room"]["name"] = "lobby"
    form = {"csrf": csrf, "event": json.dumps(body), "do": "explain"}
    before = set(redis.keys())
    page = signed_in.post("/events/EV_1/try", data=form).text
    assert "when.room.name" in page
    assert set(redis.keys()) == before


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"event": "sung"}', "[" * 100_000, '{"event": 1}']
)
def test_what_is_no_event_is_refused_with_words(signed_in, csrf, event, text):
    event()
    form = {"csrf": csrf, "event": text, "do": "explain"}
    answer = signed_in.post("/events/EV_1/try", data=form)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text


def test_a_saved_rule_test_passes(signed_in, csrf, event, rules_file):
    body = event().to_json()
    form = {"csrf": csrf, "event": json.dumps(body), "do": "save"}
    answer = signed_in.post("/events/EV_1/try", data=form)
    assert answer.headers["Content-Disposition"].endswith('.test.yaml"')
    report = Report()
    file = read_tests(RuleFile(str(rules_file.with_suffix(".test.yaml")), answer.text), report)
    assert report.problems == []
    [test] = file.tests
    assert [each["agent"] for each in test.expect] == ["greeter"]
    assert run_test(load(file.rules[0]), test).passed


@pytest.mark.parametrize(
    "odd", ["\u2028", "\u2029", "\x85", "\ufeff", "\x1b\x00", "\u00a0", "é 日本 😀"]
)
def test_a_saved_rule_test_passes_whatever_strangers_chose(signed_in, csrf, event, rules_file, odd):
    body = event().to_json()
    body["participant"] |= {"identity": f"a{odd}b", "name": odd, "attributes": {f"k{odd}": odd}}
    form = {"csrf": csrf, "event": json.dumps(body), "do": "save"}
    answer = signed_in.post("/events/EV_1/try", data=form)
    report = Report()
    file = read_tests(RuleFile(str(rules_file.with_suffix(".test.yaml")), answer.text), report)
    assert report.problems == []
    [test] = file.tests
    assert [each.participant["identity"] for each in test.events] == [f"a{odd}b"]
    assert run_test(load(file.rules[0]), test).passed
    assert ("é 日本 😀" in answer.text) == (odd == "é 日本 😀")


def test_an_agent_is_sent_by_hand_once_however_often_the_form_is_sent(
    signed_in, csrf, redis, settings
):
    form = signed_in.get("/room/send?name=support-1").text
    given = {"csrf": csrf, "name": "support-1", "agent": "greeter", "deployment": "staging",
             "metadata": '{"a": 1}', "key": form_text(form, "key")}  # fmt: skip
    asked = signed_in.post("/room/send", data=given)
    assert "Send greeter to support-1?" in asked.text
    assert not redis.keys("lkd:inbox:*")
    answers = [signed_in.post("/room/send", data={**given, "confirmed": "yes"}) for _ in range(2)]
    [address] = {answer.headers["Location"] for answer in answers}
    page = signed_in.get(address).text
    [sent] = re.findall(r'href="/calls/(D\w+)">see this call', page)
    assert signed_in.get(f"/calls/{sent}").status_code == 200


def test_an_agent_livekit_would_refuse_is_refused_in_words(signed_in, csrf, redis):
    given = {"csrf": csrf, "name": "support-1", "agent": "greeter", "deployment": "no_good",
             "confirmed": "yes"}  # fmt: skip
    answer = signed_in.post("/room/send", data=given)
    assert answer.status_code == 400
    assert "was not sent" in answer.text
    assert not redis.keys("lkd:inbox:*")


def test_a_live_call_is_deleted_and_one_that_is_over_stays(signed_in, csrf, call, redis):
    call("D1")
    call("D2", State.FAILED, "no_worker")
    signed_in.post("/calls/D2/delete", data={"csrf": csrf})
    assert not redis.keys("lkd:inbox:*")
    signed_in.post("/calls/D1/delete", data={"csrf": csrf})
    assert len(redis.keys("lkd:inbox:*")) == 1


def test_an_operator_of_several_servers_sees_the_page_too(environ, redis):
    environ |= {
        "LIVEKIT_KEYS": "two:secretsecretsecretsecretsecretsecret",
        "LIVEKIT_URLS": "two:ws://b",
    }
    client = create_app(load_settings(environ)).test_client()
    sign_in(client)
    assert client.get("/rooms").status_code == 200
    assert client.get("/rooms/support-1").status_code == 200


def test_with_several_servers_it_must_be_said_which_has_the_room(environ, redis):
    second = "two:secretsecretsecretsecretsecretsecret"
    settings = load_settings({**environ, "LIVEKIT_KEYS": second, "LIVEKIT_URLS": "two:ws://b"})
    client = create_app(settings).test_client()
    sign_in(client)
    form = client.get("/room/send?name=a").text
    given = {"csrf": form_text(form), "name": "a", "agent": "greeter", "confirmed": "yes"}
    asked = client.post("/room/send", data=given)
    assert (asked.status_code, "Which LiveKit server" in asked.text) == (400, True)
    assert not redis.keys("lkd:inbox:*")
    chosen = settings.servers[1].id
    assert client.post("/room/send", data={**given, "server": chosen}).status_code == 303
    assert redis.keys("lkd:inbox:*") == [f"lkd:inbox:{chosen}:a".encode()]


def test_nobody_waits_for_the_agent_of_a_dry_run(signed_in, redis):
    dry = dispatch("r", id="Ddry", state=State.DRY_RUN, agent_sid=None, joined_at=None)
    keep(redis, dispatch_document(None, dry))
    page = signed_in.get("/calls/Ddry").text
    assert "it would have been sent, and was not" in page
    assert "Has waited" not in page
