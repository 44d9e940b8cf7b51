"""How long rooms wait for a server that does not answer."""

from __future__ import annotations

import pytest

from workers.tools import Gate
from workers.worker import share_of


def test_patience_has_an_end_however_long_the_outage() -> None:
    assert Gate(most=1, unclear=0).patience < 1
    assert Gate(most=1, unclear=1_000_000).patience <= 5


@pytest.mark.parametrize("servers", range(2, 20))
def test_all_servers_but_one_may_hang_and_the_last_finds_a_place(servers: int) -> None:
    for concurrency in (2 * servers, 64, 1024):
        assert (servers - 1) * share_of(concurrency, servers) < concurrency


def test_a_server_alone_has_every_place() -> None:
    assert share_of(64, 1) == 64
