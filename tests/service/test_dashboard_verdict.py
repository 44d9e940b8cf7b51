"""The first page's sentence: red where calls get no agent, and not where callers hang up."""

from __future__ import annotations

import re

import pytest

from tests.service.cli import keep
from tests.service.pages import sign_in
from tests.service.rooms import dispatch
from workers import keys
from workers.dispatch import State
from workers.history import dispatch_document
from workers.pauses import Pauses


@pytest.fixture
def first_page(client, redis):
    """The headline of the first page, with a worker at work, and the failures it counts."""
    sign_in(client)
    redis.zadd(keys.WORKERS, {"worker:hash": redis.time()[0] * 1000})

    def first_page():
        text = client.get("/").text
        headline = re.search(r"<h1[^>]*>(.*?)</h1>", text, re.DOTALL)[1]
        return " ".join(re.sub(r"<[^>]+>", " ", headline).split())

    return first_page


def failed(redis, name, reason, seconds):
    """A dispatch that failed lately, so long after LiveKit had accepted it."""
    began = redis.time()[0] - 30.0
    one = dispatch(
        name, id=name, state=State.FAILED, reason=reason, created_at=began, accepted_at=began,
        ended_at=began + seconds, joined_at=None, agent_sid=None, agent_identity=None,
    )  # fmt: skip
    keep(redis, dispatch_document(None, one))


def test_callers_who_hang_up_at_once_are_no_failures(first_page, redis, client):
    failed(redis, "quick", "room_ended", 1.5)
    assert "no agent" not in first_page()
    assert "in the last hour, and 1 hung up" in client.get("/").text


@pytest.mark.parametrize(
    ("reason", "seconds"), [("room_ended", 12.0), ("no_worker: no worker took it", 2.0)]
)
def test_calls_that_waited_in_vain_are(first_page, redis, reason, seconds):
    failed(redis, "waited", reason, seconds)
    assert first_page() == "Some calls get no agent"


def test_a_dry_run_is_no_quiet_hour(first_page, redis, client):
    now = redis.time()[0]
    dry = dispatch("dry", id="dry", state=State.DRY_RUN, created_at=now - 5, joined_at=None)
    keep(redis, dispatch_document(None, dry))
    redis.zadd(keys.WORKERS, {"other:hash:dry": now * 1000})
    assert first_page() == "Some workers send no agent"
    redis.zrem(keys.WORKERS, "worker:hash")
    assert first_page() == "Dry run: no agent is sent"


def test_a_concern_is_a_sentence_and_leads_to_its_rule(first_page, client, redis):
    failed(redis, "waited", "no_worker: no worker took it", 2.0)
    Pauses(redis).pause("support")
    first_page()
    page = client.get("/").text
    assert "<p>No worker took the job.</p>" in page
    assert '<a href="/rules?rule=support">See this rule</a>' in page
    assert page.index('id="attention"') < page.index('id="agents"')
