from __future__ import annotations

from itertools import pairwise

import pytest

from service.dashboard.timeline import bars, picture, waited
from workers.clock import rfc3339

BEGAN = 1_790_000_000.0


def dispatch(dispatch_id="D1", state="active", *, queued=20, scheduled=None, **at):
    """A dispatch as `Ledger.dispatch` shows it; times are seconds after the first webhook."""
    times = {name: None if at.get(name) is None else rfc3339(BEGAN + at[name])
             for name in ("created", "accepted", "joined", "ended")}  # fmt: skip
    moves = [
        {"at": times["created"], "state": "scheduled" if scheduled else "requested", "reason": None}
    ]
    if scheduled:
        moves.append({"at": rfc3339(BEGAN + scheduled), "state": "requested", "reason": None})
    return {
        "id": dispatch_id, "state": state, "timeline": moves, "latency": {"decided_ms": queued},
        **{f"{name}_at": time for name, time in times.items()},
    }  # fmt: skip


def parts(shown, now=BEGAN + 100):
    return {bar.phase: (round(bar.ms), bar.goes_on) for bar in bars(shown, now)}


def test_queueing_livekit_and_the_agent_are_told_apart():
    shown = dispatch(created=0.02, accepted=0.07, joined=1.07)
    assert parts(shown) == {
        "queue": (20, False), "livekit": (50, False), "agent": (1000, False), "call": (98930, True),
    }  # fmt: skip


def test_what_a_rule_waits_is_nobodys_fault():
    shown = dispatch(created=0.02, scheduled=2.02, accepted=2.1, joined=3)
    assert parts(shown)["rule"] == (2000, False)
    assert parts(shown)["livekit"] == (80, False)


def test_a_scheduled_dispatch_that_was_given_up_has_only_waited():
    shown = dispatch(state="released", created=0.02, ended=2.02)
    shown["timeline"][0]["state"] = "scheduled"
    assert set(parts(shown)) == {"queue", "rule"}


def test_a_failed_dispatch_ends_with_whom_it_failed():
    shown = dispatch(state="failed", created=0.02, accepted=0.1, ended=8.1)
    assert parts(shown) == {"queue": (20, False), "livekit": (80, False), "agent": (8000, False)}


def test_the_caller_waited_for_all_rungs():
    first = dispatch("D1", "superseded", created=0.02, accepted=0.1, ended=8.1)
    second = dispatch("D2", queued=None, created=8.1, accepted=8.2, joined=9)
    assert waited([first, second], second, BEGAN + 100) == pytest.approx(9000)


def test_nobody_waited_for_a_restart_from_the_webhook_on():
    first = dispatch("D1", "ended", created=0.02, accepted=0.1, joined=1, ended=50)
    second = dispatch("D2", queued=None, created=50, accepted=50.2, joined=51)
    assert waited([first, second], second, BEGAN + 100) is None


@pytest.mark.parametrize("talked", [1, 60, 86400])
def test_a_bar_can_be_seen_however_long_the_call_was(talked):
    line = [
        dispatch("D1", "superseded", created=0.005, queued=5, accepted=0.01, ended=8),
        dispatch("D2", "ended", queued=None, created=8, accepted=8.003, joined=9, ended=9 + talked),
        dispatch("D3", queued=None, created=9 + talked, accepted=9.1 + talked, joined=10 + talked),
    ]
    drawn = picture(line, BEGAN + 20 + 2 * talked)
    for lane in drawn.lanes:
        for bar in lane.bars:
            assert bar.width >= 0.4
            assert 0 <= bar.x <= bar.x + bar.width <= 100.5
    ends = [(lane.bars[0].x, lane.bars[-1].x + lane.bars[-1].width) for lane in drawn.lanes]
    assert ends[0][1] <= ends[1][0] + 0.5
    assert ends[1][1] <= ends[2][0] + 0.5
    assert drawn.breaks


def test_times_at_the_axis_do_not_lie_on_each_other():
    line = [dispatch("D1", "failed", created=0.02, accepted=0.03, ended=0.05)]
    xs = [mark.x for mark in picture(line, BEGAN + 1).marks]
    assert all(later - earlier >= 13 for earlier, later in pairwise(xs))


def test_a_dispatch_without_any_time_passed_is_drawn():
    assert picture([dispatch(created=0, queued=0)], BEGAN).lanes


@pytest.mark.parametrize("accepted", [0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.33])
def test_no_words_at_the_axis_stand_over_others(accepted):
    """Where the first is so near the edge that its words begin there, the next keeps away."""
    line = [dispatch(created=0.02, accepted=accepted, joined=0.35)]
    begins = {"start": 0.0, "middle": 0.5, "end": 1.0}
    wide = 14.0  # percent, as "accepted 20:35:59.645" is
    spans = [(m.x - begins[m.anchor] * wide, m.x + (1 - begins[m.anchor]) * wide)
             for m in picture(line, BEGAN + 40).marks]  # fmt: skip
    assert len(spans) > 1
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
