"""`/api/v1/rules`: the rules in force, and how often each has matched."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response

from service.api.described import STORE, Described, answer, described
from service.api.models import Rules
from service.rule_source import lines_of
from workers.clock import rfc3339
from workers.ledger import Hits, Ledger
from workers.pauses import Pauses
from workers.rules_in_force import look_or_kept

if TYPE_CHECKING:
    from collections.abc import Mapping

    import redis

    from rules.rule import Rule
    from rules.ruleset import Ruleset
    from workers.pauses import Paused
    from workers.rules_in_force import InForce, RulesInForce


def rules(redis: redis.Redis, in_force: RulesInForce) -> Blueprint:
    """The routes about rules."""
    routes = Blueprint("rules", __name__)

    @routes.get("/rules")
    @described(Described(Rules, problems=STORE))
    def listed() -> Response:
        """The rules in force in this process, in order, and errors of files that do not load."""
        return answer(Rules.model_validate(rules_shown(redis, look_or_kept(in_force, redis))))

    return routes


def rules_shown(redis: redis.Redis, now: InForce) -> dict[str, Any]:
    """What people see of rules, as `service.api.models.Rules` has it.

    Raises:
        RedisError: Redis could not be reached.
    """
    hits, paused = Ledger(redis).hits(), Pauses(redis).now()
    shown: list[dict[str, Any]] = []
    if now.ruleset is not None:
        sources = _sources(now.ruleset)
        shown = [_rule(rule, hits.get(rule.id), paused, sources) for rule in now.ruleset.rules]
    rules_hash = now.ruleset.hash if now.ruleset is not None else None
    return {"rules": shown, "hash": rules_hash, "errors": list(now.errors)}


def _rule(
    rule: Rule, hits: Hits | None, paused: Paused, sources: Mapping[str, _Source]
) -> dict[str, Any]:
    source = sources[rule.id]
    return {
        "id": rule.id,
        "description": rule.description,
        "file": source.file,
        "line": source.line,
        "on": list(rule.on),
        "enabled": rule.enabled,
        "shadow": rule.shadow,
        "paused": paused.every or rule.id in paused.rules,
        "group": rule.group,
        "agents": _agents(rule),
        "hits": hits.count if hits is not None else 0,
        "last_match": rfc3339(hits.last_at) if hits is not None else None,
        "source": source.text,
    }


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a rule stands, and its text."""

    file: str
    line: int
    text: str


def _sources(ruleset: Ruleset) -> dict[str, _Source]:
    texts = {file.path: file.text.splitlines() for file in ruleset.files}
    return {rule.id: _source(rule, texts.get(rule.mark.path, [])) for rule in ruleset.rules}


def _source(rule: Rule, lines: list[str]) -> _Source:
    there = lines_of(rule, lines)
    line = there.start + 1 if there else rule.mark.line
    text = dedent("\n".join(lines[there.start : there.stop])).rstrip()
    return _Source(rule.mark.path, line, text)


def _agents(rule: Rule) -> list[str]:
    """Names of its agents and those of its fallbacks, as written, each once."""
    rungs = (rung for ladder in rule.dispatches for rung in (ladder.first, *ladder.fallback))
    return list(dict.fromkeys(rung.agent.source for rung in rungs))
