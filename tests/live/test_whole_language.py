"""Groups, limits and waits on the real server, with real participants and agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.house import House, OpenHouse
    from tests.live.participants import Participant

    Join = Callable[..., Participant]

RULES = """
version: 1
rules:
  - id: concierge
    on: participant_joined
    group: vip
    when: {room: {name: "vip-*"}}
    limit: {active: 1}
    dispatch: {agent: greeter}
  - id: everybody
    on: participant_joined
    group: vip
    when: {room: {name: "vip-*"}}
    dispatch: {agent: greeter, deployment: staging}
  - id: waiting-line
    on: participant_joined
    when: {participant: {identity: "caller-*"}, not: {participants: {identity: "op-*"}}}
    if: room.name.startsWith("line-") && size(humans) == 1
    after: 2s
    dispatch: {agent: greeter}
"""


@pytest.fixture
def house(open_house: OpenHouse) -> House:
    return open_house(RULES, "", "staging")


def test_a_full_limit_lets_the_next_rule_of_the_group_send_its_agent(
    house: House, join: Join
) -> None:
    join(house.server, "vip-1", "ana")
    eventually(lambda: house.up.dispatches(state="active"), timeout=60)
    join(house.server, "vip-2", "ben")
    eventually(lambda: len(house.up.dispatches(state="active")) == 2, timeout=60)
    sent = {d["room"]: (d["rule"], d["deployment"]) for d in house.up.dispatches()}
    assert sent == {"vip-1": ("concierge", ""), "vip-2": ("everybody", "staging")}
    assert len(house.workers[""].jobs("vip-1")) == 1
    assert len(house.workers["staging"].jobs("vip-2")) == 1


def test_a_caller_waits_for_an_operator_and_then_for_an_agent(house: House, join: Join) -> None:
    join(house.server, "line-1", "caller-1")
    join(house.server, "line-2", "caller-2")
    eventually(lambda: len(house.up.dispatches(state="scheduled")) == 2, timeout=60)
    join(house.server, "line-2", "op-eva")
    [helped] = eventually(lambda: house.up.dispatches(state="active"), timeout=60)
    [released] = eventually(lambda: house.up.dispatches(state="released"), timeout=60)
    assert (helped["room"], released["room"]) == ("line-1", "line-2")
    assert released["reason"] == "condition"
    assert not house.jobs("line-2")
