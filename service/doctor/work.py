"""The rules, and whether anybody works by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules.loader import load_all
from rules.problems import RuleErrors
from service.doctor.findings import Finding, Status, failed, ok, warning
from service.dry_runs import DRY_RUN, dry_run_told
from service.health import pauses_told, reconcile_told
from workers.presence import workers_at_work

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import redis

    from rules.problems import Problem
    from rules.ruleset import Ruleset
    from workers.settings import Settings

MOST_PROBLEMS: Final = 10
"""So many are told; `dispatcher rules check` tells all."""


def rules(settings: Settings) -> Iterator[Finding]:
    """Whether the rule files load, and what is wrong with them."""
    try:
        ruleset = load_all([settings.rules])
    except RuleErrors as errors:
        yield from _problems(errors.problems)
        return
    count = len(ruleset.rules)
    if not count:
        yield failed("rules", f"there is no rule in {settings.rules}", "write one")
        return
    yield ok("rules", f"{count} rule{'s' * (count != 1)} in {settings.rules}, hash {ruleset.hash}")
    yield from _problems(ruleset.warnings)


def workers(redis: redis.Redis, settings: Settings) -> Iterator[Finding]:
    """Whether workers are at work, by the rules that are in the files here.

    Raises:
        RedisError: Redis was lost.
    """
    at_work = workers_at_work(redis)
    if not at_work:
        found = "none is at work: webhooks are kept, and nothing is dispatched"
        yield failed("workers", found, "start `dispatcher worker` or `dispatcher up`; see its log")
        return
    count = f"{len(at_work)} at work"
    told = dry_run_told(at_work.values(), here=settings.dry_run)
    if told not in ("", DRY_RUN):  # that one has been told of the settings here
        yield warning("workers", *_split(told))
    hashes = sorted({each.rules for each in at_work.values()})
    ours = _loaded(settings)
    if ours is None:
        yield ok("workers", f"{count}, by the rules {', '.join(hashes)}")
    elif hashes == [ours.hash]:
        yield ok("workers", f"{count}, by the rules of these files")
    else:
        others = sum(each.rules != ours.hash for each in at_work.values())
        found = f"{count}, {others} of them by other rules than these files hold ({ours.hash})"
        todo = "a change takes 5 s; after that see DISPATCHER_RULES there, and their logs"
        yield warning("workers", found, todo)


def pauses(redis: redis.Redis) -> Iterator[Finding]:
    """Whether somebody has paused rules.

    Raises:
        RedisError: Redis was lost.
    """
    told = pauses_told(redis)
    if told["status"] == "ok":
        yield ok("pauses", "no rule is paused")
    else:
        yield warning("pauses", *_split(told["detail"]))


def reconcile(redis: redis.Redis, settings: Settings) -> Iterator[Finding]:
    """Whether what webhooks said is compared with what LiveKit lists.

    Raises:
        RedisError: Redis was lost.
    """
    told = reconcile_told(settings, redis)
    if told["status"] == "ok":
        age = told["age"]
        yield ok("reconcile", "not yet" if age is None else f"rooms were compared {age:.0f} s ago")
    else:
        found, todo = _split(told["detail"])
        yield warning("reconcile", found, todo or "set DISPATCHER_RECONCILE_INTERVAL=30s")


def _split(detail: str) -> tuple[str, str]:
    found, _, todo = detail.partition("; ")
    return found, todo


def _problems(problems: Sequence[Problem]) -> Iterator[Finding]:
    errors_first = sorted(problems, key=lambda problem: problem.severity != "error")
    for problem in errors_first[:MOST_PROBLEMS]:
        status = Status.FAILED if problem.severity == "error" else Status.WARNING
        yield Finding("rules", status, str(problem))
    if (more := len(problems) - MOST_PROBLEMS) > 0:
        yield warning("rules", f"and {more} more", "see `dispatcher rules check`")


def _loaded(settings: Settings) -> Ruleset | None:
    try:
        return load_all([settings.rules])
    except RuleErrors:
        return None
