"""Which restart policy LiveKit is told of what a rule says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.waiting import eventually

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House

RULES = """
version: 1
rules:
  - id: greet
    on: participant_joined
    dispatch: {agent: greeter%s}
"""


@pytest.mark.parametrize(
    ("written", "shown", "told"),
    [
        ("", "on_failure", "JRP_ON_FAILURE"),
        (", restart_policy: on_failure", "on_failure", "JRP_ON_FAILURE"),
        (", restart_policy: never", "never", "JRP_NEVER"),
        (", restart_policy: always", "always", "JRP_ON_FAILURE"),
    ],
)
def test_livekit_knows_no_always(
    house: House, sandbox: Sandbox, written: str, shown: str, told: str
) -> None:
    house.rules.write_text(RULES % written)
    house.start_worker()
    sandbox.join("support-1", "ana")
    [dispatch] = eventually(lambda: house.dispatches(state="active"))
    assert dispatch["restart_policy"] == shown
    [call] = sandbox.calls.of("CreateDispatch")
    assert call.request.get("restart_policy", "JRP_ON_FAILURE") == told
