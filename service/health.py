"""`/healthz`, the process is alive; `/readyz`, it can do its work, and how safely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, jsonify
from redis.exceptions import RedisError

from service.api.described import Described, described
from service.api.models import Alive, Ready
from service.dry_runs import dry_run_told
from service.eviction import eviction
from service.memory import memory
from service.notifications import notifications
from service.persistence import persistence
from service.replicas import replicas
from workers.connection import unreachable
from workers.copies import is_copied
from workers.pauses import Pauses
from workers.presence import workers_at_work
from workers.reconcile import last_pass
from workers.rules_in_force import look_or_kept
from workers.schema import SchemaError, check_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import redis

    from service.deliveries import Deliveries
    from workers.presence import AtWork
    from workers.rules_in_force import RulesInForce
    from workers.settings import Settings

Check = dict[str, Any]
LATE_SECONDS: Final = 30.0


def health(
    settings: Settings, redis: redis.Redis, in_force: RulesInForce, deliveries: Deliveries
) -> Blueprint:
    """The routes a load balancer and an orchestrator ask."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    @described(Described(Alive, is_open=True))
    def healthz() -> Response:
        """The process is alive."""
        return jsonify(status="ok")

    @routes.get("/readyz")
    @described(Described(Ready, also=(503,), is_open=True))
    def readyz() -> tuple[Response, int]:
        """503 without Redis, or room in it, or rules; all else is 200, what is wrong a warning."""
        store = _store(settings, redis)
        checks = {"redis": store, "rules": _rules(in_force, redis), "webhooks": deliveries.told()}
        at_work: Collection[AtWork] = ()
        if store["status"] == "ok":
            checks["persistence"] = persistence(redis)
            checks["memory"] = _asked(memory, redis)
            checks["eviction"] = _asked(eviction, redis)
            checks["state"] = _state(redis)
            if is_copied(redis):
                checks["replicas"] = replicas(redis)
            checks["workers"], at_work = _workers(redis, in_force)
            checks["pauses"] = pauses_told(redis)
            checks["reconcile"] = reconcile_told(settings, redis)
            checks["notifications"] = notifications(settings, redis, in_force)
        if told := dry_run_told(at_work, here=settings.dry_run):
            checks["dry_run"] = {"status": "warning", "detail": told}
        states = {check["status"] for check in checks.values()}
        status = "failed" if "failed" in states else "warning" if "warning" in states else "ok"
        return jsonify(status=status, checks=checks), 503 if status == "failed" else 200

    return routes


def _store(settings: Settings, redis: redis.Redis) -> Check:
    try:
        redis.ping()
    except RedisError as error:
        return {"status": "failed", "detail": unreachable(settings, error)}
    return {"status": "ok"}


def _asked(ask: Callable[[redis.Redis], Check], redis: redis.Redis) -> Check:
    try:
        return ask(redis)
    except RedisError as error:
        return {"status": "warning", "detail": str(error)}


def _state(redis: redis.Redis) -> Check:
    """Whether this version can read what is kept there: another may have come after it started."""
    try:
        return {"status": "ok", "schema": check_schema(redis)}
    except (SchemaError, RedisError) as error:
        return {"status": "warning", "schema": None, "detail": str(error)}


def reconcile_told(settings: Settings, redis: redis.Redis) -> Check:
    """How long ago each server's listing was compared with what webhooks said."""
    interval = settings.reconcile_interval.total_seconds()
    if not interval:
        detail = "DISPATCHER_RECONCILE_INTERVAL=0: webhooks that are lost are not made up for"
        return {"status": "warning", "age": None, "detail": detail}
    try:
        passes = [last_pass(redis, place) for place in settings.places]
    except RedisError as error:
        return {"status": "warning", "age": None, "detail": str(error)}
    ages = [found.age for found in passes if found is not None]
    told: Check = {"status": "ok", "age": round(max(ages), 1) if ages else None}
    told["looks"] = sum(found.looks for found in passes if found is not None)
    if len(ages) < len(passes) or max(ages, default=0.0) > 3 * interval + LATE_SECONDS:
        detail = "rooms were not compared with LiveKit's listing lately; see the workers' logs"
        told |= {"status": "warning", "detail": detail}
    return told


def _workers(redis: redis.Redis, in_force: RulesInForce) -> tuple[Check, Collection[AtWork]]:
    """What there is to say of the workers that are at work, and they."""
    try:
        at_work = workers_at_work(redis).values()
    except RedisError as error:
        return {"status": "warning", "count": None, "detail": str(error)}, ()
    if not at_work:
        detail = "no worker is at work: webhooks are kept and nothing is dispatched; see its log"
        return {"status": "warning", "count": 0, "detail": detail}, ()
    told: Check = {
        "status": "ok",
        "count": len(at_work),
        "rules": sorted({each.rules for each in at_work}),
    }
    ours = in_force.now.ruleset
    others = [each for each in at_work if ours is not None and each.rules != ours.hash]
    if others:
        detail = f"{len(others)} of them work by other rules than this process has; see their logs"
        told |= {"status": "warning", "detail": detail}
    return told, at_work


def pauses_told(redis: redis.Redis) -> Check:
    """Which rules are paused; a warning while any is."""
    try:
        paused = Pauses(redis).now()
    except RedisError as error:
        return {"status": "warning", "detail": str(error)}
    told: Check = {"status": "ok", "all": paused.every, "rules": paused.rules}
    if paused:
        detail = f"{paused} and send no new agent; `dispatcher resume` ends that"
        told |= {"status": "warning", "detail": detail}
    return told


def _rules(in_force: RulesInForce, redis: redis.Redis) -> Check:
    now = look_or_kept(in_force, redis)
    if now.ruleset is None or not now.ruleset.rules:
        errors = now.errors or ("there is no rule in it",)
        return {"status": "failed", "count": 0, "hash": None, "errors": errors}
    return {
        "status": "warning" if now.errors or now.ruleset.warnings else "ok",
        "count": len(now.ruleset.rules),
        "hash": now.ruleset.hash,
        "errors": now.errors,
        "warnings": [str(warning) for warning in now.ruleset.warnings],
    }
