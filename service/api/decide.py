"""`POST /api/v1/decide`: what would be dispatched now; nothing is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response
from pydantic import ValidationError

from rules.decision import Outcome, RestartPolicy
from rules.event import EventName, read_event
from rules.explain import explained
from rules.problems import nearest, quoted
from service import problems
from service.api.described import STORE, Described, answer, described
from service.api.models import Decision, Question
from service.bodies import json_body
from service.problems import Problem
from workers.foresight import foresee
from workers.rules_in_force import look_or_kept
from workers.whereabouts import WhichServer, server_of_room

if TYPE_CHECKING:
    import redis

    from rules.decision import Plan
    from rules.event import Event
    from workers.rules_in_force import RulesInForce
    from workers.settings import Settings


def deciding(settings: Settings, redis: redis.Redis, in_force: RulesInForce) -> Blueprint:
    """The route that asks what the rules would do."""
    routes = Blueprint("deciding", __name__)

    @routes.post("/decide")
    @described(
        Described(
            Decision,
            body=Question,
            problems=(
                problems.BAD_BODY,
                problems.TOO_LARGE,
                problems.NOT_JSON,
                problems.NO_RULES,
                *STORE,
            ),
        )
    )
    def decide() -> Response:
        """What would be dispatched if this happened now, and what each rule would say.

        The room is taken as it is known; without `event`, somebody joins.
        """
        question = _question(json_body())
        ruleset = look_or_kept(in_force, redis).ruleset
        if ruleset is None:
            raise Problem(problems.NO_RULES, "No rules load; `dispatcher rules check` says why.")
        server_id = _server_id(redis, settings, question)
        found = foresee(redis, ruleset, server_id, _event(question))
        plans = [
            plan
            for decision in found.decisions
            if decision.outcome is Outcome.DISPATCH
            for plan in decision.plans
            if not plan.after
        ]
        decisions = explained(found.event, found.decisions)["decisions"]
        told = {"agents": [_agent(p) for p in plans], "decisions": decisions, "token": None}
        return answer(Decision.model_validate(told))

    return routes


def _question(body: bytes) -> Question:
    try:
        return Question.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(each) for each in first["loc"])
        raise Problem(problems.BAD_BODY, f"{quoted(where)}: {first['msg']}.") from None


def _event(question: Question) -> Event:
    """What is asked about, as if it came now."""
    if question.event not in set(EventName):
        hint = nearest(question.event, map(str, EventName))
        detail = f"'event': there is no event {quoted(question.event)}{hint}."
        raise Problem(problems.BAD_BODY, detail)
    body: dict[str, Any] = {"event": question.event, "id": "asked", "created_at": time.time()}
    body["room"] = question.room.model_dump()
    if question.participant is not None:
        body["participant"] = question.participant
    try:
        return read_event(body, project=question.project or "")
    except (ValueError, RecursionError) as error:
        raise Problem(problems.BAD_BODY, f"It is not an event: {error}.") from None


def _server_id(redis: redis.Redis, settings: Settings, question: Question) -> str:
    """The server whose room is meant; `""` where none is configured, and no room is known."""
    if not settings.servers and question.project is None:
        return ""
    try:
        return server_of_room(redis, settings, question.room.name, question.project).id
    except WhichServer as error:
        raise Problem(problems.BAD_BODY, f"{error}.") from None


def _agent(plan: Plan) -> dict[str, Any]:
    never = plan.restart_policy is RestartPolicy.NEVER
    return {
        "agentName": plan.agent,
        "metadata": plan.metadata,
        "deployment": plan.deployment,
        "attributes": dict(plan.attributes),
        "restartPolicy": "JRP_NEVER" if never else "JRP_ON_FAILURE",  # LiveKit knows no `always`
    }
