"""Pages of very many rules and agents: what a view costs is bounded, and each is found."""

from __future__ import annotations

import json
import re
from time import process_time

import pytest

from service.web import create_app
from tests.service.pages import form_text, sign_in
from workers import keys
from workers.pauses import Pauses
from workers.places import agent_key

RULE = """
  # Rule {n} has a room of its own.
  - id: rule-{n}
    description: The {n}th of very many
    on: participant_joined
    when:
      room: {{name: "room-{n}"}}
    dispatch:
      agent: agent-{n}
"""


@pytest.fixture
def of_rules(settings, rules_file):
    """Somebody who has signed in where there are so many rules."""

    def of_rules(count, after=""):
        rules = "".join(RULE.format(n=n) for n in range(count))
        rules_file.write_text(f"version: 1\nrules:\n{rules}{after}")
        client = create_app(settings).test_client()
        sign_in(client)
        return client

    return of_rules


def rules_on(page):
    return re.findall(r'<article class="rule" id="rule-(rule-\d+)"', page)


def pages_of(client, path):
    while path:
        page = client.get(path).text
        yield page
        path = next(iter(re.findall(r'href="([^"]+)" rel="next"', page)), "").replace("&amp;", "&")


def test_every_rule_is_on_one_of_the_pages(of_rules):
    client = of_rules(230)
    found = [rules_on(page) for page in pages_of(client, "/rules")]
    assert max(map(len, found)) <= 100
    assert [each for page in found for each in page] == [f"rule-{n}" for n in range(230)]
    assert "version" in client.get("/rules").text


def test_the_words_of_a_filter_stay_on_the_next_page(of_rules):
    client = of_rules(230)
    found = [each for page in pages_of(client, "/rules?rule=1") for each in rules_on(page)]
    assert found == [f"rule-{n}" for n in range(230) if "1" in str(n)]
    assert rules_on(client.get("/rules?rule=rule-1").text) == ["rule-1"]
    assert "1 of 230 rules" in client.get("/rules?rule=rule-1").text


def test_a_page_that_is_there_no_more_is_the_last_one(of_rules):
    client = of_rules(130)
    assert rules_on(client.get("/rules?page=77").text)[-1] == "rule-129"


@pytest.mark.parametrize("path", ["/rules", "/agents"])
@pytest.mark.parametrize("number", ["0", "-1", "x", "²", "1" * 5000])
def test_what_is_no_number_of_a_page_is_refused(of_rules, path, number):
    answer = of_rules(1).get(path, query_string={"page": number})
    assert answer.status_code == 400
    assert "numbered from 1" in answer.text


def test_one_rule_costs_the_same_among_very_many(of_rules):
    """Nothing is coloured but what is shown; it was some 150 times dearer before."""

    def cost(client):
        times = []
        for _ in range(5):
            since = process_time()
            assert rules_on(client.get("/rules?rule=rule-2").text) == ["rule-2"]
            times.append(process_time() - since)
        return min(times)

    assert cost(of_rules(3000)) < 20 * cost(of_rules(3))


def test_a_long_table_is_shown_by_its_first_lines(of_rules):
    numbers = "".join(f'    "+{n}": {{agent: a}}\n' for n in range(5000))
    page = of_rules(2, f"tables:\n  numbers:\n{numbers}").get("/rules").text
    assert page.count("<div><span") < 300
    assert re.search(r"and 4.\d{3} more lines", page)


def test_a_rule_on_any_page_says_how_often_it_matched(of_rules, redis):
    redis.hset(keys.HITS, "rule-120", 41)
    redis.hset(keys.LAST_HITS, "rule-120", 1_790_000_000_000)
    page = of_rules(130).get("/rules?page=2").text
    shown = page[page.index('id="rule-rule-120"') : page.index('id="rule-rule-121"')]
    assert "<strong>41</strong> matches" in shown
    assert page.count("has never matched") == len(rules_on(page)) - 1


def test_the_first_page_shows_some_agents_and_leads_to_the_others(of_rules):
    client = of_rules(130)
    page = client.get("/").text
    agents = page[page.index('id="agents"') : page.index('id="latest"')]
    assert agents.count("<tr>") == 1 + 50
    assert agents.count("<tr>") == 1 + 50
    assert '<a href="/agents?page=2">80 more</a>' in agents
    assert '<a href="/agents?page=2">80 more</a>' in agents
    found = [re.findall(r">(agent-\d+)</a>", each) for each in pages_of(client, "/agents")]
    found = [re.findall(r">(agent-\d+)</a>", each) for each in pages_of(client, "/agents")]
    assert [len(each) for each in found] == [50, 50, 30]
    assert [len(each) for each in found] == [50, 50, 30]
    assert {each for page in found for each in page} == {f"agent-{n}" for n in range(130)}
    assert {each for page in found for each in page} == {f"agent-{n}" for n in range(130)}


def test_an_agent_is_found_by_its_name(of_rules):
    client = of_rules(130)
    assert re.findall(r">(agent-\d+)</a>", client.get("/agents?agent=AGENT-12").text) == [
        "agent-12", *(f"agent-12{n}" for n in range(10))
    ]  # fmt: skip
    assert "No agent has that in its name" in client.get("/agents?agent=nobody").text


def test_few_agents_are_all_shown_and_nobody_is_asked_for_a_name(of_rules):
    client = of_rules(3)
    assert " more</a>" not in client.get("/").text
    page = client.get("/agents").text
    assert 'role="search"' not in page
    assert 'rel="next"' not in page


def test_many_warnings_of_agents_are_a_few_lines_and_a_count(of_rules, redis):
    at = redis.time()[0] - 60
    dropped = json.dumps([at, None, "AW_1", "no_worker"])
    for n in range(40):
        redis.lpush(keys.OUTCOMES + agent_key(f"agent-{n}", ""), dropped, dropped, dropped)
    page = of_rules(40).get("/").text
    assert page.count("AW_1 dropped 3 of the last 3 jobs") == 5
    assert "35 more such warnings of agents" in page


def test_a_very_long_line_is_cut(of_rules):
    page = of_rules(1, f"# {'# ' * 500_000}'\n").get("/rules").text
    assert len(page) < 20_000


def test_a_rule_that_was_paused_and_is_no_more_can_be_resumed(of_rules, redis):
    Pauses(redis).pause("gone")
    client = of_rules(1)
    assert '<a href="/rules?rule=gone">See this rule</a>' in client.get("/").text
    page = client.get("/rules?rule=gone").text
    assert "gone is paused, and in no rule file now" in page
    assert '<a href="/rules/resume?rule=gone">Resume</a>' in page


def test_whoever_pauses_a_rule_sees_that_it_is_paused(of_rules, redis):
    client = of_rules(230)
    asked = client.get("/rules/pause?rule=rule-200").text
    given = {"csrf": form_text(asked), "rule": "rule-200"}
    page = client.post("/rules/pause", data=given, follow_redirects=True).text
    assert 'id="rule-rule-200"' in page
    assert '<span class="tag warn">paused</span>' in page
    Pauses(redis).pause("gone")
    answer = client.post("/rules/resume", data={**given, "rule": "gone"})
    assert answer.headers["Location"] == "/rules"
