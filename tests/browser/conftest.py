"""A real browser at the dashboard of a real service, with a LiveKit whose callers a test moves."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright

from service.sandbox import Sandbox, Worker, running
from tests.ports import free_port
from tests.service.signed import ADMIN_TOKEN, KEY, SECRET
from tests.up import Up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

RULES = """
version: 1
rules:
  # Who comes to support is greeted.
  - id: support
    description: Support for everybody
    on: participant_joined
    when: {room: {name: "*support-*"}, participant: {kind: STANDARD}}
    dispatch:
      agent: greeter
      metadata: {customer: "{{ participant.identity }}", about: "{{ room.metadata }}"}
  - id: ladder
    on: participant_joined
    when: {room: {name: "ladder-*"}}
    join_within: 1s
    dispatch: {agent: nobody}
    fallback: [{agent: greeter, deployment: staging}]
  - id: lost
    on: participant_joined
    when: {room: {name: "lost-*"}}
    join_within: 1s
    dispatch: {agent: nobody}
"""


@dataclass
class House:
    """All of it on one machine."""

    up: Up
    sandbox: Sandbox

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.up.port}"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    port = free_port()
    sandbox = Sandbox(
        key=KEY,
        secret=SECRET,
        webhook_urls=[f"http://127.0.0.1:{port}/webhooks/livekit"],
        workers=[Worker("greeter"), Worker("greeter", deployment="staging"), Worker("helper")],
        job_listing_delay=0.2,
    )
    with running(sandbox):
        environ = {
            "LIVEKIT_URL": sandbox.url,
            "LIVEKIT_API_KEY": KEY,
            "LIVEKIT_API_SECRET": SECRET,
            "DISPATCHER_ADMIN_TOKEN": ADMIN_TOKEN,
        }
        with Up(tmp_path_factory.mktemp("browser"), RULES, environ, port=port) as up:
            yield House(up, sandbox)


@pytest.fixture(scope="module")
def chromium(house: House) -> Iterator[Browser]:
    """One for each module: while it runs there is an event loop in this thread, which neither the
    house's end nor another module's tests could stand.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
    if program is None:
        words = "no browser: install chromium, on Debian with `apt-get install chromium`"
        if os.environ.get("DISPATCHER_LIVE") == "required":
            pytest.fail(words)
        pytest.skip(words)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, house: House) -> Iterator[Callable[..., Page]]:
    """Opens pages of a browser nobody has signed in with; what goes wrong there fails the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def opened(**options: Any) -> Page:
        context = chromium.new_context(base_url=house.url, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(f"a dialog: {dialog.message}"))
        page.on(
            "console",
            lambda told: wrong.append(told.text) if "Content Security" in told.text else None,
        )
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def signed_in(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens pages of a browser that somebody has signed in with."""

    def opened(**options: Any) -> Page:
        page = open_page(**options)
        page.goto("/sign-in")
        page.get_by_label("Admin token").fill(ADMIN_TOKEN)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/")
        return page

    return opened
