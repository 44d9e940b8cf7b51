"""The first page: are calls getting their agents? One sentence, then what it rests on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rules.decision import Reason
from service.dashboard.attention import Concern, concerns
from service.dashboard.charts import Chart, chart
from service.dashboard.shown import ago, count, seconds_of
from workers.outcomes import EXPECTED_SECONDS
from workers.presence import workers_at_work

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.dashboard.sources import Sources
    from workers.deployed import Deployed
    from workers.ledger import Minute

HOUR: Final = 3600.0
LATE_SECONDS: Final = 15.0
"""A call that waits longer for its agent is worth a look."""
_LATELY: Final = 600.0
_FAILURES: Final = 200

GOOD, WARN, BAD, IDLE = "good", "warn", "bad", "idle"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer. `tone` is `good`, `warn`, `bad` or `idle`."""

    tone: str
    head: str
    words: str


@dataclass(frozen=True, slots=True)
class Overview:
    """All of the first page but the agents."""

    verdict: Verdict
    live: int
    waiting: int
    late: int
    failed: int
    hung_up: int
    """Calls that are not among the failed: who called had gone before an agent could come."""
    charts: tuple[Chart, ...]
    concerns: Sequence[Concern]
    latest: Sequence[Mapping[str, Any]]
    is_new: bool
    """Whether nothing has ever come in."""


def overview(sources: Sources, deployed: Deployed) -> Overview:
    """Read it all but the agents, which are given.

    Raises:
        RedisError: Redis could not be reached.
    """
    now = time.time()
    ledger = sources.ledger
    standing = ledger.standing()
    waiting = standing.get("requested", 0) + standing.get("pending", 0)
    pending = ledger.dispatches(state="pending", limit=_FAILURES).items if waiting else []
    late = [d for d in pending if now - (seconds_of(d["accepted_at"]) or now) > LATE_SECONDS]
    failed = ledger.failed_since(now - HOUR)
    found = (
        ledger.dispatches(state="failed", since=now - HOUR, limit=_FAILURES).items if failed else []
    )
    failures = [each for each in found if not _hung_up(each)]
    failed -= len(found) - len(failures)
    minutes = ledger.minutes(60)
    latest = ledger.dispatches(limit=8).items
    events = ledger.events(limit=1).items
    at_work = workers_at_work(sources.redis).values()
    seen = Seen(
        now=now,
        live=standing.get("active", 0),
        waiting=waiting,
        scheduled=standing.get("scheduled", 0),
        late=late,
        failed=failed,
        failures=failures,
        at_work=len(at_work),
        dry=sum(each.dry_run for each in at_work),
        dispatches=sum(minute.dispatches for minute in minutes),
        last_event=events[0]["decided_at"] if events else None,
        has_rules=bool((ruleset := sources.rules().ruleset) and ruleset.rules),
        all_paused=sources.pauses.now().every,
    )
    return Overview(
        verdict=verdict(seen),
        live=seen.live,
        waiting=seen.waiting,
        late=len(late),
        failed=failed,
        hung_up=len(found) - len(failures),
        charts=_charts(minutes),
        concerns=concerns(sources, failures, late, deployed, at_work),
        latest=latest,
        is_new=not events and not latest,
    )


def _hung_up(dispatch: Mapping[str, Any]) -> bool:
    """Whether its caller had gone before anybody could expect an agent: nothing is wrong then."""
    began = seconds_of(dispatch["accepted_at"] or dispatch["created_at"])
    ended = seconds_of(dispatch["ended_at"])
    is_over = (dispatch["reason"] or "") == Reason.ROOM_ENDED and None not in (began, ended)
    return is_over and (ended or 0.0) - (began or 0.0) < EXPECTED_SECONDS


@dataclass(frozen=True, slots=True)
class Seen:
    """What a verdict rests on."""

    now: float
    live: int
    waiting: int
    scheduled: int
    late: Sequence[Mapping[str, Any]]
    failed: int
    failures: Sequence[Mapping[str, Any]]
    at_work: int
    dry: int
    """How many of them send nobody: DISPATCHER_DRY_RUN."""
    dispatches: int
    """Of the last hour."""
    last_event: str | None
    has_rules: bool
    all_paused: bool


def verdict(seen: Seen) -> Verdict:
    """The answer, the worst first."""
    return _stopped(seen) or _failing(seen) or _dry(seen) or _quiet(seen)


def _stopped(seen: Seen) -> Verdict | None:
    """Nobody gets an agent, whoever calls."""
    if not seen.at_work:
        words = "Webhooks are kept and nothing is dispatched. Start `dispatcher worker`."
        return Verdict(BAD, "No worker is at work", words)
    if not seen.has_rules:
        words = "No agent can be sent until a rule file loads."
        return Verdict(BAD, "There are no rules", words)
    if seen.all_paused:
        return Verdict(BAD, "All rules are paused", "No call gets an agent until they are resumed.")
    return None


def _failing(seen: Seen) -> Verdict | None:
    ends = [seconds_of(d["ended_at"]) or 0.0 for d in seen.failures]
    if any(seen.now - at < _LATELY for at in ends):
        words = f"{_calls(seen.failed)} got no agent in the last hour, the last {ago(max(ends))}."
        return Verdict(BAD, "Some calls get no agent", f"{words} {_now(seen)}")
    if seen.late:
        words = f"{_calls(len(seen.late))} waiting longer than {LATE_SECONDS:.0f} s. {_now(seen)}"
        return Verdict(WARN, "Some agents are late", words)
    if seen.failed:
        words = f"None failed in the last 10 minutes, {count(seen.failed)} in the last hour."
        return Verdict(WARN, "Calls get their agents again", f"{words} {_now(seen)}")
    return None


def _dry(seen: Seen) -> Verdict | None:
    """What is decided is not sent: it would look like a quiet hour."""
    if not seen.dry:
        return None
    if seen.dry < seen.at_work:
        return Verdict(WARN, "Some workers send no agent", f"Theirs is a dry run. {_now(seen)}")
    would = "dispatch" if seen.dispatches == 1 else "dispatches"
    words = f"{count(seen.dispatches)} {would} in the last hour would have been sent."
    now = f" {_now(seen)}" if seen.live or seen.waiting else ""
    return Verdict(WARN, "Dry run: no agent is sent", f"{words}{now}")


def _quiet(seen: Seen) -> Verdict:
    if seen.live or seen.waiting or seen.scheduled:
        words = f"{_now(seen)} None failed in the last hour."
        return Verdict(GOOD, "Calls are getting their agents", words)
    if seen.last_event is None:
        return Verdict(IDLE, "Waiting for the first webhook", "Nothing has come in yet.")
    return Verdict(IDLE, "All quiet", f"No calls now. The last event came {ago(seen.last_event)}.")


def _now(seen: Seen) -> str:
    told = f"{_calls(seen.live)} with an agent now"
    return f"{told}, {count(seen.waiting)} waiting." if seen.waiting else f"{told}."


def _calls(number: int) -> str:
    return f"{count(number)} call{'' if number == 1 else 's'}"


def _charts(minutes: Sequence[Minute]) -> tuple[Chart, ...]:
    return (
        chart("Events", [minute.events for minute in minutes]),
        chart("Dispatches", [minute.dispatches for minute in minutes]),
        chart("Failures", [minute.failed for minute in minutes]),
    )
