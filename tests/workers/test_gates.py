"""How long rooms wait for a server that does not answer."""

from __future__ import annotations

from workers.tools import Gate


def test_patience_has_an_end_however_long_the_outage() -> None:
    assert Gate(most=1, unclear=0).patience < 1
    assert Gate(most=1, unclear=1_000_000).patience <= 5
