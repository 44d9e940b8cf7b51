"""With `DISPATCHER_REDACT`, rules and agents have the true values, and history and logs do not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from tests.waiting import eventually
from workers import keys
from workers.deadletters import DeadLetters
from workers.orders import Orders
from workers.rooms_now import RoomsNow

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House

NUMBER, CUSTOMER, NAME = "+34600111222", "Lopez-and-Sons", "Ana-Lopez"
SECRETS = (NUMBER, CUSTOMER, NAME)
PATHS = """
participant.attributes.sip.*, participant.name, room.metadata.customer
dispatch.metadata.caller, dispatch.attributes.for
"""
RULES = f"""
version: 1
tables: {{names: {{x: y}}}}
rules:
  - id: known
    on: [participant_joined, participant_left]
    when: {{participant: {{attributes: {{sip.phoneNumber: "+1*"}}}}}}
    dispatch: {{agent: greeter}}
  - id: company
    on: participant_joined
    if: int(room.metadata.customer) > 1
    dispatch: {{agent: greeter}}
  - id: broken
    on: participant_joined
    dispatch: {{agent: greeter, metadata: "{{{{ tables.names[participant.name] }}}}"}}
  - id: others
    on: participant_joined
    when: {{participants: {{attributes: {{sip.phoneNumber: "+1*"}}}}}}
    dispatch: {{agent: greeter}}
  - id: phone
    on: participant_joined
    when: {{participant: {{attributes: {{sip.phoneNumber: "{NUMBER}"}}}}}}
    dispatch:
      agent: greeter
      metadata: {{caller: "{{{{ participant.attributes['sip.phoneNumber'] }}}}", tier: gold}}
      attributes: {{for: "{{{{ participant.name }}}}", tier: gold}}
    fallback: [{{metadata: "{{{{ participant.name }}}}"}}]
    join_within: 20s
  - id: later
    on: participant_joined
    after: 300ms
    dispatch: {{agent: nobody, metadata: {{caller: "{{{{ participant.name }}}}"}}}}
"""

pytestmark = pytest.mark.parametrize(
    "house", [{"DISPATCHER_REDACT": PATHS}], indirect=True, ids=["redacted"]
)


def everything(house: House, *prefixes: str) -> str:
    """All that Redis holds under these prefixes, as text."""
    found = [k for prefix in prefixes for k in house.redis.scan_iter(f"{prefix}*")]
    read = {b"string": house.redis.get, b"hash": house.redis.hgetall}
    assert found
    return "\n".join(str(read[house.redis.type(key)](key)) for key in found)


def call_in(sandbox: Sandbox) -> None:
    sandbox.create_room("support-1", metadata=json.dumps({"customer": CUSTOMER, "lang": "es"}))
    sandbox.join("support-1", "ana", kind="SIP", name=NAME, attributes={"sip.phoneNumber": NUMBER})


def leaked(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def test_nothing_of_it_is_kept_or_logged_and_the_agent_gets_it(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(RULES)
    with capture_logs() as lines:
        house.start_worker()
        call_in(sandbox)
        [dispatch] = eventually(lambda: house.dispatches(rule="phone", state="active"))
        eventually(lambda: house.dispatches(rule="later", state="pending"))
        sandbox.leave("support-1", "ana")
        eventually(lambda: "participant_left" in [event["event"] for event in house.events()])
    assert leaked(everything(house, keys.EVENT, keys.DISPATCH)) == []
    assert leaked(json.dumps(lines, default=str)) == []
    assert [line["rule"] for line in lines if line["event"] == "rule_failed"]
    sent = {d.metadata for d in sandbox.rooms.open["support-1"].dispatches.values()}
    assert json.dumps({"caller": NUMBER, "tier": "gold"}, separators=(",", ":")) in sent
    assert json.loads(dispatch["metadata"]) == {"caller": "[redacted]", "tier": "gold"}
    assert dispatch["attributes"] == {"for": "[redacted]", "tier": "gold"}
    joined = next(e for e in house.events() if e["event"] == "participant_joined")
    assert joined["body"]["participant"]["attributes"]["sip.phoneNumber"] == "[redacted]"
    assert json.loads(joined["body"]["room"]["metadata"]) == {
        "customer": "[redacted]", "lang": "es",
    }  # fmt: skip
    assert joined["redacted"] == [
        "participant.attributes.sip.*", "participant.name", "room.metadata.customer",
    ]  # fmt: skip
    why = {d["rule"]: d["detail"] for d in joined["decisions"]}
    assert why["known"] == "[redacted]"


def test_the_room_is_shown_without_it(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(RULES)
    house.start_worker()
    call_in(sandbox)
    eventually(lambda: house.dispatches(rule="phone", state="active"))
    raw = everything(house, keys.ROOM)
    assert leaked(raw) == [*SECRETS], "rules decide on true values"
    [room] = RoomsNow(house.redis, house.settings.places, house.settings.redaction).named(
        "support-1"
    )
    assert leaked(json.dumps(room)) == []
    assert [person["name"] for person in room["humans"]] == ["[redacted]"]


def test_a_dead_letter_is_whole_until_it_is_tried_again_and_shown_without_it(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(RULES)
    call_in(sandbox)
    server = house.settings.servers[0].id
    room = keys.room_key(server, "support-1")
    inbox = keys.INBOX + room
    eventually(lambda: b"participant_joined" in b"".join(house.redis.lrange(inbox, 0, -1)))
    while b"participant_joined" not in house.redis.lindex(inbox, 0):
        house.redis.lpop(inbox)
    head = house.redis.lindex(inbox, 0).split(b"\n")[0]
    house.redis.hset(keys.ROOM + room, mapping={"trying": head, "tries": 3})
    with capture_logs() as lines:
        house.start_worker()
        [letter] = eventually(DeadLetters(house.redis).list)
    assert leaked(json.dumps(letter.body)) == [*SECRETS]
    assert leaked(json.dumps(lines, default=str)) == []
    shown = letter.redacted(house.settings.redaction)
    assert leaked(json.dumps(shown.body)) == []
    assert DeadLetters(house.redis).replay(letter.id)
    eventually(lambda: house.dispatches(rule="phone", state="active"))
    assert leaked(everything(house, keys.EVENT, keys.DISPATCH)) == []


def test_an_order_by_hand_is_shown_without_it_and_sent_with_it(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text("version: 1\nrules: []")
    sandbox.create_room("support-1")
    orders = Orders(house.redis, house.settings.redaction)
    metadata = json.dumps({"caller": NUMBER})
    given: dict[str, Any] = {"metadata": metadata, "attributes": {"for": NAME}}
    ours = orders.dispatch(house.settings.servers[0].id, "support-1", "greeter", **given)
    assert leaked(json.dumps(orders.known(ours))) == []
    house.start_worker()
    eventually(lambda: house.dispatches(state="active"))
    assert leaked(everything(house, keys.DISPATCH, keys.ORDER)) == []
    sent = {d.metadata for d in sandbox.rooms.open["support-1"].dispatches.values()}
    assert metadata in sent
