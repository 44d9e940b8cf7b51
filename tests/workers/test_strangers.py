"""Agents that nobody here has sent are counted, and not forgotten where a listing fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.waiting import eventually
from tests.workers.conftest import create_by_hand
from tests.workers.test_reconcile import GREET
from workers import keys
from workers.strangers import read_strangers

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House


@pytest.fixture(autouse=True)
def _quick(house: House) -> None:
    house.settings = replace(house.settings, reconcile_interval=timedelta(seconds=1))
    house.rules.write_text(GREET)


def counted(house: House) -> tuple[int, int]:
    """How many there are, and how many of them stand beside one of ours."""
    seen = read_strangers(house.redis, [house.settings.servers[0].id])
    return seen.there["greeter"], seen.doubles["greeter"]


def failed(house: House) -> int:
    """Rooms that the last pass could not list."""
    return int(house.redis.hget(keys.RECONCILED + house.settings.servers[0].id, "failed") or 0)


def test_they_are_counted_where_a_listing_fails_too(house: House, sandbox: Sandbox) -> None:
    house.start_worker()
    sandbox.join("support-1", "ana")
    create_by_hand(sandbox, "support-1")
    eventually(lambda: counted(house) == (1, 1), timeout=12)
    sandbox.fault("unavailable", "ListParticipants")
    eventually(lambda: failed(house) == 1, timeout=8)
    assert counted(house) == (1, 1)
    sandbox.heal()
    sandbox.delete_room("support-1")
    eventually(lambda: counted(house) == (0, 0), timeout=12)
