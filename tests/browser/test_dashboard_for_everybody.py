"""By keyboard, on a telephone, with a screen reader, in the dark."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.service.signed import ADMIN_TOKEN

LONG = "support-" + "long" * 60


@pytest.fixture
def addresses(signed_in, house):
    """Of every page, with something on each."""
    house.sandbox.join("support-seen", "sam")
    house.sandbox.join("ladder-seen", "lea")
    house.sandbox.join("lost-seen", "lou")
    house.sandbox.join(LONG, "x" * 200)
    page = signed_in()
    expect(page.locator("#attention")).to_contain_text("nobody")
    page.goto(f"/calls?room={LONG}")
    expect(page.locator("#found")).to_contain_text(LONG)
    page.goto("/calls?room=ladder-seen&state=active")
    call = page.locator("#found tbody th a").get_attribute("href")
    page.goto("/events?room=support-seen")
    event = page.locator("#found tbody th a").last.get_attribute("href")
    return ["/", "/calls", call, f"{call}/delete", "/events", event, f"{event}/again", "/rules",
            "/rules/pause", "/rooms", "/rooms/support-seen", f"/rooms/{LONG}",
            "/room/send?name=support-seen", "/agents", "/calls/none"]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_serious_and_no_page_is_too_wide(signed_in, addresses, scheme, width):
    page = signed_in(color_scheme=scheme, viewport={"width": width, "height": 844})
    found = []
    for address in addresses:
        page.goto(address)
        results = Axe().run(page).response
        found += [
            (address, each["id"], [node["html"][:120] for node in each["nodes"][:3]])
            for each in results["violations"]
            if each["impact"] in ("serious", "critical")
        ]
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{address} is {wide} wide"
    assert found == []


def test_the_sign_in_page_is_accessible(open_page):
    page = open_page(viewport={"width": 390, "height": 844})
    page.goto("/sign-in")
    violations = Axe().run(page).response["violations"]
    assert [v["id"] for v in violations if v["impact"] in ("serious", "critical")] == []


def test_all_is_reached_by_keyboard_alone(open_page, house):
    house.sandbox.join("support-keys", "kim")
    page = open_page()
    page.goto("/")
    page.keyboard.type(ADMIN_TOKEN)  # the field has the focus
    page.keyboard.press("Enter")
    expect(page.locator("#latest")).to_contain_text("support-keys")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => {
                const at = document.activeElement, row = at.closest("#latest tr");
                return {row: row && row.textContent.includes("support-keys"),
                        outlined: getComputedStyle(at).outlineStyle !== "none"};
            }"""
        )
        assert focused["outlined"]
        if focused["row"]:
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("greeter in support-keys")
    page.get_by_role("link", name="Remove the agent").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Remove greeter")
    while page.evaluate("document.activeElement.textContent") != "Remove it":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#headline")).to_contain_text("released")


def test_the_verdict_is_told_to_a_screen_reader_and_the_picture_in_words(signed_in, addresses):
    page = signed_in()
    assert page.get_by_role("heading", level=1).get_attribute("aria-live") == "polite"
    for name in ("Events", "Dispatches", "Failures"):
        expect(page.get_by_role("img", name=f"{name} a minute over the last hour")).to_be_visible()
    page.goto(addresses[2])
    table = page.get_by_role("table").first
    expect(table.get_by_role("columnheader", name="State")).to_be_visible()
    assert page.locator(".picture").get_attribute("aria-hidden") == "true"


def test_pages_work_without_a_script(open_page, house):
    page = open_page(java_script_enabled=False)
    page.goto("/rooms")
    page.get_by_label("Admin token").fill(ADMIN_TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Rooms")
    page.goto("/calls")
    page.get_by_label("State").select_option("active")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile("state=active"))
