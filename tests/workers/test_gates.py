"""How long rooms wait for a server that does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.waiting import eventually
from tests.workers.conftest import GREET
from workers.opening import share_of
from workers.tools import Gate

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House


def test_patience_has_an_end_however_long_the_outage() -> None:
    assert Gate(most=1, unclear=0).patience < 1
    assert Gate(most=1, unclear=1_000_000).patience <= 5


@pytest.mark.parametrize("servers", range(2, 20))
def test_all_servers_but_one_may_hang_and_the_last_finds_a_place(servers: int) -> None:
    for concurrency in (2 * servers, 64, 1024):
        assert (servers - 1) * share_of(concurrency, servers) < concurrency


def test_a_server_alone_has_every_place() -> None:
    assert share_of(64, 1) == 64


def test_a_server_that_asks_to_be_left_alone_is_left_alone() -> None:
    now = 100.0
    gate = Gate(most=4, monotonic=lambda: now)
    assert not gate.full
    gate.rest(2.0)
    assert gate.full
    assert gate.patience == 2.0
    now = 102.1
    assert not gate.full
    gate.rest(86_400.0)
    assert gate.patience == 30.0


def test_retry_after_is_heeded(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.fault("too_many", "CreateDispatch", times=1, seconds=9.0)
    sandbox.join("support-1", "ana")
    [refused] = eventually(lambda: sandbox.calls.of("CreateDispatch"))
    sandbox.join("support-2", "ben")
    eventually(lambda: len(house.dispatches(state="active")) == 2, timeout=30)
    later = [call for call in sandbox.calls.of() if call.at > refused.at]
    assert min(call.at for call in later) - refused.at >= 8.5
