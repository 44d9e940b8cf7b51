"""A deployment may be called `production`; pages never take it for production, which is `""`."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from service.dashboard.deployments import deployment_of, deployment_word
from service.web import create_app
from tests.service.cli import keep
from tests.service.pages import form_text, sign_in
from tests.service.rooms import OTHER_AGENT, dispatch, put_room
from workers.history import dispatch_document


@pytest.fixture
def signed_in(client):
    sign_in(client)
    return client


@pytest.fixture
def calls(redis):
    """One of production, one of a deployment that is called so, one of another."""
    for name, deployment in (("Dnone", ""), ("Dcalled", "production"), ("Dbeta", "beta")):
        keep(redis, dispatch_document(None, dispatch("r", id=name, deployment=deployment)))


def listed(client, path):
    return set(re.findall(r'<th scope="row"><a href="/calls/(D\w+)"', client.get(path).text))


@pytest.mark.parametrize(
    "name", ["", "production", "beta", '"production"', '"', '""', '"a', 'a"', "Production"]
)
def test_each_deployment_has_a_word_of_its_own_that_is_read_back(name):
    assert deployment_of(deployment_word(name)) == name
    assert (deployment_word(name) == "production") == (name == "")


def test_calls_of_both_can_be_asked_for(signed_in, calls):
    assert listed(signed_in, "/calls?deployment=production") == {"Dnone"}
    assert listed(signed_in, "/calls?deployment=%22production%22") == {"Dcalled"}
    assert listed(signed_in, "/calls?deployment=beta") == {"Dbeta"}
    assert listed(signed_in, "/calls?deployment=%22beta%22") == {"Dbeta"}


def test_whoever_asks_for_production_is_told_of_the_other(signed_in, calls):
    page = signed_in.get("/calls?deployment=production&state=active").text
    [address] = re.findall(r'really called <a href="([^"]+)"', page)
    assert listed(signed_in, unescape(address)) == {"Dcalled"}
    assert "really called" not in signed_in.get("/calls?deployment=beta").text


def test_pages_tell_them_apart_and_link_to_the_right_calls(signed_in, calls, redis, settings):
    put_room(redis, settings.servers[0].id, "r", OTHER_AGENT)
    for path in ("/", "/agents"):
        page = signed_in.get(path).text
        links = re.findall(r'href="(/calls\?agent=greeter[^"]*)"', page)
        found = [listed(signed_in, unescape(link)) for link in dict.fromkeys(links)]
        assert {frozenset(each) for each in found} >= {
            frozenset({"Dnone"}), frozenset({"Dcalled"}), frozenset({"Dbeta"}),
        }, path  # fmt: skip
    assert "&#34;production&#34;" in signed_in.get("/calls/Dcalled").text
    assert "&#34;production&#34;" not in signed_in.get("/calls/Dnone").text


def test_an_agent_of_a_deployment_that_is_not_known_leads_to_all_its_calls(settings, rules_file):
    rule = rules_file.read_text()
    rules_file.write_text(
        rule.replace("{agent: greeter}", '{agent: greeter, deployment: "{{ room.name }}"}')
    )
    client = create_app(settings).test_client()
    sign_in(client)
    page = client.get("/").text
    assert "not told" in page
    assert re.findall(r'href="(/calls\?agent=[^"]*)">greeter', page) == ["/calls?agent=greeter"]


def test_an_agent_is_sent_to_production_only_by_an_empty_field(signed_in, redis):
    form = signed_in.get("/room/send?name=r").text
    given = {"csrf": form_text(form), "name": "r", "agent": "greeter", "key": "k1"}
    for more in ({}, {"confirmed": "yes"}):
        refused = signed_in.post("/room/send", data={**given, "deployment": "production", **more})
        assert refused.status_code == 400
        assert "leave it empty" in refused.text
    assert not redis.keys("lkd:inbox:*")
    asked = signed_in.post("/room/send", data=given).text
    assert "<dd>production</dd>" in asked
    signed_in.post("/room/send", data={**given, "confirmed": "yes"})
    assert [order["deployment"] for order in orders(redis)] == [""]


def test_an_agent_is_sent_to_a_deployment_that_is_called_production(signed_in, redis):
    form = signed_in.get("/room/send?name=r").text
    given = {"csrf": form_text(form), "name": "r", "agent": "greeter", "key": "k1",
             "deployment": '"production"'}  # fmt: skip
    asked = signed_in.post("/room/send", data=given).text
    assert "<dd>&#34;production&#34;</dd>" in asked
    again = {"csrf": form_text(asked), "confirmed": "yes"}
    again |= {field: form_text(asked, field) for field in ("name", "agent", "deployment", "key")}
    signed_in.post("/room/send", data=again)
    assert [order["deployment"] for order in orders(redis)] == ["production"]


def orders(redis):
    """What is ordered and waits in rooms' inboxes."""
    entries = [entry for key in redis.keys("lkd:inbox:*") for entry in redis.lrange(key, 0, -1)]
    return [found["dispatch"] for entry in entries if (found := json.loads(entry.split(b"\n")[-1]))]
