"""A few thousand bad webhooks; `python -m tests.fuzz_webhooks COUNT` posts as many as one likes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from random import Random

import pytest

from tests.fuzz_webhooks.campaign import Told
from tests.fuzz_webhooks.delivery import Originals, holds
from tests.fuzz_webhooks.spoiling import spoil


def test_none_is_accepted_none_breaks_the_service_and_memory_stays():
    command = [sys.executable, "-m", "tests.fuzz_webhooks", "4000", "--seed", "7", "--wire", "0.2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    told = json.loads(done.stdout)
    assert [each["faults"] for each in told.values()] == [[], []]
    assert done.returncode == 0, done.stderr
    for each in told.values():
        assert set(each["statuses"]) <= {"200", "400", "401", "413", "415", "431"}
        assert each["statuses"]["401"] > each["deliveries"] / 2
        assert 0 < each["accepted_rightly"] < each["deliveries"] / 4


@pytest.mark.parametrize(
    ("status", "changed", "fault"),
    [
        (200, {"good": False, "spoiled": ("a_body",)}, "accepted"),
        (500, {}, "an error of the service"),
        (0, {}, "no answer"),
        (401, {}, "refused a good one"),
    ],
)
def test_the_campaign_would_tell_of_a_fault(status, changed, fault):
    told = Told()
    told.answered(replace(Originals().one(Random(1)), **changed), status, b"")
    assert [each.partition(":")[0] for each in told.faults] == [fault]


def test_what_is_unspoiled_holds_and_most_of_what_is_spoiled_does_not():
    random, originals = Random(3), Originals()
    given = [originals.one(random) for _ in range(300)]
    assert all(holds(each, originals) for each in given)
    spoiled = [spoil(each, originals, random) for each in given]
    assert sum(each.good for each in spoiled) < 60
