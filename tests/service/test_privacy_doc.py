"""What `service/docs/privacy.md` says is so: its paths can be given, its words are in force."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from service.audit import ACTS
from workers.audit import KEPT_SECONDS, MOST
from workers.keys import ENDED_ROOM_SECONDS, ROOM_SECONDS
from workers.settings import load_settings

DOC = resources.files("service").joinpath("docs/privacy.md").read_text("utf-8")
PATHS = re.findall(r"`((?:room|participant|track|egress_info|ingress_info|dispatch)\.[^`]+)`", DOC)


@pytest.mark.parametrize("path", sorted(set(PATHS)))
def test_each_path_can_be_given(path):
    [found] = load_settings({"DISPATCHER_REDACT": path}).redaction.paths
    assert found.text == path


def test_the_example_is_a_setting():
    [value] = re.findall(r'DISPATCHER_REDACT="([^"]+)"', DOC)
    assert len(load_settings({"DISPATCHER_REDACT": value}).redaction.paths) == 4


def test_every_act_is_named():
    done = {what for what in ACTS.values() if what} | {"pause", "resume", "forget", "requeue"}
    assert [what for what in sorted(done) if f"`{what}`" not in DOC] == []


def test_the_times_are_those_in_force():
    assert (KEPT_SECONDS, MOST) == (90 * 86400, 1000)
    assert (ENDED_ROOM_SECONDS, ROOM_SECONDS) == (3600, 7 * 86400)
