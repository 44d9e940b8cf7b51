"""What others are told of a call says nothing that `DISPATCHER_REDACT` names, whoever moved it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.receiving import SECRET, receiving
from tests.waiting import eventually
from workers import keys
from workers.receivers import Receiver, Receivers, Topic
from workers.redaction import REDACTED

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House

NUMBER = "+34600111222"
PATHS = "participant.attributes.sip.*, dispatch.metadata"
RULES = """
version: 1
rules:
  - id: greet
    on: participant_joined
    dispatch:
      agent: greeter
      metadata: {caller: "{{ participant.attributes['sip.phoneNumber'] }}"}
  - id: nobody
    on: participant_joined
    dispatch:
      agent: nobody
      metadata: {caller: "{{ participant.attributes['sip.phoneNumber'] }}"}
    join_within: 1m
    fallback:
      - notify: {message: "no agent for {{ participant.attributes['sip.phoneNumber'] }}"}
"""


@pytest.mark.parametrize("house", [{"DISPATCHER_REDACT": PATHS}], indirect=True)
def test_what_an_event_ends_is_told_without_it_and_kept_without_it(
    house: House, sandbox: Sandbox
) -> None:
    with receiving() as hooks:
        told_to = Receivers((Receiver(hooks.url),), (SECRET,), frozenset(Topic))
        house.settings = replace(house.settings, receivers=told_to)
        house.rules.write_text(RULES)
        house.start_worker()
        sandbox.join("support-1", "ana", kind="SIP", attributes={"sip.phoneNumber": NUMBER})
        eventually(lambda: house.dispatches(rule="greet", state="active"))
        eventually(lambda: house.dispatches(rule="nobody", state="pending"))
        sandbox.delete_room("support-1")
        eventually(lambda: len(hooks.taken()) == 3)
        told = {(each.body["type"], each.data["rule"]): each.data for each in hooks.taken()}
        of_greet = {("dispatch.started", "greet"), ("dispatch.ended", "greet")}
        assert set(told) == {*of_greet, ("dispatch.failed", "nobody")}
        assert all(each["metadata"] == REDACTED for each in told.values())
        # What a rule itself says to whom it notifies is its own affair.
        message = told["dispatch.failed", "nobody"].pop("message")
        assert message == f"no agent for {NUMBER}"
        assert NUMBER not in json.dumps(list(told.values()))
    kept = [house.redis.get(name) or b"" for name in house.redis.scan_iter(f"{keys.DISPATCH}*")]
    assert len(kept) == 2
    assert NUMBER.encode() not in b"".join(kept)
