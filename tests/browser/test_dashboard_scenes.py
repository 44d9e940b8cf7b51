"""What an operator does, in a real browser."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.service.signed import ADMIN_TOKEN

HOSTILE = "<script>alert(1)</script>support-1"


def test_signing_in_leads_to_the_page_that_was_asked_for_and_out_again(open_page):
    page = open_page()
    page.goto("/calls?state=failed")
    expect(page).to_have_title(re.compile("Sign in"))
    page.get_by_label("Admin token").fill("not-the-token")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("not the admin token")
    page.get_by_label("Admin token").fill(ADMIN_TOKEN)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/calls\?state=failed$"))
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_title(re.compile("Sign in"))
    page.goto("/")
    expect(page).to_have_title(re.compile("Sign in"))


def test_a_call_arrives_live_and_its_timeline_is_open_in_a_click(signed_in, house):
    page = signed_in()
    expect(page.locator("#live-state")).to_have_text("Live")
    page.evaluate("window.notReloaded = true")
    house.sandbox.join("support-live", "ana")
    row = page.locator("#latest tbody tr", has_text="support-live")
    expect(row).to_contain_text("active")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.evaluate("window.notReloaded")
    row.get_by_role("link", name="greeter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("greeter in support-live")
    for phase in ("Queueing", "LiveKit", "Agent", "In call"):
        expect(page.locator(".phases")).to_contain_text(phase)
    assert page.locator(".lane rect").count() >= 8
    house.sandbox.leave("support-live", "ana")
    house.sandbox.delete_room("support-live")
    expect(page.locator("#headline")).to_contain_text("ended")


def test_each_rung_of_a_fallback_has_its_lane(signed_in, house):
    house.sandbox.join("ladder-1", "lena")
    page = signed_in()
    row = page.locator("#latest tbody tr", has_text="ladder-1").filter(has_text="active")
    row.get_by_role("link", name="greeter").click()
    expect(page.locator(".lane")).to_have_count(2)
    expect(page.locator("#moves")).to_contain_text("superseded")
    expect(page.locator("#moves")).to_contain_text("no worker took the job")
    expect(page.locator(".phases")).to_contain_text("2 dispatches")


def test_the_first_page_says_that_calls_get_no_agent_and_leads_to_them(signed_in, house):
    page = signed_in()
    house.sandbox.join("lost-1", "lou")
    expect(page.get_by_role("heading", level=1)).to_have_text("Some calls get no agent")
    concern = page.locator("#attention li", has_text="nobody: 1 call got no agent")
    concern.get_by_role("link", name="See these calls").click()
    expect(page.locator("#found tbody tr")).to_have_count(1)
    expect(page.locator("#found")).to_contain_text("lost-1")


def test_it_is_seen_why_a_rule_did_not_match_and_what_would_make_it(signed_in, house):
    house.sandbox.join("reception", "ria")
    page = signed_in()
    page.get_by_role("link", name="Events").click()
    row = page.locator("#found tbody tr", has_text="reception").filter(has_text="ria")
    row.get_by_role("link", name="participant_joined").click()
    decided = page.locator("tr", has_text="support").first
    expect(decided).to_contain_text("when.room.name")
    text = page.get_by_label("The event, to be changed as you like")
    text.fill(text.input_value().replace('"reception"', '"support-9"'))
    page.get_by_role("button", name="Explain").click()
    outcome = page.get_by_role("region", name="What the rules in force make of it")
    expect(outcome).to_contain_text("would dispatch greeter")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a rule test").click()
    assert download.value.suggested_filename == "participant-joined.test.yaml"
    assert "agent: greeter" in download.value.path().read_text()


def test_an_event_runs_again_after_being_asked(signed_in, house):
    house.sandbox.join("support-again", "aline")
    page = signed_in()
    page.goto("/events?room=support-again")
    row = page.locator("#found tbody tr", has_text="dispatched by support")
    row.get_by_role("link", name="participant_joined").click()
    page.get_by_role("link", name="Run again").click()
    expect(page.get_by_role("main")).to_contain_text("may really dispatch")
    page.get_by_role("button", name="Run it again").click()
    expect(page.get_by_role("status").last).to_contain_text(".replay.")
    again = page.locator("#found tbody tr", has_text="the agent had been sent already")
    expect(again).to_have_count(1)


def test_an_agent_is_sent_and_removed_by_hand(signed_in, house):
    house.sandbox.join("quiet-room", "quentin")
    page = signed_in()
    page.goto("/rooms/quiet-room")
    page.get_by_role("link", name="Send an agent").click()
    page.get_by_label("Agent").fill("helper")
    page.get_by_label("Metadata").fill('{"from": "hand"}')
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Send helper to quiet-room?")
    page.get_by_role("button", name="Send it").click()
    ours = page.locator("#there tbody tr", has_text="helper").filter(has=page.locator(".tag.ours"))
    there = ours.filter(has_text="agent-AJ_")
    expect(there).to_contain_text("agent-")
    there.get_by_role("link", name="Remove").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.locator("#there tbody tr", has_text="helper")).to_have_count(0)
    expect(page.locator("#history")).to_contain_text("sent away by hand")


def test_a_call_is_ended_by_hand_from_its_page(signed_in, house):
    house.sandbox.join("support-end", "emma")
    page = signed_in()
    row = page.locator("#latest tbody tr", has_text="support-end").filter(has_text="active")
    row.get_by_role("link", name="greeter").click()
    page.get_by_role("link", name="Remove the agent").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.locator("#headline")).to_contain_text("released")
    expect(page.locator("#headline")).to_contain_text("sent away by hand")


def test_what_strangers_chose_does_nothing_but_be_read(signed_in, house):
    about = json.dumps({"html": "<img src=x onerror=alert(1)>", "long": "x" * 10_000})
    house.sandbox.create_room(HOSTILE, metadata=about)
    house.sandbox.join(HOSTILE, '"><svg onload=alert(1)>', attributes={"a": "<b>"})
    page = signed_in()
    row = page.locator("#latest tbody tr", has_text=HOSTILE).filter(has_text="active")
    row.get_by_role("link", name="greeter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"greeter in {HOSTILE}")
    page.get_by_text("characters: show").click()
    expect(page.locator("#fields pre")).to_contain_text("onerror=alert(1)")
    page.get_by_role("heading", level=1).get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    page.locator("#history").get_by_role("link", name="participant_joined").last.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(HOSTILE)
    assert page.evaluate("document.querySelectorAll('img, script:not([src])').length") == 0


@pytest.mark.parametrize("name", ["support-1/../../calls", "..", ".", "../rules/pause", "%2e%2e"])
def test_a_room_called_like_an_address_has_its_own_page(signed_in, house, name):
    house.sandbox.join(name, "dora")
    page = signed_in()
    page.goto("/rooms")
    page.get_by_role("link", name=name, exact=True).click()
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(name)
    page.get_by_role("button", name="Look now").click()
    expect(page.get_by_role("status").last).to_have_text(re.compile("The room is listed now"))
    expect(heading).to_have_text(name)
    page.get_by_role("link", name="Send an agent").click()
    page.get_by_role("link", name="Back").click()
    expect(heading).to_have_text(name)
    house.sandbox.delete_room(name)


@pytest.mark.parametrize(
    "mark", ["\u202e", "\u2069\u202e", "\u2029\u202e", "\u05d0", "\u2067\u05d0"]
)
def test_a_question_reads_as_it_is_meant_whoever_it_is_about(signed_in, mark):
    page = signed_in()
    page.goto(f"/room/remove?name={quote('support-1')}&identity={quote(f'agent-1{mark}')}")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_contain_text("from support-1?")
    lefts = heading.evaluate(
        """(heading) => {
            const texts = document.createTreeWalker(heading, NodeFilter.SHOW_TEXT);
            const lefts = [];
            for (let text = texts.nextNode(); text; text = texts.nextNode()) {
                const at = text.data.indexOf("from support-1?");
                for (let n = at; at >= 0 && n < text.length; n += 1) {
                    const one = document.createRange();
                    one.setStart(text, n);
                    one.setEnd(text, n + 1);
                    lefts.push(one.getBoundingClientRect().left);
                }
            }
            return lefts;
        }"""
    )
    assert len(lefts) == len("from support-1?")
    assert lefts == sorted(lefts), "from the left to the right"


def test_what_somebody_types_opens_and_looks_at_stays_while_the_page_renews_itself(
    signed_in, house
):
    house.sandbox.create_room("support-still", metadata=json.dumps({"long": "x" * 9_000}))
    house.sandbox.join("support-still", "stella")
    page = signed_in()
    page.goto("/calls")
    page.get_by_label("Room", exact=True).fill("half typ")
    link = page.locator("#found tbody tr", has_text="support-still").get_by_role(
        "link", name="greeter"
    )
    link.focus()
    house.sandbox.join("support-other", "otto")
    expect(page.locator("#found")).to_contain_text("support-other")
    expect(page.get_by_label("Room", exact=True)).to_have_value("half typ")
    expect(link).to_be_focused()
    link.click()
    page.get_by_text("characters: show").click()
    house.sandbox.leave("support-still", "stella")
    house.sandbox.delete_room("support-still")
    expect(page.locator("#headline")).to_contain_text("ended")
    expect(page.locator("#fields details")).to_have_attribute("open", "")


def test_a_hidden_page_asks_for_nothing_and_catches_up(signed_in, house):
    page = signed_in()
    expect(page.locator("#live-state")).to_have_text("Live")
    hide = """hidden => {
        Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    expect(page.locator("#live-state")).to_have_text("Paused")
    house.sandbox.join("support-hidden", "hugo")
    page.evaluate(hide, False)
    expect(page.locator("#live-state")).to_have_text("Live")
    expect(page.locator("#latest")).to_contain_text("support-hidden")


def test_filters_complete_as_they_are_typed_and_stand_in_the_address(signed_in, house):
    house.sandbox.join("support-filter", "fred")
    page = signed_in()
    expect(page.locator("#latest")).to_contain_text("support-filter")
    page.goto("/calls")
    offered = page.locator("#rooms option").evaluate_all("all => all.map(each => each.value)")
    assert "support-filter" in offered
    page.get_by_label("Room", exact=True).fill("support-filter")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile(r"/calls\?room=support-filter$"))
    expect(page.locator("#found tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Last hour").click()
    expect(page).to_have_url(re.compile(r"/calls\?since=1h$"))


@pytest.mark.parametrize("scripts", [True, False], ids=["with a script", "without"])
def test_a_rule_is_paused_and_resumed(signed_in, house, scripts):
    page = signed_in(java_script_enabled=scripts)
    page.get_by_role("link", name="Rules").click()
    rule = page.locator("#rule-lost")
    expect(rule).to_contain_text('when: {room: {name: "lost-*"}}')
    rule.get_by_role("link", name="Pause").click()
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#rule-lost")).to_contain_text("paused")
    page.locator("#rule-lost").get_by_role("link", name="Resume").click()
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#rule-lost")).not_to_contain_text("paused")
