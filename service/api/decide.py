"""`POST /api/v1/decide`: what would be dispatched now, and a join token that carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response

from rules.explain import explained
from service import problems
from service.api.described import STORE, Described, answer, described
from service.api.models import Decision
from service.asking import BadQuestion, ask, read_question
from service.bodies import json_body
from service.problems import Problem
from service.question import Question
from workers.rules_in_force import look_or_kept

if TYPE_CHECKING:
    import redis

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

        The room is taken as it is known; without `event`, somebody joins. With `token`, a join
        token is answered whose room configuration carries `agents`: LiveKit sends them as soon as
        its bearer opens the room. Where the room is open, the webhook of the join sends them.
        """
        body = json_body()
        try:
            question = read_question(body)
            ruleset = look_or_kept(in_force, redis).ruleset
            if ruleset is None:
                raise Problem(
                    problems.NO_RULES, "No rules load; `dispatcher rules check` says why."
                )
            told = ask(redis, settings, ruleset, question)
        except BadQuestion as error:
            raise Problem(problems.BAD_BODY, f"{error}.") from None
        decisions = explained(told.found.event, told.found.decisions)["decisions"]
        given = {"agents": list(told.agents), "decisions": decisions, "token": told.token}
        return answer(Decision.model_validate(given))

    return routes
