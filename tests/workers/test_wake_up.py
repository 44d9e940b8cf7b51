"""A wake-up is over when what is due has been taken, not when it has been done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.waiting import eventually
from tests.workers.conftest import GREET
from workers import wake

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House


def test_a_wake_up_does_not_wait_for_rooms_that_wait_for_livekit(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    loop = house.start_worker()
    hanging = sandbox.fault("hang", "CreateDispatch", times=1)
    sandbox.join("support-1", "ana")
    eventually(lambda: hanging.met)
    began = time.monotonic()
    loop.drain()
    assert time.monotonic() - began < 1


def test_an_event_needs_no_wake_up_only_a_quarter_of_a_second(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    house.start_worker()  # and no RQ worker that would take the wake-ups
    sandbox.join("support-1", "ana")
    eventually(lambda: house.dispatches(state="active"), timeout=5)


def test_a_plain_rq_worker_is_told_what_it_lacks() -> None:
    with pytest.raises(RuntimeError, match="dispatcher worker"):
        wake.drain()
