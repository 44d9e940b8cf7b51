"""The rules in force in this process: read again when their files change, never replaced by rules
that do not load. The last good set is kept in Redis, for a process that starts with broken files.
"""

from __future__ import annotations

import asyncio
import contextlib
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
"""How many sets of rules are at hand for the dispatches that were decided by them and still wait;
others are in Redis."""
KEPT_AGAIN_SECONDS: Final = 3600.0

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

    async def recall(self, rules_hash: str, client: redis.asyncio.Redis) -> Ruleset | None:
        """The rules of this hash, from here or from what any worker has kept; None if nowhere.

        Raises:
            RedisError: Redis could not be reached.
        """
        if rules_hash not in self._lately:
            text = await client.get(keys.RULES_OF + rules_hash)
            ruleset = await asyncio.to_thread(_loaded, text) if text else None
            if ruleset is None:
                return None
            self._remember(ruleset)
        return self._lately[rules_hash]

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
            self._remember(now.ruleset)

    def _remember(self, ruleset: Ruleset) -> None:
        others = {h: r for h, r in self._lately.items() if h != ruleset.hash}
        self._lately = dict([*others.items(), (ruleset.hash, ruleset)][-LATELY:])


async def watch(rules: RulesInForce, client: redis.asyncio.Redis) -> None:
    """Take up changes for as long as this runs, telling each once and keeping what loads."""
    told = rules.now
    kept_hash, kept_at = "", 0.0
    while True:
        now = rules.now
        is_old = time.monotonic() - kept_at > KEPT_AGAIN_SECONDS
        if now.ruleset is not None and not now.errors and (now.ruleset.hash != kept_hash or is_old):
            kept_hash, kept_at = await _keep(now.ruleset, client), time.monotonic()
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
        text = json.dumps({"hash": ruleset.hash, "files": files})
        await client.set(keys.RULES, text)
        await client.set(keys.RULES_OF + ruleset.hash, text, ex=keys.ROOM_SECONDS + 86400)
    except RedisError as error:
        log.warning("rules_not_kept", error=str(error))
        return ""
    return ruleset.hash


def look_or_kept(rules: RulesInForce, client: redis.Redis) -> InForce:
    """The rules in force now; where none has loaded here, the last good ones, as workers do."""
    now = rules.look()
    if now.ruleset is None:
        with contextlib.suppress(RedisError):
            good = kept(client)
            if good is not None:
                rules.fall_back(good)
    return rules.now


def kept(client: redis.Redis) -> Ruleset | None:
    """The last good set that any worker had in force; None if there is none that loads here.

    Raises:
        RedisError: Redis could not be reached.
    """
    text = client.get(keys.RULES)
    return _loaded(text) if text else None


def _loaded(text: bytes | str) -> Ruleset | None:
    try:
        return load_files(RuleFile(path, content) for path, content in json.loads(text)["files"])
    except (RuleErrors, ValueError, LookupError, TypeError):  # another version's
        return None
