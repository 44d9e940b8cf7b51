"""The rules in force in this process: read again when their files change, never replaced by rules
that do not load. The last good set is kept in Redis, for a process that starts with broken files.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from redis.exceptions import RedisError

from rules.files import RuleFile, content_hash, rule_files
from rules.loader import load_files
from rules.problems import Report, RuleErrors
from workers import keys

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis
    import redis.asyncio

    from rules.problems import Problem
    from rules.ruleset import Ruleset

LOOK_SECONDS: Final = 1.0
"""How old an answer may be; a health check a second must not read a folder a second."""
WATCH_SECONDS: Final = 1.2
"""A change on disk is in force everywhere within 5 s: the second look that finds it counts."""

LATELY: Final = 4
"""How many sets of rules are kept for the dispatches that were decided by them and still wait."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class InForce:
    """A set of rules that loaded, or none; and the errors of files that do not load now."""

    ruleset: Ruleset | None
    errors: tuple[str, ...]


class RulesInForce:
    """Reads a rule source again when its content has changed. For any number of threads."""

    def __init__(self, source: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._now = InForce(None, ())
        self._lately: dict[str, Ruleset] = {}
        self._seen: tuple[str, tuple[Problem, ...]] | None = None
        self._read_well: tuple[str, tuple[Problem, ...]] | None = None
        """The content that what is in force, or its errors, come from."""
        self._looked = float("-inf")

    @property
    def now(self) -> InForce:
        """What was in force at the last look."""
        return self._now

    def of(self, rules_hash: str) -> Ruleset | None:
        """The rules of this hash, if they were in force here lately."""
        return self._lately.get(rules_hash)

    def look(self) -> InForce:
        """The rules in force now; reads files, unless it has just done so."""
        with self._lock:
            if self._clock() - self._looked >= LOOK_SECONDS:
                self._read()
                self._looked = self._clock()
            return self._now

    def fall_back(self, ruleset: Ruleset) -> None:
        """Have these in force until the files load."""
        with self._lock:
            if self._now.ruleset is None:
                self._put(InForce(ruleset, self._now.errors))

    def _read(self) -> None:
        report = Report()
        files = rule_files(self._source, report)
        content = (content_hash(files), tuple(report.problems))
        is_first, is_steady = self._seen is None, content == self._seen
        self._seen = content
        # Files may be half written: what has changed counts when the next look finds it unchanged.
        if content == self._read_well or not (is_first or is_steady):
            return
        self._read_well = content
        problems = list(report.problems)
        try:
            ruleset = load_files(files)
        except RuleErrors as error:
            problems += error.problems
        errors = tuple(str(p) for p in problems if p.severity == "error")
        self._put(InForce(self._now.ruleset, errors) if errors else InForce(ruleset, ()))

    def _put(self, now: InForce) -> None:
        self._now = now
        if now.ruleset is not None:
            others = {h: r for h, r in self._lately.items() if h != now.ruleset.hash}
            self._lately = dict([*others.items(), (now.ruleset.hash, now.ruleset)][-LATELY:])


async def watch(rules: RulesInForce, client: redis.asyncio.Redis) -> None:
    """Take up changes for as long as this runs, telling each once and keeping what loads."""
    told = rules.now
    kept_hash = ""
    while True:
        now = rules.now
        if now.ruleset is not None and not now.errors and now.ruleset.hash != kept_hash:
            kept_hash = await _keep(now.ruleset, client)
        await asyncio.sleep(WATCH_SECONDS)
        now = await asyncio.to_thread(rules.look)
        if now.errors and now.errors != told.errors:
            hint = "the last good rules stay in force"
            log.error("rules_do_not_load", problems=list(now.errors), hint=hint)
        if now.ruleset is not None and now is not told and not now.errors:
            log.info("rules_loaded", rules=len(now.ruleset.rules), hash=now.ruleset.hash)
        told = now


async def _keep(ruleset: Ruleset, client: redis.asyncio.Redis) -> str:
    """Keep it; the hash of what is kept, `""` if that failed."""
    files = [[file.path, file.text] for file in ruleset.files]
    try:
        await client.set(keys.RULES, json.dumps({"hash": ruleset.hash, "files": files}))
    except RedisError as error:
        log.warning("rules_not_kept", error=str(error))
        return ""
    return ruleset.hash


def kept(client: redis.Redis) -> Ruleset | None:
    """The last good set that any worker had in force; None if there is none that loads here.

    Raises:
        RedisError: Redis could not be reached.
    """
    text = client.get(keys.RULES)
    if not text:
        return None
    try:
        return load_files(RuleFile(path, content) for path, content in json.loads(text)["files"])
    except (RuleErrors, ValueError, LookupError, TypeError):  # another version's
        return None
