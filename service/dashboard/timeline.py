"""A call's timeline as bars: who kept the caller waiting, the queue, LiveKit, or the agent.

Getting an agent takes a second, the call minutes: on one scale nothing of the first could be seen.
So time runs evenly while an agent is on its way, and what lies between is drawn shorter, as a break
in the axis says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from service.dashboard.shown import seconds_of
from workers.states import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

QUEUE, RULE, LIVEKIT, AGENT, CALL = "queue", "rule", "livekit", "agent", "call"
PHASES: Final[Mapping[str, str]] = {
    QUEUE: "Queueing",
    RULE: "Rule’s wait",
    LIVEKIT: "LiveKit",
    AGENT: "Agent",
    CALL: "In call",
}
PROVIDERS: Final[Mapping[str, str]] = {"livekit": "LiveKit", "videosdk": "VideoSDK"}
WORDS: Final[Mapping[str, str]] = {
    QUEUE: "webhook to decision",
    RULE: "its “after”",
    LIVEKIT: "to acceptance",
    AGENT: "acceptance to join",
    CALL: "join to leaving",
}
_LEAST: Final = 1.6
"""Percent of the width that the shortest piece has."""
_ON_THE_WAY: Final = 66.0
"""Percent of the width for agents on their way, where there are calls too."""
_APART: Final = 14.5
"""Percent of the width that the words of a time at the axis take, where a page is 1280 px wide."""


def phases(provider: str) -> Mapping[str, str]:
    """What each part is called, by the provider that sends the agent."""
    return {**PHASES, LIVEKIT: PROVIDERS.get(provider, provider)}


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of a dispatch; `x` and `width` are percents of the picture's width."""

    phase: str
    since: float
    until: float
    goes_on: bool
    x: float = 0.0
    width: float = 0.0

    @property
    def ms(self) -> float:
        """How long it took, or has taken."""
        return max(0.0, self.until - self.since) * 1000


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment on the axis or in a lane."""

    at: float
    x: float
    words: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Lane:
    """One dispatch of the line: a rung, or a restart."""

    dispatch: Mapping[str, Any]
    bars: tuple[Bar, ...]
    ends: Mark | None
    """Where it failed, was released or ended."""


@dataclass(frozen=True, slots=True)
class Picture:
    """All lanes on one axis."""

    lanes: tuple[Lane, ...]
    marks: tuple[Mark, ...]
    breaks: tuple[float, ...]
    """Where the axis does not run evenly, percents."""


def picture(line: Sequence[Mapping[str, Any]], now: float) -> Picture:
    """Draw the dispatches of one claim, oldest first."""
    drawn = [(dispatch, bars(dispatch, now)) for dispatch in line]
    axis = _Axis([bar for _, parts in drawn for bar in parts])
    lanes = tuple(
        Lane(dispatch, tuple(axis.placed(bar) for bar in parts), _end(dispatch, parts, axis))
        for dispatch, parts in drawn
    )
    return Picture(lanes, _marks(drawn, axis), axis.breaks)


def bars(dispatch: Mapping[str, Any], now: float) -> list[Bar]:
    """The parts of a dispatch, one after the other."""
    created = seconds_of(dispatch["created_at"]) or now
    queued = (dispatch.get("latency") or {}).get("decided_ms")
    accepted, joined = seconds_of(dispatch["accepted_at"]), seconds_of(dispatch["joined_at"])
    ended = seconds_of(dispatch["ended_at"])
    over = now if ended is None else ended
    begun = _begun(dispatch, created)
    found: list[Bar] = []
    if queued is not None:
        found.append(Bar(QUEUE, created - queued / 1000, created, goes_on=False))
    steps = [(RULE, created, begun), (LIVEKIT, begun, accepted), (AGENT, accepted, joined),
             (CALL, joined, None)]  # fmt: skip
    if dispatch["state"] == State.DRY_RUN:  # nobody was asked
        steps = steps[:1]
    for phase, since, until in steps:
        if since is None or (phase == RULE and begun == created):
            continue
        if until is None:
            found.append(Bar(phase, since, max(since, over), goes_on=ended is None))
            break
        found.append(Bar(phase, since, max(since, until), goes_on=False))
    return found


def waited(
    line: Sequence[Mapping[str, Any]], dispatch: Mapping[str, Any], now: float
) -> float | None:
    """Ms from the webhook, or the order, to the agent's join, earlier rungs counted.

    None where another agent was in the call before: nobody waited for this one from the webhook on.
    """
    until = [each for each in line if each["created_at"] <= dispatch["created_at"]]
    if any(each["joined_at"] for each in until if each["id"] != dispatch["id"]):
        return None
    first = bars(until[0], now) if until else []
    over = seconds_of(dispatch["joined_at"]) or seconds_of(dispatch["ended_at"]) or now
    return (over - first[0].since) * 1000 if first else None


def _begun(dispatch: Mapping[str, Any], created: float) -> float | None:
    """When it was first to be called: when it left `scheduled`; None while it is."""
    moves = dispatch.get("timeline") or []
    if not moves or moves[0]["state"] != "scheduled":
        return created
    left = (seconds_of(m["at"]) for m in moves if m["state"] != "scheduled")
    return next(left, None) if dispatch["state"] != "released" or dispatch["accepted_at"] else None


class _Axis:
    def __init__(self, parts: Sequence[Bar]) -> None:
        times = sorted({t for bar in parts for t in (bar.since, bar.until)})
        self._pieces: list[tuple[float, float, float, float]] = []
        self.breaks: tuple[float, ...] = ()
        spans = [(a, b) for a, b in pairwise(times) if b > a]
        if not spans:
            return
        even = [any(_covers(bar, a, b) for bar in parts) for a, b in spans]
        widths = _widths(spans, even)
        x, breaks = 0.0, []
        for (a, b), width, is_even in zip(spans, widths, even, strict=True):
            self._pieces.append((a, b, x, width))
            if not is_even and width > 2 * _LEAST:
                breaks.append(x + width / 2)
            x += width
        self.breaks = tuple(breaks)

    def x(self, at: float) -> float:
        for a, b, x, width in self._pieces:
            if at <= b:
                return round(x + width * max(0.0, at - a) / (b - a), 2)
        return 100.0

    def placed(self, bar: Bar) -> Bar:
        x = self.x(bar.since)
        width = max(0.4, self.x(bar.until) - x)
        return Bar(bar.phase, bar.since, bar.until, bar.goes_on, min(x, 99.6), round(width, 2))


def _covers(bar: Bar, since: float, until: float) -> bool:
    return bar.phase in (QUEUE, LIVEKIT, AGENT) and bar.since <= since and until <= bar.until


def _widths(spans: Sequence[tuple[float, float]], even: Sequence[bool]) -> list[float]:
    """Percents: proportional on the way, by the logarithm in between, none too narrow to see."""
    pairs = list(zip(spans, even, strict=True))
    weights = [b - a if is_even else math.log1p(b - a) for (a, b), is_even in pairs]
    sums = {kind: sum(w for w, e in zip(weights, even, strict=True) if e is kind)
            for kind in (True, False)}  # fmt: skip
    if all(sums.values()):
        shares = {True: _ON_THE_WAY, False: 100.0 - _ON_THE_WAY}
    else:
        shares = {True: 100.0, False: 100.0}
    wide = [
        max(_LEAST, shares[is_even] * weight / sums[is_even])
        for weight, is_even in zip(weights, even, strict=True)
    ]
    return [100.0 * width / sum(wide) for width in wide]


def _end(dispatch: Mapping[str, Any], parts: Iterable[Bar], axis: _Axis) -> Mark | None:
    ended = seconds_of(dispatch["ended_at"])
    if ended is None or not parts:
        return None
    return Mark(ended, axis.x(ended), dispatch["state"])


def _marks(
    drawn: Sequence[tuple[Mapping[str, Any], Sequence[Bar]]], axis: _Axis
) -> tuple[Mark, ...]:
    """The times that are written at the axis: those that matter most, none over another."""
    wanted: list[tuple[float, str]] = []
    for dispatch, parts in drawn:
        if not parts:
            continue
        joined, ended = seconds_of(dispatch["joined_at"]), seconds_of(dispatch["ended_at"])
        accepted = seconds_of(dispatch["accepted_at"])
        first = "webhook" if parts[0].phase == QUEUE else "decided"
        wanted += [(t, w) for t, w in ((parts[0].since, first), (joined, "joined"),
                   (ended, _over(dispatch)), (accepted, "accepted")) if t is not None]  # fmt: skip
    marks: list[Mark] = []
    for at, words in wanted:
        x = axis.x(at)
        anchor = "start" if x < _APART / 2 else "end" if x > 100 - _APART / 2 else "middle"
        mark = Mark(at, x, words, anchor)
        if all(abs(_middle(mark) - _middle(other)) >= _APART for other in marks):
            marks.append(mark)
    return tuple(sorted(marks, key=lambda mark: mark.x))


def _middle(mark: Mark) -> float:
    """Where the middle of its words is: they begin or end at the mark at the edges."""
    return mark.x + {"start": _APART / 2, "end": -_APART / 2}.get(mark.anchor, 0.0)


def _over(dispatch: Mapping[str, Any]) -> str:
    return "left" if dispatch["state"] == "ended" else str(dispatch["state"])
